# SPDX-License-Identifier: Apache-2.0
"""Plans: which server, how, where to, in which order, and who must stay."""

import dataclasses

from oslotest import base

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import scrutiny
from osc_migrate import testing

LIVE, COLD = model.MigrationType.LIVE, model.MigrationType.COLD


def host(name: str, memory_mb: int = 65536, **attributes: object):
    """Return a host with so much memory and plenty of all else."""
    tree = testing.provider(
        name,
        resources={
            'VCPU': testing.room(1000),
            'MEMORY_MB': testing.room(memory_mb),
            'DISK_GB': testing.room(100000),
        },
    )
    return testing.host(name, **{'providers': (tree,), **attributes})


def server(name: str, ram: int = 512, **attributes: object):
    """Return a server on compute-1 with so much memory."""
    return testing.server(
        name, **{'flavor': testing.flavor(ram=ram), **attributes}
    )


def cloud(
    servers: list[model.Server],
    *room: int,
    groups: list[model.ServerGroup] | None = None,
) -> model.Snapshot:
    """Return a cloud whose hosts compute-2 ... have so much memory."""
    others = [host(f'compute-{n}', mb) for n, mb in enumerate(room, 2)]
    return testing.snapshot(
        servers, [host('compute-1'), *others], groups or ()
    )


HOSTS = ('compute-1', 'compute-2')


class PlannerTest(base.BaseTestCase):
    def moves(
        self,
        snapshot: model.Snapshot,
        host: scrutiny.Names = 'compute-1',
        **how: object,
    ) -> list[tuple[str, str | None, str]]:
        """Return name, destination and way of each move of a plan."""
        self.plan = planner.plan(snapshot, host, **how)
        return [
            (
                snapshot.servers[move.server_id].name,
                move.destination,
                str(move.migration_type),
            )
            for move in self.plan.moves
        ]

    def stranded(self) -> dict[str, list[str]]:
        """Return the ids of what holds each server of the last plan."""
        return {
            stays.name: [finding.check for finding in findings]
            for stays, findings in self.plan.stranded.items()
        }


