# SPDX-License-Identifier: Apache-2.0
"""Hosts are asked with the real ssh, sshd, lscpu, numactl and virsh.

The host is this machine, through an ``sshd`` on loopback, and its hypervisor
is libvirt's test driver. Most of it needs no lab.
"""

from collections.abc import Callable
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time
import unittest

import osc_migrate
from osc_migrate import hardware
from osc_migrate import testing
from tests.functional import base
from tests.functional import loopback

GUEST = '6b0c2e3a-5d1f-4c7b-9a8e-0f1d2c3b4a59'
_ASK = """
import signal, sys
from osc_migrate import probe, testing
# what a shell starts in the background inherits that it is ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
how = probe.Ssh(command=sys.argv[1], timeout=500.0)
probe.with_probes(testing.snapshot(), ['compute-1'], how)
"""
_NODE = f"""\
<node>
  <domain type='test'>
    <name>instance-00000001</name>
    <uuid>{GUEST}</uuid>
    <memory unit='KiB'>2097152</memory>
    <vcpu placement='static'>2</vcpu>
    <memoryBacking><hugepages>
      <page size='2048' unit='KiB' nodeset='0'/>
    </hugepages></memoryBacking>
    <cputune>
      <vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='5'/>
      <emulatorpin cpuset='4-5'/>
    </cputune>
    <numatune>
      <memory mode='strict' nodeset='0'/>
      <memnode cellid='0' mode='strict' nodeset='0'/>
    </numatune>
    <os><type arch='i686' machine='pc-q35-7.2'>hvm</type></os>
    <cpu mode='host-model'><numa>
      <cell id='0' cpus='0-1' memory='2097152' unit='KiB'/>
    </numa></cpu>
  </domain>
</node>
"""


