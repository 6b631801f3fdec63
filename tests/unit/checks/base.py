# SPDX-License-Identifier: Apache-2.0
"""One server on compute-1 that shall move to compute-2, and what is found."""

from collections.abc import Iterable
from typing import Any

from oslotest import base

from osc_migrate import checks
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.checks import Severity

LIVE = model.MigrationType.LIVE
COLD = model.MigrationType.COLD
EVACUATE = model.MigrationType.EVACUATE
SOURCE, DESTINATION = 'compute-1', 'compute-2'


def candidate(
    server: model.Server | None = None,
    *,
    way: model.MigrationType = LIVE,
    source: model.Host | None = None,
    destination: model.Host | None = None,
    groups: Iterable[model.ServerGroup] = (),
    **attributes: Any,
) -> checks.Candidate:
    """Build a candidate; further attributes are those of the snapshot."""
    server = server or testing.server()
    source = source or testing.host(SOURCE)
    destination = destination or testing.host(DESTINATION)
    return checks.Candidate(
        server=server,
        destination=destination,
        migration_type=way,
        snapshot=testing.snapshot(
            [server], [source, destination], groups, **attributes
        ),
    )


class CheckTest(base.BaseTestCase):
    def found(
        self,
        check: checks.Check,
        server: model.Server | None = None,
        **attributes: Any,
    ) -> list[checks.Draft]:
        """Run a check as the framework does; it must not fail."""
        pair = candidate(server, **attributes)
        if checks.likeness(check, pair) is None:
            self.assertEqual([], list(check(pair)), 'alike says nothing')
        return list(check(pair))

    def assertSilent(
        self,
        check: checks.Check,
        server: model.Server | None = None,
        **attributes: Any,
    ) -> None:
        """The check finds nothing."""
        self.assertEqual([], self.found(check, server, **attributes))

    def assertFinds(
        self,
        severity: Severity,
        text: str,
        check: checks.Check,
        server: model.Server | None = None,
        **attributes: Any,
    ) -> checks.Draft:
        """The check finds this one thing; return it."""
        drafts = self.found(check, server, **attributes)
        self.assertEqual([severity], [draft.severity for draft in drafts])
        self.assertIn(text, drafts[0].message)
        return drafts[0]
