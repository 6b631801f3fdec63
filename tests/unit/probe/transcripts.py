# SPDX-License-Identifier: Apache-2.0
"""What hosts have written: whole answers to the script, as data.

``test-driver`` and ``no-libvirt`` are what the programs of Debian 12 write,
with libvirt's test driver and with no libvirtd; ``two-sockets`` has the same
form, for a host with huge pages, DPDK and three guests.
"""

import pathlib

from osc_migrate import hardware
from osc_migrate.probe import commands
from osc_migrate.probe import parse

MARK = 'MARK'
FOLDER = pathlib.Path(__file__).parents[2] / 'data' / 'probe'
NAMES = ('two-sockets', 'test-driver', 'no-libvirt')


def text(name: str) -> str:
    """Return a whole answer."""
    return (FOLDER / f'{name}.txt').read_text(encoding='utf-8')


def probe(written: str) -> hardware.HostProbe:
    """Read an answer as ``with_probes`` does."""
    return parse.host_probe('compute-2', commands.answers(written, MARK))
