# SPDX-License-Identifier: Apache-2.0
"""Checks of the destination's service, room, traits and zone."""

from osc_migrate import model
from osc_migrate import resources
from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import destination as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD

PINNED = testing.flavor(vcpus=4, extra_specs={'hw:cpu_policy': 'dedicated'})


def there(**attributes: object):
    """Return the destination with attributes."""
    return testing.host('compute-2', **attributes)


def tree(*children: model.ResourceProvider, **attributes: object):
    """Return the destination with a tree of providers."""
    root = testing.provider('compute-2', **attributes)
    return there(providers=(root, *children))


def of_flavor(**extra_specs: str):
    """Return a server whose flavor has extra specs, ``_`` for ``:``."""
    specs = {key.replace('__', ':'): v for key, v in extra_specs.items()}
    return testing.server(flavor=testing.flavor(extra_specs=specs))


class ServiceTest(base.CheckTest):
    def test_a_service_that_is_up_and_enabled_is_silent(self):
        self.assertSilent(subject.service)
        self.assertSilent(subject.service, destination=there(providers=()))
        self.assertSilent(subject.service, destination=there(providers=None))

    def test_a_dead_one_is_refused(self):
        for dead in (there(state='down'), there(forced_down=True)):
            self.assertFinds(
                Severity.ERROR,
                'service is down',
                subject.service,
                destination=dead,
            )

    def test_a_disabled_one_is_refused_with_the_reason(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'service is disabled (bad DIMM)',
            subject.service,
            destination=there(status='disabled', disabled_reason='bad DIMM'),
        )
        self.assertIn('--enable {destination}', draft.remedy)
        self.assertFinds(
            Severity.ERROR,
            'service is disabled',
            subject.service,
            destination=there(status='disabled'),
        )

    def test_placement_may_not_have_heard_that_it_is_enabled(self):
        disabled = frozenset({'COMPUTE_STATUS_DISABLED'})
        self.assertFinds(
            Severity.ERROR,
            'Placement still has it as disabled',
            subject.service,
            destination=tree(traits=disabled),
        )
        self.assertSilent(subject.traits, destination=tree(traits=disabled))


class RoomTest(base.CheckTest):
    def test_enough_room_is_silent(self):
        self.assertSilent(subject.room)
        self.assertSilent(subject.room, way=COLD)

    def test_the_last_of_it_is_enough(self):
        exact = {
            'VCPU': testing.room(64, 63),
            'MEMORY_MB': testing.room(1024, 512),
            'DISK_GB': testing.room(10, 9),
        }
        self.assertSilent(subject.room, destination=tree(resources=exact))

    def test_too_little_is_said_with_both_numbers(self):
        short = {
            'VCPU': testing.room(64),
            'MEMORY_MB': testing.room(1024, 513),
            'DISK_GB': testing.room(10),
        }
        draft = self.assertFinds(
            Severity.ERROR,
            'needs 512 MB of MEMORY_MB, 511 MB is free',
            subject.room,
            destination=tree(resources=short),
        )
        self.assertEqual(512, draft.evidence['needed'])
        self.assertEqual(511, draft.evidence['free'])

    def test_every_class_that_falls_short_is_named(self):
        drafts = self.found(subject.room, destination=there(providers=()))
        self.assertEqual(
            ['VCPU', 'MEMORY_MB', 'DISK_GB'],
            [draft.evidence['resource_class'] for draft in drafts],
        )

    def test_one_server_may_not_exceed_the_host(self):
        """The capacity is multiplied by the ratio, max_unit is not."""
        limited = {
            'VCPU': testing.room(64, max_unit=2),
            'MEMORY_MB': testing.room(65536),
            'DISK_GB': testing.room(10),
        }
        self.assertFinds(
            Severity.ERROR,
            'needs 4 of VCPU, one server may have at most 2',
            subject.room,
            testing.server(flavor=testing.flavor(vcpus=4)),
            destination=tree(resources=limited),
        )
        limited['VCPU'] = testing.room(64, 63, max_unit=4)
        self.assertFinds(
            Severity.ERROR,
            'needs 4 of VCPU, 1 is free',
            subject.room,
            testing.server(flavor=testing.flavor(vcpus=4)),
            destination=tree(resources=limited),
        )

    def test_two_halves_are_not_a_whole(self):
        """One class of a request comes from one provider."""
        gpus = [
            testing.provider(
                name, parent_id='root', resources={'VGPU': testing.room(1)}
            )
            for name in ('gpu-1', 'gpu-2')
        ]
        for wanted, finds in (('1', 0), ('2', 1)):
            server = of_flavor(resources__VGPU=wanted)
            drafts = self.found(subject.room, server, destination=tree(*gpus))
            self.assertEqual(finds, len(drafts))

    def test_room_that_nobody_tells_is_unknown(self):
        draft = self.assertFinds(
            Severity.UNKNOWN,
            'room is unknown',
            subject.room,
            destination=there(providers=None),
        )
        self.assertIn('admin', draft.remedy)

    def test_a_port_takes_its_bandwidth_from_one_provider(self):
        asked = {
            'resources': {'NET_BW_EGR_KILOBIT_PER_SEC': 1000},
            'required': ['CUSTOM_PHYSNET_1'],
        }
        port = testing.port(id='port-1', resource_request=asked)
        server = testing.server(ports=(port,))
        for traits, capacity, finds in (
            ({'CUSTOM_PHYSNET_1'}, 1000, []),
            ({'CUSTOM_PHYSNET_1'}, 999, ['999 is free at one provider']),
            ({'CUSTOM_PHYSNET_2'}, 1000, ['0 is free at one provider']),
        ):
            bridge = testing.provider(
                'bridge',
                parent_id='root',
                traits=frozenset(traits),
                resources={
                    'NET_BW_EGR_KILOBIT_PER_SEC': testing.room(capacity)
                },
            )
            drafts = self.found(subject.room, server, destination=tree(bridge))
            self.assertEqual(len(finds), len(drafts))
            for text, draft in zip(finds, drafts, strict=True):
                self.assertIn(text, draft.message)
                self.assertIn('(request group port-1)', draft.message)


