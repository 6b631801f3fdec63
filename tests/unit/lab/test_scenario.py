# SPDX-License-Identifier: Apache-2.0
"""A scenario is read strictly, and what is wrong with it is named."""

import json
import pathlib
import tempfile

import hypothesis
from hypothesis import strategies
from oslotest import base
import yaml

from lab import conversion
from lab import scenario

WHOLE = """
nova: {max_concurrent_live_migrations: 1, service_down_time: 5,
       max_microversion: "2.104", resize_confirm_window: 0}
hosts:
  compute-1: {vcpus: 16, memory_mb: 65536, disk_gb: 1000, link_mb_s: 1000}
  compute-2: {zone: az2, aggregates: [ssd], traits: [CUSTOM_FAST],
              cpu: {arch: x86_64, vendor: Intel, model: Skylake-Server,
                    features: [avx2]},
              hypervisor_version: 8002002, numa_cells: 2,
              dedicated_cpus: [4, 5, 6, 7],
              hugepages_2m: 1024, hugepages_1g: 4,
              pci: [{vendor_id: "8086", product_id: "10ed",
                     address: "0000:81:10.0", dev_type: type-VF,
                     physical_network: physnet1}],
              shared_storage: false,
              allocation_ratios: {cpu: 4.0, ram: 1.0, disk: 1.0},
              disabled: "by hand: bad DIMM", down: false}
flavors: {small: {vcpus: 1, ram: 512, disk: 1, extra_specs: {}}}
images: {tiny: {properties: {hw_disk_bus: virtio}}}
server_groups: {web: {policy: anti-affinity, max_server_per_host: 1}}
networks: {net1: {physical_network: physnet1}}
servers:
  - {name: web-1, flavor: small, host: compute-1, group: web, project: demo,
     tags: [gold], metadata: {}, config_drive: false, volume_backed: false,
     ports: [{network: net1, vnic_type: normal}], locked: false,
     status: ACTIVE, dirty_mb_s: 20, live: {fails_at: null},
     cold: {seconds: 1, fails_at: null}}
  - {count: 10, name: bulk, flavor: small, host: compute-1}
"""

REFUSED = {
    'hosts: {a: {vcpu: 1}}': 'hosts.a.vcpu: unknown key',
    'nope: 1': 'nope: unknown key',
    '[1]': 'the scenario: [1] is not a mapping',
    'hosts: 3': 'hosts: 3 is not a mapping',
    'hosts: {a: {cpu: {features: x}}}': "hosts.a.cpu.features: 'x' is not",
    'hosts: {a: {vcpus: true}}': 'hosts.a.vcpus: True is not a whole number',
    'hosts: {a: {vcpus: 1.5}}': 'hosts.a.vcpus: 1.5 is not a whole number',
    'hosts: {a: {vcpus: -1}}': 'hosts.a.vcpus: -1 is not a whole number',
    'hosts: {a: {link_mb_s: .inf}}': 'hosts.a.link_mb_s: inf is not a number',
    'hosts: {a: {link_mb_s: .nan}}': 'hosts.a.link_mb_s: nan is not a number',
    '"no\\npe": 1': 'no pe: unknown key',
    'hosts: {a: {down: "no"}}': "hosts.a.down: 'no' is not true or false",
    'hosts: {a: {pci: [{}]}}': 'hosts.a.pci[0]: the key vendor_id is missing',
    'servers: [{}]': 'servers[0]: the key name is missing',
    'servers: [{name: a, status: X}]': "servers[0].status: 'X' is not one of",
    'servers: [{name: a, live: {fails_at: x}}]': 'servers[0].live.fails_at:',
    'flavors: {a: {extra_specs: {b: [1]}}}': 'flavors.a.extra_specs.b: [1]',
    'a: [': 'This is not YAML',
}


