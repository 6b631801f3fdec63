# SPDX-License-Identifier: Apache-2.0
"""What the commands learn of the caller's session."""

from types import SimpleNamespace as Stub

import fixtures
from openstackclient.identity import common as identity
from osc_lib import exceptions as osc_exceptions
from oslotest import base

from osc_migrate import exceptions
from osc_migrate.osc import access


class ProjectsTest(base.BaseTestCase):
    def found(self, _: object, name: str) -> Stub:
        """Find a project as openstackclient does."""
        if name == 'nonsense':
            raise osc_exceptions.CommandError('No project')
        return Stub(id=f'{name}-id')

    def test_names_become_ids(self) -> None:
        """One that is not there ends the command like other mistakes."""
        manager = Stub(identity=None)
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{identity.__name__}.find_project', self.found
            )
        )
        self.assertEqual(
            ['demo-id', 'admin-id'],
            access.projects(manager, ['demo', 'admin']),
        )
        self.assertRaises(
            exceptions.InvalidInput, access.projects, manager, ['nonsense']
        )
