# SPDX-License-Identifier: Apache-2.0
"""Checks of server groups."""

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import groups as subject
from tests.unit.checks import base

MEMBER = frozenset({'member'})


def grouped(*names: str):
    """Return a server that is in groups."""
    return testing.server(
        groups=tuple(testing.identifier(f'group-{name}') for name in names)
    )


def group(policy: str, **hosts: str | None):
    """Return a group; the server itself is on compute-1."""
    members = {testing.identifier('server'): 'compute-1', **hosts}
    return testing.group('web', policy=policy, members=members)


class AntiAffinityTest(base.CheckTest):
    def test_a_server_without_a_group_is_silent(self):
        self.assertSilent(subject.anti_affinity)

    def test_a_free_host_takes_it(self):
        self.assertSilent(
            subject.anti_affinity,
            grouped('web'),
            groups=[group('anti-affinity', other='compute-3')],
        )

    def test_a_full_host_does_not(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'already has 1 of the anti-affinity group web (at most 1)',
            subject.anti_affinity,
            grouped('web'),
            groups=[group('anti-affinity', other='compute-2')],
        )
        self.assertEqual(['other'], draft.evidence['members'])

    def test_a_group_may_allow_more_of_them(self):
        for count, finds in ((1, []), (2, [Severity.ERROR])):
            members = {f'other-{i}': 'compute-2' for i in range(count)}
            web = testing.group('web', members=members, max_server_per_host=2)
            drafts = self.found(
                subject.anti_affinity, grouped('web'), groups=[web]
            )
            self.assertEqual(finds, [draft.severity for draft in drafts])

    def test_members_on_their_way_there_count(self):
        """The destination counts them too, and they will pass."""
        draft = self.assertFinds(
            Severity.ERROR,
            'move there or from there: other (running)',
            subject.anti_affinity,
            grouped('web'),
            groups=[group('anti-affinity', other='compute-3')],
            migrations=(testing.migration(1, server_id='other'),),
        )
        self.assertTrue(draft.is_transient)

    def test_an_unconfirmed_member_counts_until_somebody_confirms_it(self):
        left = testing.migration(
            1,
            server_id='other',
            status='finished',
            source_compute='compute-2',
            dest_compute='compute-3',
        )
        draft = self.assertFinds(
            Severity.ERROR,
            'other (finished)',
            subject.anti_affinity,
            grouped('web'),
            groups=[group('anti-affinity', other='compute-3')],
            migrations=(left,),
        )
        self.assertFalse(draft.is_transient)

    def test_migrations_of_others_do_not_count(self):
        web = group('anti-affinity', other='compute-3')
        for record in (
            testing.migration(1, server_id='other', status='completed'),
            testing.migration(1, server_id='stranger'),
            testing.migration(1),
            testing.migration(1, server_id='other', dest_compute='compute-4'),
        ):
            self.assertSilent(
                subject.anti_affinity,
                grouped('web'),
                groups=[web],
                migrations=(record,),
            )

    def test_members_that_the_caller_may_not_see_are_unknown(self):
        web = group('anti-affinity', other=None)
        self.assertSilent(subject.anti_affinity, grouped('web'), groups=[web])
        self.assertFinds(
            Severity.UNKNOWN,
            'whether members of the anti-affinity group web',
            subject.anti_affinity,
            grouped('web'),
            groups=[web],
            roles=MEMBER,
        )

    def test_other_policies_are_not_its_own(self):
        self.assertSilent(
            subject.anti_affinity,
            grouped('web'),
            groups=[group('affinity', other='compute-2')],
        )


class AffinityTest(base.CheckTest):
    def test_it_follows_its_group(self):
        self.assertSilent(
            subject.affinity,
            grouped('web'),
            groups=[group('affinity', other='compute-2')],
        )

    def test_a_group_that_is_together_stays(self):
        """Even one that has no other member."""
        for others in ({}, {'other': 'compute-1'}):
            self.assertFinds(
                Severity.ERROR,
                'no other member of the affinity group web is there',
                subject.affinity,
                grouped('web'),
                groups=[group('affinity', **others)],
            )

    def test_members_that_the_caller_may_not_see_are_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'whether members of the affinity group web',
            subject.affinity,
            grouped('web'),
            groups=[group('affinity', other=None)],
            roles=MEMBER,
        )

    def test_anything_else_is_silent(self):
        self.assertSilent(subject.affinity)
        self.assertSilent(
            subject.affinity, grouped('web'), groups=[group('anti-affinity')]
        )


class MembershipTest(base.CheckTest):
    def test_a_soft_policy_is_worth_knowing(self):
        for policy in ('soft-affinity', 'soft-anti-affinity'):
            self.assertFinds(
                Severity.INFO,
                f'is in the group web ({policy})',
                subject.membership,
                grouped('web'),
                groups=[group(policy)],
            )

    def test_a_hard_one_is_spoken_of_elsewhere(self):
        self.assertSilent(
            subject.membership, grouped('web'), groups=[group('affinity')]
        )
        self.assertSilent(subject.membership)

    def test_groups_that_nobody_tells_are_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'whether a server group holds it',
            subject.membership,
            testing.server(groups=None),
        )
