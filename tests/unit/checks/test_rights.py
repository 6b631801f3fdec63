# SPDX-License-Identifier: Apache-2.0
"""Checks of what the caller may do."""

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import rights
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE

MANAGER = frozenset({'manager', 'member', 'reader'})
MEMBER = frozenset({'member', 'reader'})


class PolicyTest(base.CheckTest):
    def test_an_administrator_may_everything(self):
        for way in (LIVE, COLD, EVACUATE):
            self.assertSilent(rights.policy, way=way)

    def test_a_manager_may_move_but_not_choose(self):
        for way in (LIVE, COLD):
            self.assertFinds(
                Severity.WARNING,
                'Nova chooses the destination',
                rights.policy,
                way=way,
                roles=MANAGER,
            )

    def test_a_manager_may_not_evacuate(self):
        self.assertFinds(
            Severity.ERROR,
            'needs the role admin, the caller has manager, member',
            rights.policy,
            way=EVACUATE,
            roles=MANAGER,
        )

    def test_a_member_may_nothing(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'needs the role manager or admin',
            rights.policy,
            roles=MEMBER,
        )
        self.assertEqual({'roles': ['member', 'reader']}, draft.evidence)

    def test_roles_that_nobody_tells_are_not_judged(self):
        """Nova will say; to say it of every server would be noise."""
        self.assertSilent(rights.policy, roles=frozenset())


class LockTest(base.CheckTest):
    LOCKED = testing.server(locked=True, locked_reason='hands off')

    def test_an_open_server_is_silent(self):
        self.assertSilent(rights.lock, roles=MEMBER)

    def test_an_administrator_passes_the_lock(self):
        self.assertFinds(
            Severity.INFO, 'is locked (hands off)', rights.lock, self.LOCKED
        )

    def test_nobody_else_does(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'is locked, and the caller is no administrator',
            rights.lock,
            testing.server(locked=True),
            roles=MANAGER,
        )
        self.assertEqual('openstack server unlock {server}', draft.remedy)

    def test_without_roles_it_is_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'roles of the caller are unknown',
            rights.lock,
            self.LOCKED,
            roles=frozenset(),
        )

    def test_an_evacuation_does_not_ask(self):
        self.assertSilent(
            rights.lock, self.LOCKED, way=EVACUATE, roles=MANAGER
        )
