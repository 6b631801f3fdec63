# SPDX-License-Identifier: Apache-2.0
"""Checks of what else the scheduler may ask, and of allocations."""

from osc_migrate import checks
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import scheduler as subject
from tests.unit.checks import base

PROJECT = testing.identifier('project')
NODE = testing.identifier('compute-1')


def of_flavor(specs: dict[str, str] | None):
    """Return a server whose flavor has extra specs."""
    return testing.server(flavor=testing.flavor(extra_specs=specs))


class HintsTest(base.CheckTest):
    def test_hints_that_every_nova_reads_are_silent(self):
        self.assertSilent(subject.hints)
        for hints in (
            None,
            {'group': 'web'},
            {'_nova_check_type': ['rebuild']},
        ):
            server = testing.server(scheduler_hints=hints)
            self.assertSilent(subject.hints, server)

    def test_hints_of_filters_are_unknown(self):
        hints = {'group': 'web', 'different_host': ['a'], 'query': '[]'}
        draft = self.assertFinds(
            Severity.UNKNOWN,
            'the scheduler hints different_host, query;',
            subject.hints,
            testing.server(scheduler_hints=hints),
        )
        self.assertEqual(
            {'different_host': ['a'], 'query': '[]'}, draft.evidence['hints']
        )


class CapabilitiesTest(base.CheckTest):
    def test_other_extra_specs_are_silent(self):
        self.assertSilent(subject.capabilities, of_flavor(None))
        self.assertSilent(
            subject.capabilities, of_flavor({'hw:cpu_policy': 'shared'})
        )

    def test_what_only_nova_sees_is_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'for capabilities:cpu_info:arch=x86_64, hw:maxphysaddr_bits=46;',
            subject.capabilities,
            of_flavor(
                {
                    'capabilities:cpu_info:arch': 'x86_64',
                    'hw:maxphysaddr_bits': '46',
                }
            ),
        )


class AggregateTest(base.CheckTest):
    def kept(self, **metadata: str):
        """Return the aggregates of a cloud in which one has metadata."""
        return (
            model.Aggregate(
                name='special',
                uuid=None,
                hosts=frozenset({'compute-2'}),
                metadata={
                    key.replace('__', ':'): value
                    for key, value in metadata.items()
                },
            ),
        )

    def test_an_aggregate_for_everybody_is_silent(self):
        self.assertSilent(subject.aggregate)
        self.assertSilent(subject.aggregate, aggregates=None)
        self.assertSilent(
            subject.aggregate,
            aggregates=self.kept(
                availability_zone='az1', ssd='required', trait__CUSTOM_X='no'
            ),
        )

    def test_one_for_its_project_is_silent(self):
        self.assertSilent(
            subject.aggregate,
            aggregates=self.kept(filter_tenant_id=f'other, {PROJECT}'),
        )
        self.assertSilent(
            subject.aggregate,
            aggregates=self.kept(filter_tenant_id2=PROJECT),
        )

    def test_one_for_other_projects_is_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'the aggregate special, which is kept for the projects other',
            subject.aggregate,
            aggregates=self.kept(filter_tenant_id='other'),
        )

    def test_one_for_a_trait_depends_on_the_trait(self):
        gold = self.kept(trait__CUSTOM_GOLD='required')
        self.assertSilent(
            subject.aggregate,
            of_flavor({'trait:CUSTOM_GOLD': 'required'}),
            aggregates=gold,
        )
        self.assertFinds(
            Severity.UNKNOWN,
            'kept for servers that require the trait CUSTOM_GOLD',
            subject.aggregate,
            aggregates=gold,
        )

    def test_a_flavor_may_ask_for_metadata(self):
        server = of_flavor({'aggregate_instance_extra_specs:ssd': 'true'})
        self.assertSilent(
            subject.aggregate, server, aggregates=self.kept(ssd='true,yes')
        )
        for aggregates in ((), None, self.kept(ssd='false')):
            draft = self.assertFinds(
                Severity.UNKNOWN,
                'is in no aggregate with ssd=true',
                subject.aggregate,
                server,
                aggregates=aggregates,
            )
            self.assertEqual('ssd', draft.evidence['metadata'])

    def test_what_a_flavor_asks_for_makes_servers_unlike(self):
        specs = (
            {'aggregate_instance_extra_specs:ssd': 'true'},
            {'aggregate_instance_extra_specs:ssd': 'false'},
            {'hw:cpu_policy': 'shared'},
            {'hw:cpu_policy': 'mixed'},
            None,
        )
        keys = {
            checks.likeness(subject.aggregate, base.candidate(of_flavor(spec)))
            for spec in specs
        }
        self.assertEqual(3, len(keys))

    def test_what_only_the_filter_can_read_is_not_judged(self):
        server = of_flavor(
            {'aggregate_instance_extra_specs:ssd': '<or> true <or> yes'}
        )
        self.assertSilent(subject.aggregate, server)


class DriftTest(base.CheckTest):
    def held(self, flavor: model.Flavor | None = None, **amounts: int):
        """Return a server that holds this of its host."""
        return testing.server(
            flavor=flavor or testing.flavor(), allocations={NODE: amounts}
        )

    def test_what_a_move_asks_for_is_silent(self):
        server = self.held(VCPU=1, MEMORY_MB=512, DISK_GB=1)
        self.assertSilent(subject.drift, server)

    def test_disks_are_not_compared(self):
        """Old servers that boot from volumes hold their flavor's disk."""
        server = self.held(VCPU=1, MEMORY_MB=512, DISK_GB=40)
        self.assertSilent(subject.drift, server)

    def test_a_difference_is_worth_knowing(self):
        draft = self.assertFinds(
            Severity.INFO,
            'holds 256 of MEMORY_MB (a move asks for 512) in Placement',
            subject.drift,
            self.held(VCPU=1, MEMORY_MB=256),
        )
        self.assertEqual(256, draft.evidence['held']['MEMORY_MB'])

    def test_the_pieces_of_a_tree_are_added_up(self):
        server = testing.server(
            allocations={
                NODE: {'VCPU': 1, 'MEMORY_MB': 256},
                'child': {'MEMORY_MB': 256},
            }
        )
        self.assertSilent(subject.drift, server)

    def test_nothing_at_all_is_a_warning(self):
        draft = self.assertFinds(
            Severity.WARNING,
            'has no allocation',
            subject.drift,
            testing.server(allocations={}),
        )
        self.assertIn('heal_allocations', draft.remedy)

    def test_dedicated_cpus_may_be_held_as_vcpu(self):
        pinned = testing.flavor(extra_specs={'hw:cpu_policy': 'dedicated'})
        for amounts in ({'VCPU': 1}, {'PCPU': 1}):
            server = self.held(pinned, MEMORY_MB=512, **amounts)
            self.assertSilent(subject.drift, server)

    def test_a_server_that_cannot_move_is_not_compared(self):
        server = testing.server(vm_state='resized', allocations={})
        self.assertSilent(subject.drift, server)

    def test_allocations_that_nobody_tells_are_not_compared(self):
        self.assertSilent(subject.drift, testing.server(allocations=None))