class FallbackTest(base.CheckTest):
    """Dedicated CPUs may come from a host that offers VCPU only."""

    SERVER = testing.server(flavor=PINNED)

    def test_a_host_with_dedicated_cpus_is_silent(self):
        cpus = {
            'PCPU': testing.room(4),
            'MEMORY_MB': testing.room(1024),
            'DISK_GB': testing.room(10),
        }
        self.assertSilent(
            subject.room, self.SERVER, destination=tree(resources=cpus)
        )

    def test_a_host_whose_dedicated_cpus_are_taken_is_refused(self):
        cpus = {
            'PCPU': testing.room(4, 1),
            'VCPU': testing.room(64),
            'MEMORY_MB': testing.room(1024),
            'DISK_GB': testing.room(10),
        }
        self.assertFinds(
            Severity.ERROR,
            'needs 4 of PCPU, 3 is free',
            subject.room,
            self.SERVER,
            destination=tree(resources=cpus),
        )

    def test_a_host_with_none_at_all_depends_on_its_nova_conf(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'offers VCPU and no PCPU',
            subject.room,
            self.SERVER,
        )

    def test_it_must_have_the_vcpus(self):
        few = {
            'VCPU': testing.room(3),
            'MEMORY_MB': testing.room(1024),
            'DISK_GB': testing.room(10),
        }
        self.assertFinds(
            Severity.ERROR,
            'needs 4 of VCPU, 3 is free',
            subject.room,
            self.SERVER,
            destination=tree(resources=few),
        )


class OfferedTest(base.CheckTest):
    """What Placement says is believed where it seems to fit."""

    KEY = resources.query(testing.server().request)

    def test_a_host_that_is_offered_is_silent(self):
        self.assertSilent(
            subject.room, candidates={self.KEY: frozenset({'compute-2'})}
        )

    def test_a_request_that_was_not_asked_says_nothing(self):
        self.assertSilent(subject.room, candidates={'other': frozenset()})

    def test_one_that_is_not_offered_is_refused(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'Placement does not offer it',
            subject.room,
            candidates={self.KEY: frozenset({'compute-3'})},
        )
        self.assertEqual(self.KEY, draft.evidence['request'])

    def test_a_disabled_host_is_left_to_its_check(self):
        self.assertSilent(
            subject.room,
            destination=tree(traits=frozenset({'COMPUTE_STATUS_DISABLED'})),
            candidates={self.KEY: frozenset()},
        )

    def test_traits_that_explain_it_are_left_to_their_check(self):
        gold = of_flavor(trait__CUSTOM_GOLD='required')
        slow = of_flavor(trait__CUSTOM_SLOW='forbidden')
        for server, traits in (
            (gold, frozenset()),
            (slow, frozenset({'CUSTOM_SLOW'})),
        ):
            self.assertSilent(
                subject.room,
                server,
                destination=tree(traits=traits),
                candidates={resources.query(server.request): frozenset()},
            )