class LoadTest(base.BaseTestCase):
    """Reading a file."""

    def test_default(self) -> None:
        """Without a file there are four hosts and no servers."""
        loaded = scenario.load(None)
        self.assertEqual(
            [f'compute-{n}' for n in (1, 2, 3, 4)], list(loaded.hosts)
        )
        self.assertEqual((), loaded.servers)
        self.assertEqual(loaded, scenario.loads(''))

    def test_hosts_are_the_default(self) -> None:
        """A file that says nothing of hosts has the usual four."""
        loaded = scenario.loads('servers: [{name: a}]')
        self.assertEqual(scenario.load(None).hosts, loaded.hosts)

    def test_whole(self) -> None:
        """Every key of the format is read, and its names are known."""
        loaded = scenario.loads(WHOLE)
        scenario.check_references(loaded)
        host = loaded.hosts['compute-2']
        self.assertEqual((4, 5, 6, 7), host.dedicated_cpus)
        self.assertEqual('type-VF', host.pci[0].dev_type)
        self.assertEqual('by hand: bad DIMM', host.disabled)
        self.assertEqual('2.104', loaded.nova.max_microversion)
        self.assertEqual('net1', loaded.servers[0].ports[0].network)

    def test_count(self) -> None:
        """Servers with a count are numbered; others keep their name."""
        servers = scenario.expand(scenario.loads(WHOLE).servers)
        names = [server.name for server in servers]
        self.assertEqual(['web-1', 'bulk-1', 'bulk-2'], names[:3])
        self.assertEqual(11, len(names))

    def test_texts(self) -> None:
        """What YAML takes for a number or a truth is a text where due."""
        specs = 'flavors: {a: {extra_specs: {one: 1, two: true}}}'
        (flavor,) = scenario.loads(specs).flavors.values()
        self.assertEqual({'one': '1', 'two': 'true'}, flavor.extra_specs)

    def test_refused(self) -> None:
        """What is wrong is refused in one sentence that names the key."""
        for text, start in REFUSED.items():
            error = self.assertRaises(
                conversion.ScenarioError, scenario.loads, text
            )
            self.assertEqual(start, str(error)[: len(start)])
            self.assertNotIn('\n', str(error))
            self.assertTrue(str(error).endswith('.'))

    def test_file(self) -> None:
        """The message names the file, too."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'scenario.yaml')
            error = self.assertRaises(
                conversion.ScenarioError, scenario.load, path
            )
            self.assertIn(f'Cannot read {path}', str(error))
            path.write_text('nope: 1')
            error = self.assertRaises(
                conversion.ScenarioError, scenario.load, path
            )
            self.assertIn(f'{path}: nope: unknown key', str(error))

    def test_references(self) -> None:
        """A server may name only what is there."""
        for key in ('flavor', 'image', 'host', 'group'):
            loaded = scenario.loads(f'servers: [{{name: a, {key}: nobody}}]')
            error = self.assertRaises(
                conversion.ScenarioError, scenario.check_references, loaded
            )
            self.assertIn(f'servers[0].{key}: there is no', str(error))

    @hypothesis.given(
        strategies.recursive(
            strategies.none()
            | strategies.booleans()
            | strategies.integers()
            | strategies.text(),
            lambda inner: (
                strategies.lists(inner)
                | strategies.dictionaries(
                    strategies.text()
                    | strategies.sampled_from(
                        ['hosts', 'nova', 'servers', 'name', 'pci', 'live']
                    ),
                    inner,
                )
            ),
            max_leaves=12,
        )
    )
    def test_anything(self, document: object) -> None:
        """Nothing that YAML can say makes it fail in another way."""
        text = yaml.safe_dump(document)
        try:
            loaded = scenario.loads(text)
        except conversion.ScenarioError as error:
            self.assertNotIn('\n', str(error))
        else:
            self.assertIsInstance(loaded, scenario.Scenario)


class ShapesTest(base.BaseTestCase):
    """What other parts of the lab are told of a scenario."""

    def test_shapes(self) -> None:
        """The hypervisors' view is plain JSON, with the keys of a host."""
        shapes = scenario.shapes(scenario.loads(WHOLE))
        self.assertEqual(shapes, json.loads(json.dumps(shapes)))
        self.assertEqual([4, 5, 6, 7], shapes['compute-2']['dedicated_cpus'])
        self.assertIs(True, shapes['compute-1']['nova']['abort_leaves_error'])

    def test_aliases(self) -> None:
        """Devices of the same alias are one alias."""
        device = (
            '{vendor_id: "1", product_id: "2", address: "0000:00:0%s.0", '
            'alias: gpu, live_migratable: true}'
        )
        loaded = scenario.loads(
            f'hosts: {{a: {{pci: [{device % 1}, {device % 2}]}}}}'
        )
        self.assertEqual(
            [
                {
                    'name': 'gpu',
                    'vendor_id': '1',
                    'product_id': '2',
                    'device_type': 'type-PCI',
                    'live_migratable': 'yes',
                }
            ],
            scenario.pci_aliases(loaded),
        )


class BehaviourTest(base.BaseTestCase):
    """``key=value``, while the lab runs."""

    def test_values(self) -> None:
        """Values are of the key's type, nested as in the scenario."""
        for kind, key, text, expected in (
            ('server', 'live.fails_at', 'pre', {'live': {'fails_at': 'pre'}}),
            ('server', 'live.fails_at', 'null', {'live': {'fails_at': None}}),
            ('server', 'dirty_mb_s', '20', {'dirty_mb_s': 20.0}),
            ('server', 'cold.seconds', '0.5', {'cold': {'seconds': 0.5}}),
            ('host', 'link_mb_s', '10', {'link_mb_s': 10.0}),
            ('nova', 'permit_post_copy', 'yes', {'permit_post_copy': True}),
        ):
            self.assertEqual(expected, scenario.behaviour_key(kind, key, text))

    def test_refused(self) -> None:
        """What cannot change, or not to that, is named."""
        for kind, key, text, part in (
            ('host', 'vcpus', '3', 'vcpus: this cannot change'),
            ('host', 'link_mb_s', 'x', "link_mb_s: 'x' is not a number"),
            ('host', 'link_mb_s', '[', "link_mb_s: '[' is not YAML"),
            ('server', 'live', '1', 'live: set one of live.fails_at'),
            ('server', 'live.x', '1', 'live.x: unknown key'),
            ('server', 'dirty_mb_s.a', '1', 'dirty_mb_s has no keys'),
        ):
            error = self.assertRaises(
                conversion.ScenarioError,
                scenario.behaviour_key,
                kind,
                key,
                text,
            )
            self.assertIn(part, str(error))