class LoopbackTest(unittest.TestCase):
    """What a host answers, and what keeps it from answering."""

    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        loopback.need_programs()

    def setUp(self) -> None:
        super().setUp()
        self.sshd = self.start()

    def start(self, **options: str) -> loopback.Sshd:
        """Start a server that ends with the test."""
        sshd = loopback.Sshd(**options)
        self.addCleanup(sshd.close)
        return sshd

    def probe(
        self,
        *hosts: str,
        sshd: loopback.Sshd | None = None,
        options: str = '',
        **how: object,
    ) -> hardware.HostProbe:
        """Ask hosts, and return what the first one answered."""
        sshd = sshd or self.sshd
        names = hosts or ('compute-1',)
        values = {
            'command': sshd.command(options),
            'uri': 'test:///default',
            **how,
        }
        self.snapshot = osc_migrate.with_probes(
            testing.snapshot(), names, osc_migrate.Ssh(**values)
        )
        return self.snapshot.probes[names[0]]

    def assert_complete(self, probe: hardware.HostProbe) -> None:
        """All commands have answered, so far as this machine lets them."""
        unable = set() if loopback.has_cells() else {'numactl --hardware'}
        self.assertEqual(unable, probe.gaps.keys())
        self.assertEqual(bool(unable), bool(self.snapshot.gaps))

    def assert_unreached(self, probe: hardware.HostProbe, why: str) -> None:
        """The host was not asked, and the snapshot says why."""
        self.assertFalse(probe.has_answered)
        self.assertIn(why, probe.gaps['ssh'])
        (gap,) = self.snapshot.gaps
        self.assertEqual('probe of compute-1', gap.subject)
        self.assertIn(why, gap.reason)
        self.assertIn('ssh', gap.remedy)

    def test_what_a_host_answers(self) -> None:
        """The values are those that the programs write here."""
        probe = self.probe()
        self.assert_complete(probe)
        self.assertEqual(_output('virsh --version'), probe.libvirt_version)
        assert probe.processor is not None
        flags = _output('lscpu').partition('Flags:')[2].partition('\n')[0]
        self.assertEqual(set(flags.split()), probe.processor.flags)
        self.assertEqual([0, 1], [cell.id for cell in probe.cells])
        self.assertEqual(frozenset(range(8)), probe.cells[0].cpu_ids)
        self.assertEqual(97, probe.cells[1].pages[2048].free)
        (guest,) = probe.guests.values()
        self.assertEqual(8192, guest.memory_mb)
        self.assertIn('test', probe.outputs[f'virsh dumpxml {guest.id}'])
        self.assertIn('MHz', probe.outputs['virsh nodeinfo'])

    def test_a_guest_with_cpus_and_pages_of_its_own(self) -> None:
        path = self.sshd.folder / 'node.xml'
        path.write_text(_NODE)
        probe = self.probe(uri=f'test://{path}')
        self.assert_complete(probe)
        guest = probe.guests[GUEST]
        self.assertEqual({4, 5}, guest.dedicated_cpus)
        self.assertEqual({0: 4, 1: 5}, guest.vcpu_cpus)
        self.assertEqual('pc-q35-7.2', guest.machine_type)
        self.assertEqual('host-model', guest.cpu_mode)
        self.assertEqual('strict', guest.memory_mode)
        (cell,) = guest.cells
        self.assertEqual(
            (2048, {0}, 2048), (cell.memory_mb, cell.nodes, cell.page_kib)
        )
        # this driver tells no cells; the kernel does
        self.assertEqual(loopback.has_cells(), bool(probe.cells))

    def test_one_login_a_host(self) -> None:
        self.probe('compute-1', 'compute-2', 'compute-3')
        self.assertEqual(3, len(self.snapshot.probes))
        self.assertEqual(3, self.sshd.logins())
        for probe in self.snapshot.probes.values():
            self.assert_complete(probe)

    def test_a_wrong_host_key(self) -> None:
        """It is refused, whatever the operator's configuration permits."""
        self.sshd.trust('other_key')
        for options in ('', '-o StrictHostKeyChecking=no'):
            probe = self.probe(options=options)
            self.assert_unreached(probe, 'Host key verification failed')
        with self.sshd.config.open('a') as config:
            config.write('    StrictHostKeyChecking accept-new\n')
        probe = self.probe()
        self.assert_unreached(probe, 'Host key verification failed')
        self.assertEqual(0, self.sshd.logins())

    def test_an_unknown_host_key(self) -> None:
        """It is neither accepted nor remembered."""
        self.sshd.known_hosts.write_text('')
        probe = self.probe(options='-o StrictHostKeyChecking=accept-new')
        self.assert_unreached(probe, 'Host key verification failed')
        self.assertEqual('', self.sshd.known_hosts.read_text())
        self.assertEqual(0, self.sshd.logins())

    def test_no_rights(self) -> None:
        """No password is asked for."""
        self.sshd.config.write_text(
            self.sshd.config.read_text().replace('user_key', 'other_key')
        )
        self.assert_unreached(self.probe(), 'Permission denied')

    def test_no_connection(self) -> None:
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
            probe = self.probe(options=f'-p {port}')
        self.assert_unreached(probe, 'Connection refused')

    def test_a_host_that_hangs(self) -> None:
        """It takes its connection and says nothing."""
        with socket.create_server(('127.0.0.1', 0)) as silent:
            port = silent.getsockname()[1]
            probe = self.probe(options=f'-p {port}', timeout=2.0)
        self.assertFalse(probe.has_answered)
        self.assertIn('ssh', probe.gaps)

    def test_an_interrupt_ends_it(self) -> None:
        """Ctrl-C does not wait for hosts, and leaves no ssh behind."""
        command = f'{self.sshd.command()} sleep 100 ;'
        asking = subprocess.Popen(
            [sys.executable, '-c', _ASK, command],
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        self.addCleanup(asking.kill)
        self.wait_for(self.sshd.logins)
        asking.send_signal(signal.SIGINT)
        self.assertNotEqual(0, asking.wait(60))
        self.wait_for(lambda: not self.sshd.clients())

    def wait_for(self, predicate: Callable[[], object]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + 60
        while not predicate():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def test_no_ssh(self) -> None:
        """The operator's machine has none."""
        path = os.environ['PATH']
        self.addCleanup(os.environ.__setitem__, 'PATH', path)
        os.environ['PATH'] = str(self.sshd.folder)
        self.assert_unreached(self.probe(), 'No such file or directory')

    def test_no_virsh(self) -> None:
        """What else is there is asked all the same."""
        sshd = self.start(path=self.folder('lscpu', 'sh', 'timeout'))
        probe = self.probe(sshd=sshd)
        self.assertIn('No such file', probe.gaps['virsh capabilities'])
        self.assertIn('No such file', probe.gaps['numactl --hardware'])
        self.assertNotIn('lscpu', probe.gaps)
        self.assertIsNotNone(probe.processor)
        self.assertEqual({}, probe.guests)

    def test_no_libvirt(self) -> None:
        probe = self.probe(uri='test:////nonexistent.xml')
        self.assertIn('nonexistent.xml', probe.gaps['virsh version'])
        self.assertEqual({}, probe.guests)
        self.assertEqual(loopback.has_cells(), bool(probe.cells))

    def test_a_command_that_hangs(self) -> None:
        """What came before it is kept."""
        folder = self.folder('lscpu', 'sh', 'timeout', 'virsh')
        slow = pathlib.Path(folder, 'numactl')
        slow.write_text(f'#!/bin/sh\nexec {loopback.find("sleep")} 100\n')
        slow.chmod(0o755)
        sshd = self.start(path=folder)
        probe = self.probe(sshd=sshd, timeout=12.0)
        self.assertIn('did not answer within 12 s', probe.gaps['ssh'])
        self.assertIn('lscpu', probe.outputs)
        self.assertIsNotNone(probe.processor)

    def folder(self, *names: str) -> str:
        """Return a folder in which only these programs are."""
        folder = self.sshd.folder / 'programs'
        folder.mkdir()
        for name in names:
            (folder / name).symlink_to(str(loopback.find(name)))
        return str(folder)

    def test_through_a_jump_host(self) -> None:
        probe = self.probe(options='-J jump')
        self.assert_complete(probe)
        self.assertEqual(2, self.sshd.logins())

    def test_with_a_command_there(self) -> None:
        """What stands behind the address runs on the host, like sudo."""
        mark = self.sshd.folder / 'mark'
        script = self.sshd.folder / 'as-root'
        script.write_text(f'#!/bin/sh\necho "$1" > {mark}\nexec "$@"\n')
        script.chmod(0o755)
        command = f'{self.sshd.command()} {script}'
        probe = self.probe(command=command)
        self.assert_complete(probe)
        self.assertEqual('sh\n', mark.read_text())

    def test_names_that_are_no_names(self) -> None:
        """A name from the cloud becomes neither option nor command."""
        mark = self.sshd.folder / 'mark'
        for name in (
            f'-oProxyCommand=touch {mark}',
            f'-oProxyCommand=touch${{IFS}}{mark}',
            f'x;touch {mark}',
            f'$(touch {mark})',
            'a b',
            'x\ny',
            '',
        ):
            hosts = [testing.host(name)]
            snapshot = osc_migrate.with_probes(
                testing.snapshot(hosts=hosts),
                [name],
                osc_migrate.Ssh(command=self.sshd.command()),
            )
            self.assertIn('is not asked', snapshot.probes[name].gaps['ssh'])
        self.assertFalse(mark.exists())
        self.assertEqual(0, self.sshd.logins())


def _output(command: str) -> str:
    """Return what a program writes here."""
    words = command.split()
    return subprocess.run(
        [str(loopback.find(words[0])), *words[1:]],
        env={**os.environ, 'LC_ALL': 'C'},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.strip()


class CommandTest(base.FunctionalTest):
    """The commands ask the hosts of the lab, which all are this machine."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        loopback.need_programs()

    def setUp(self) -> None:
        super().setUp()
        self.sshd = loopback.Sshd()
        self.addCleanup(self.sshd.close)
        self.how = shlex.join(
            [
                *('--probe', 'ssh', '--probe-uri', 'test:///default'),
                *('--probe-address', '127.0.0.1'),
                *('--probe-command', self.sshd.command()),
            ]
        )

    def findings(self, command: str) -> dict[tuple[str, str], dict[str, str]]:
        """Return findings of a preflight by check and destination."""
        result = self.openstack(
            'server migration preflight --method live --findings -f json '
            f'{command}'
        )
        self.assertIn(result.code, (0, 3), result.stderr)
        found = json.loads(result.stdout)
        return {(f['Check'], f['Destination'] or ''): f for f in found}

    def test_preflight(self) -> None:
        """What is unknown becomes known, and what cannot be says why."""
        self.scenario("""
            flavors:
              cells:
                vcpus: 2
                ram: 512
                extra_specs: {"hw:numa_nodes": "1"}
              paged:
                vcpus: 2
                ram: 512
                extra_specs: {"hw:mem_page_size": "2048"}
            servers:
              - {name: cells, host: compute-5, flavor: cells}
              - {name: paged, host: compute-5, flavor: paged}
        """)
        plain = self.findings('cells --to compute-6')
        self.assertEqual('unknown', plain['numa-fit', '']['Severity'])
        self.assertIn(
            'fits by count', plain['numa-room', 'compute-6']['Message']
        )
        self.assertEqual(0, self.sshd.logins())
        known = self.findings(f'cells --to compute-6 {self.how}')
        self.assertNotIn(('numa-fit', ''), known)
        if loopback.has_cells():
            self.assertNotIn(('numa-room', 'compute-6'), known)
        self.assertEqual(2, self.sshd.logins())
        # the test driver has no huge pages
        saved = self.sshd.folder / 'saved.json'
        paged = self.findings(
            f'paged --to compute-6 {self.how} --save-snapshot {saved}'
        )
        found = paged['numa-room', 'compute-6']
        self.assertEqual('error', found['Severity'])
        self.assertIn(
            'no NUMA cell has 512 MB of free 2 MiB pages', found['Message']
        )
        outputs = json.loads(found['Evidence'])['outputs']
        self.assertIn('2048KiB: 97', outputs['virsh freepages --all'])
        self.assertEqual(
            paged, self.findings(f'paged --to compute-6 --snapshot {saved}')
        )
        # a host key that is not the right one
        self.sshd.trust('other_key')
        refused = self.findings(f'cells --to compute-6 {self.how}')
        found = refused['numa-room', 'compute-6']
        self.assertEqual('unknown', found['Severity'])
        self.assertIn('Host key verification failed', found['Message'])

    def test_only_hosts_that_matter_are_asked(self) -> None:
        """A server without a topology is known well enough."""
        self.scenario('servers: [{name: plain, host: compute-1}]')
        result = self.openstack(
            f'server migration preflight plain --to compute-2 {self.how}'
        )
        self.assertEqual(0, result.code, result.stderr)
        self.assertEqual(0, self.sshd.logins())

    def test_drain(self) -> None:
        """The plan of a drain is made of what the hosts said."""
        self.scenario("""
            flavors:
              paged:
                vcpus: 2
                ram: 512
                extra_specs: {"hw:mem_page_size": "2048"}
            servers:
              - {name: paged, host: compute-5, flavor: paged}
        """)
        drain = 'compute drain compute-5 --to compute-6 --dry-run'
        plain = self.openstack(drain)
        self.assertEqual(0, plain.code, plain.stderr)
        known = self.openstack(f'{drain} {self.how}')
        self.assertEqual(3, known.code, known.stderr)
        self.assertIn('no NUMA cell has 512 MB', known.stderr)

    def test_compare(self) -> None:
        """Two hosts side by side, from the APIs and from themselves."""
        compare = 'compute compare compute-5'
        like = self.openstack(f'{compare} compute-6')
        self.assertEqual(0, like.code, like.stdout + like.stderr)
        self.assertEqual(0, self.sshd.logins())
        both = self.openstack(f'{compare} compute-6 {self.how} -f json')
        self.assertEqual(0, both.code, both.stdout + both.stderr)
        rows = {row['Attribute']: row for row in json.loads(both.stdout)}
        version = _output('virsh --version')
        self.assertEqual(
            (version, version, ''),
            tuple(rows['libvirt version'].values())[1:],
        )
        self.assertEqual(8, rows['PCPU capacity']['compute-5'])
        self.assertEqual(97, rows['cell 1 2048 KiB pages, free']['compute-6'])
        other = self.openstack(f'{compare} compute-8 --differences -f json')
        self.assertEqual(3, other.code, other.stderr)
        rows = {row['Attribute']: row for row in json.loads(other.stdout)}
        self.assertEqual('yes', rows['CPU model']['Differs'])
        self.assertIn('CUSTOM_FAST', rows['traits (only here)']['compute-5'])
        self.assertNotIn('architecture', rows)
        nobody = self.openstack(f'{compare} nowhere')
        self.assertEqual(1, nobody.code, nobody.stderr)
        self.assertIn("named 'nowhere'", nobody.stderr)
        self.assertNotIn('Traceback', nobody.stderr)
