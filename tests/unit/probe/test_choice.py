# SPDX-License-Identifier: Apache-2.0
"""Which hosts are worth a login."""

from oslotest import base

from osc_migrate import probe
from osc_migrate import testing
from osc_migrate import verdict

PINNED = testing.flavor(vcpus=2, extra_specs={'hw:cpu_policy': 'dedicated'})


def dedicating(name: str, free: int = 8):
    """Return a host that dedicates CPUs."""
    resources = {
        'PCPU': testing.room(8, 8 - free),
        'VCPU': testing.room(8),
        'MEMORY_MB': testing.room(65536),
        'DISK_GB': testing.room(1000),
    }
    providers = (testing.provider(name, resources=resources),)
    return testing.host(name, providers=providers)


def concerned(*servers, hosts=(), **attributes):
    """Return the hosts that a probe would help to judge."""
    snapshot = testing.snapshot(servers, hosts or None, **attributes)
    return probe.concerned(verdict.preflight(snapshot))


class ConcernedTest(base.BaseTestCase):
    def test_nothing_is_unknown(self):
        self.assertEqual([], concerned(testing.server()))

    def test_where_a_server_with_a_topology_may_go(self):
        """Full and closed hosts are not asked, nor is anybody else's."""
        hosts = [
            *(dedicating(f'compute-{number}') for number in (1, 2, 3)),
            dedicating('full', free=1),
            testing.host('closed', status='disabled'),
            testing.host('down', state='down'),
        ]
        self.assertEqual(
            ['compute-1', 'compute-2', 'compute-3'],
            concerned(
                testing.server('pinned', flavor=PINNED),
                testing.server('plain', host='full'),
                hosts=hosts,
            ),
        )

    def test_a_server_that_may_go_nowhere(self):
        hosts = [dedicating('compute-1'), dedicating('compute-2', free=0)]
        server = testing.server(flavor=PINNED)
        self.assertEqual([], concerned(server, hosts=hosts))

    def test_features_of_one_host_are_unknown(self):
        """Only that host is asked, and the source."""
        older = testing.cpu_info(features=frozenset({'aes'}))
        hosts = [
            testing.host('compute-1'),
            testing.host('compute-2'),
            testing.host('compute-3', cpu_info=older),
        ]
        self.assertEqual(
            ['compute-1', 'compute-3'],
            concerned(testing.server(), hosts=hosts),
        )

    def test_once_they_have_been_asked(self):
        hosts = [dedicating('compute-1'), dedicating('compute-2')]
        probes = {h.name: testing.host_probe(h.name) for h in hosts}
        self.assertEqual(
            [],
            concerned(
                testing.server(flavor=PINNED), hosts=hosts, probes=probes
            ),
        )