class PlanTest(PlannerTest):
    def test_an_empty_host_needs_no_moves(self):
        self.assertEqual([], self.moves(cloud([], 1024)))
        self.assertEqual({}, self.stranded())

    def test_a_server_goes_where_most_is_left(self):
        self.assertEqual(
            [('a', 'compute-3', 'live')],
            self.moves(cloud([server('a')], 1024, 2048, 1536)),
        )

    def test_the_scarcest_resource_decides(self):
        """Half of the memory weighs more than a tenth of the disk."""
        snapshot = testing.snapshot(
            [server('a')],
            [
                host('compute-1'),
                testing.host(
                    'compute-2',
                    providers=(
                        testing.provider(
                            resources={
                                'VCPU': testing.room(4, 2),
                                'MEMORY_MB': testing.room(1 << 20),
                                'DISK_GB': testing.room(1000),
                            }
                        ),
                    ),
                ),
                host('compute-3', 2048),
            ],
        )
        self.assertEqual([('a', 'compute-3', 'live')], self.moves(snapshot))

    def test_room_that_nobody_tells_weighs_nothing(self):
        """Such a host is better than one without any left, not forbidden."""
        hidden = host('compute-2', providers=None)
        snapshot = testing.snapshot(
            [server('a'), server('b')],
            [host('compute-1'), hidden, host('compute-3', 512)],
        )
        self.assertEqual(
            [('a', 'compute-3', 'live'), ('b', 'compute-2', 'live')],
            self.moves(snapshot),
        )

    def test_moves_take_the_room_of_later_ones(self):
        servers = [server(name) for name in 'abc']
        self.assertEqual(
            [
                ('a', 'compute-2', 'live'),
                ('b', 'compute-3', 'live'),
            ],
            self.moves(cloud(servers, 700, 600)),
        )
        self.assertEqual(
            {'c': ['destination-room'] * 2},
            {name: found[:2] for name, found in self.stranded().items()},
        )

    def test_the_largest_goes_first(self):
        """Or the small ones would take the only place for it."""
        servers = [server('a', 600), server('b', 600), server('c', 1000)]
        self.assertEqual(
            [
                ('c', 'compute-2', 'live'),
                ('a', 'compute-3', 'live'),
                ('b', 'compute-3', 'live'),
            ],
            self.moves(cloud(servers, 1300, 1200)),
        )

    def test_the_largest_cell_goes_before_all(self):
        """What must lie in one cell of a host fits into the fewest places."""

        def with_cells(name, *sizes):
            cells = tuple(
                model.NumaCell(
                    vcpus=frozenset({number}),
                    memory_mb=size,
                    host_node=number,
                    cpu_pinning={},
                )
                for number, size in enumerate(sizes)
            )
            return dataclasses.replace(
                server(name, sum(sizes)),
                topology=model.Topology(cells=cells, pagesize_kb=None),
            )

        servers = [
            server('a', 1000),
            with_cells('b', 300, 300),
            with_cells('c', 400),
        ]
        for order, names in (
            ('largest', 'cba'),
            ('smallest', 'cba'),
            ('name', 'abc'),
        ):
            moves = self.moves(cloud(servers, 4096), order=order)
            self.assertEqual(names, ''.join(name for name, _, _ in moves))

    def test_or_in_another_order(self):
        servers = [server('b', 600), server('a', 1000), server('c', 800)]
        for order, names in (
            ('largest', 'acb'),
            ('smallest', 'bca'),
            ('name', 'abc'),
        ):
            moves = self.moves(cloud(servers, 4096), order=order)
            self.assertEqual(names, ''.join(name for name, _, _ in moves))

    def test_an_order_that_is_none(self):
        error = self.assertRaises(
            exceptions.InvalidInput, planner.plan, cloud([]), order='random'
        )
        self.assertIn("'random' is none of largest", str(error))

    def test_hosts_that_are_emptied_take_nothing_in(self):
        away = server('b', host='compute-2')
        snapshot = cloud([server('a'), away], 4096, 1200)
        self.assertEqual(
            [('a', 'compute-3', 'live'), ('b', 'compute-3', 'live')],
            self.moves(snapshot, ['compute-1', 'compute-2']),
        )

    def test_what_is_emptied_too_is_no_destination(self):
        """The report says so as the plan does."""
        servers = [server('a'), server('b', host='compute-2')]
        self.moves(cloud(servers, 4096, 4096), ['compute-1', 'compute-2'])
        self.assertEqual(('compute-3',), self.plan.report.destinations)
        self.assertEqual([], self.moves(cloud(servers, 4096), HOSTS))
        (found,) = self.plan.stranded[servers[0]]
        self.assertIn('is to be emptied, too', found.message)
        self.assertEqual(
            [('a', 'compute-2', 'live')],
            self.moves(cloud(servers, 4096), HOSTS, to='compute-2'),
        )
        (found,) = self.plan.stranded[servers[1]]
        self.assertIn('may only go to compute-2', found.message)

    def test_all_servers_may_be_asked_about(self):
        snapshot = cloud([server('a'), server('b', host='compute-2')], 4096)
        self.assertEqual(2, len(self.moves(snapshot, ())))

    def test_destinations_may_be_restricted(self):
        snapshot = cloud([server('a')], 4096, 1024)
        self.assertEqual(
            [('a', 'compute-3', 'live')], self.moves(snapshot, to='compute-3')
        )

    def test_a_good_destination_before_a_doubtful_one(self):
        snapshot = testing.snapshot(
            [server('a')],
            [
                host('compute-1'),
                host(
                    'compute-2',
                    cpu_info=testing.cpu_info(features=frozenset()),
                ),
                host('compute-3', 1024),
            ],
        )
        self.assertEqual([('a', 'compute-3', 'live')], self.moves(snapshot))
        self.assertEqual(
            [('a', 'compute-2', 'live')], self.moves(snapshot, to='compute-2')
        )