class TraitsTest(base.CheckTest):
    GOLD = of_flavor(trait__CUSTOM_GOLD='required')

    def test_what_is_asked_for_and_there_is_silent(self):
        self.assertSilent(subject.traits)
        gold = frozenset({'CUSTOM_GOLD'})
        self.assertSilent(
            subject.traits, self.GOLD, destination=tree(traits=gold)
        )
        child = testing.provider('child', parent_id='root', traits=gold)
        self.assertSilent(subject.traits, self.GOLD, destination=tree(child))

    def test_what_is_missing_is_named(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'lacks the traits CUSTOM_GOLD',
            subject.traits,
            self.GOLD,
        )
        self.assertEqual({'missing': ['CUSTOM_GOLD']}, draft.evidence)
        self.assertIn(testing.identifier('compute-2'), draft.remedy)

    def test_some_traits_must_be_on_the_root(self):
        server = of_flavor(hw__virtio_packed_ring='true')
        packed = frozenset({'COMPUTE_NET_VIRTIO_PACKED'})
        child = testing.provider('child', parent_id='root', traits=packed)
        self.assertSilent(
            subject.traits, server, destination=tree(traits=packed)
        )
        self.assertFinds(
            Severity.ERROR,
            'COMPUTE_NET_VIRTIO_PACKED',
            subject.traits,
            server,
            destination=tree(child),
        )

    def test_what_is_forbidden_is_named(self):
        slow = of_flavor(trait__CUSTOM_SLOW='forbidden')
        self.assertSilent(subject.traits, slow)
        self.assertFinds(
            Severity.ERROR,
            'has the traits CUSTOM_SLOW, which the server forbids',
            subject.traits,
            slow,
            destination=tree(traits=frozenset({'CUSTOM_SLOW'})),
        )

    def test_the_fallback_asks_for_no_thread_policy(self):
        specs = {
            'hw:cpu_policy': 'dedicated',
            'hw:cpu_thread_policy': 'isolate',
        }
        server = testing.server(flavor=testing.flavor(extra_specs=specs))
        threads = frozenset({'HW_CPU_HYPERTHREADING'})
        self.assertSilent(
            subject.traits, server, destination=tree(traits=threads)
        )
        cpus = {'PCPU': testing.room(4)}
        self.assertFinds(
            Severity.ERROR,
            'HW_CPU_HYPERTHREADING',
            subject.traits,
            server,
            destination=tree(traits=threads, resources=cpus),
        )

    def test_a_host_that_nobody_tells_of_is_left_to_its_room(self):
        for providers in (None, ()):
            self.assertSilent(
                subject.traits,
                self.GOLD,
                destination=there(providers=providers),
            )


class ZoneTest(base.CheckTest):
    AGGREGATE = model.Aggregate(
        name='rack',
        uuid=None,
        hosts=frozenset({'compute-1'}),
        metadata={'availability_zone': 'az1'},
    )
    PINNED = testing.server(
        pinned_availability_zone='az1', availability_zone='az1'
    )

    def test_a_server_that_is_pinned_nowhere_goes_anywhere(self):
        self.assertSilent(subject.zone, destination=there(zone='az2'))

    def test_a_pinned_one_stays_in_its_zone(self):
        self.assertSilent(
            subject.zone, self.PINNED, destination=there(zone='az1')
        )
        for aggregates in ((self.AGGREGATE,), None):
            self.assertFinds(
                Severity.ERROR,
                'is in the availability zone az2, the server is pinned to az1',
                subject.zone,
                self.PINNED,
                destination=there(zone='az2'),
                aggregates=aggregates,
            )

    def test_a_zone_without_an_aggregate_binds_nothing(self):
        """Such is the default zone."""
        self.assertSilent(
            subject.zone,
            testing.server(pinned_availability_zone='nova'),
            destination=there(zone='az2'),
            aggregates=(self.AGGREGATE,),
        )

    def test_before_2_96_it_is_unknown(self):
        server = testing.server(pinned_availability_zone=None)
        self.assertSilent(subject.zone, server)
        self.assertFinds(
            Severity.UNKNOWN,
            'known from microversion 2.96 on',
            subject.zone,
            server,
            destination=there(zone='az2'),
        )