class WayTest(PlannerTest):
    STOPPED = server('off', status='SHUTOFF', vm_state='stopped')
    # a live migration is refused, a cold one is not
    SEALED = server(
        'sealed', flavor=testing.flavor(extra_specs={'hw:mem_encryption': '1'})
    )

    def sealed(self) -> model.Snapshot:
        tree = testing.provider(
            'compute-2',
            resources={
                **testing.provider().resources,
                'MEM_ENCRYPTION_CONTEXT': testing.room(9),
            },
            traits=frozenset({'HW_CPU_X86_AMD_SEV'}),
        )
        return testing.snapshot(
            [self.SEALED],
            [host('compute-1'), testing.host('compute-2', providers=(tree,))],
        )

    def test_a_stopped_server_moves_cold(self):
        self.assertEqual(
            [('off', 'compute-2', 'cold')],
            self.moves(cloud([self.STOPPED], 1024)),
        )

    def test_a_running_one_is_not_powered_off_unasked(self):
        self.assertEqual([], self.moves(self.sealed()))
        self.assertEqual(
            {'sealed': ['memory-encryption', 'server-downtime']},
            self.stranded(),
        )
        [findings] = self.plan.stranded.values()
        self.assertEqual('say --allow-cold', findings[-1].remedy)

    def test_it_is_if_that_is_allowed_or_asked_for(self):
        expected = [('sealed', 'compute-2', 'cold')]
        self.assertEqual(expected, self.moves(self.sealed(), allow_cold=True))
        self.assertEqual(expected, self.moves(self.sealed(), method='cold'))


class StrandedTest(PlannerTest):
    def test_what_forbids_a_server_explains_it(self):
        broken = server('a', status='ERROR', vm_state='error', power_state=4)
        self.assertEqual([], self.moves(cloud([broken], 4096)))
        self.assertEqual(
            {'a': ['server-error'] * 1},
            {
                name: sorted(set(found))
                for name, found in self.stranded().items()
            },
        )

    def test_what_forbids_every_host_explains_it(self):
        self.moves(cloud([server('a', 4096)], 1024, 2048))
        [findings] = self.plan.stranded.values()
        self.assertEqual(
            {
                ('compute-2', 'needs 4096 MB of MEMORY_MB, 1024 MB is free'),
                ('compute-3', 'needs 4096 MB of MEMORY_MB, 2048 MB is free'),
            },
            {(f.destination, f.message) for f in findings},
        )

    def test_a_cloud_of_one_host_is_said_to_be_one(self):
        self.moves(cloud([server('a')]))
        self.assertEqual({'a': ['destination-none']}, self.stranded())

    def test_where_hosts_are_unknown_nova_chooses(self):
        snapshot = testing.snapshot([server('a')], [])
        self.assertEqual([('a', None, 'live')], self.moves(snapshot, ()))

    def test_an_ignored_error_strands_nobody(self):
        snapshot = cloud([server('a', 4096)], 1024)
        self.assertEqual(
            [('a', 'compute-2', 'live')],
            self.moves(snapshot, ignore='destination-room'),
        )

    def test_checks_of_others_bind_the_plan(self):
        def not_there(candidate: checks.Candidate):
            if candidate.destination.name == 'compute-2':
                yield checks.error('not there')

        self.assertEqual(
            [('a', 'compute-3', 'live')],
            self.moves(cloud([server('a')], 4096, 1024), checks=[not_there]),
        )


class LastingTest(PlannerTest):
    def test_what_is_busy_does_not_last(self) -> None:
        """Nor does a paused server that migrates, though never cold."""
        plan = planner.plan(
            cloud(
                [
                    server('active', task_state='rebooting'),
                    server(
                        'paused',
                        status='MIGRATING',
                        vm_state='paused',
                        task_state='migrating',
                    ),
                ],
                65536,
            ),
            'compute-1',
        )
        self.assertEqual(2, len(plan.stranded))
        self.assertEqual([], planner.lasting(plan))
        self.assertTrue(planner.is_waiting(plan))

    def test_what_cannot_move_lasts(self) -> None:
        """It would be left behind."""
        plan = planner.plan(
            cloud(
                [
                    server('busy', task_state='rebooting'),
                    server('asleep', status='SUSPENDED', vm_state='suspended'),
                ],
                65536,
            ),
            'compute-1',
        )
        (lasting,) = planner.lasting(plan)
        self.assertEqual('asleep', lasting.name)
        self.assertTrue(planner.is_waiting(plan))


class GroupTest(PlannerTest):
    def grouped(self, *room: int, policy: str, **hosts: str):
        """Return a cloud whose servers on these hosts are one group."""
        group = testing.group('web', policy=policy)
        servers = [
            server(name, host=place.replace('_', '-'), groups=(group.id,))
            for name, place in hosts.items()
        ]
        members = {member.id: member.host for member in servers}
        web = testing.group('web', policy=policy, members=members)
        return cloud(servers, *room, groups=[web])

    def test_anti_affinity_keeps_members_apart(self):
        """Those that move, and those that are there already."""
        snapshot = self.grouped(
            9000,
            5000,
            4000,
            policy='anti-affinity',
            a='compute_1',
            b='compute_1',
            c='compute_2',
        )
        self.assertEqual(
            [('a', 'compute-3', 'live'), ('b', 'compute-4', 'live')],
            self.moves(snapshot),
        )
        group = testing.identifier('group-web')
        self.assertEqual({frozenset({group})}, set(self.plan.apart.values()))

    def test_a_member_too_many_stays(self):
        snapshot = self.grouped(
            9000,
            policy='anti-affinity',
            a='compute_1',
            b='compute_1',
        )
        self.assertEqual([('a', 'compute-2', 'live')], self.moves(snapshot))
        self.assertIn('group-anti-affinity', self.stranded()['b'])

    def test_affinity_follows_the_group_or_stays(self):
        snapshot = self.grouped(
            9000, 5000, policy='affinity', a='compute_1', b='compute_3'
        )
        self.assertEqual([('a', 'compute-3', 'live')], self.moves(snapshot))
        together = self.grouped(
            9000, policy='affinity', a='compute_1', b='compute_1'
        )
        self.assertEqual([], self.moves(together))
        self.assertEqual({'a', 'b'}, set(self.stranded()))


class WhyTest(base.BaseTestCase):
    def why(self, *found: tuple[str, str, str | None]) -> tuple[str, str]:
        """Explain errors of a check, with a message, at a destination."""
        return planner.why(
            checks.Finding(
                check=check,
                severity=checks.Severity.ERROR,
                message=message,
                remedy=f'repair {check}',
                evidence={},
                is_transient=False,
                server='s',
                destination=destination,
                migration_type=model.MigrationType.LIVE,
            )
            for check, message, destination in found
        )

    def test_one_line_however_many_destinations(self):
        """The check, what it says of the first two, and how many more."""
        self.assertEqual(
            (
                'a: is full; b: is full and 2 more [host-room]',
                'repair host-room',
            ),
            self.why(*[('host-room', 'is full', name) for name in 'abcd']),
        )

    def test_what_was_broken_before_is_not_ours(self):
        """It is said, as nobody of the drain may mend it."""
        reason, _ = self.why(('server-error', 'is in ERROR', None))
        self.assertEqual(
            'not ours, it was so before: is in ERROR [server-error]', reason
        )

    def test_nothing(self):
        """No error, no reason."""
        self.assertEqual(('', ''), self.why())
