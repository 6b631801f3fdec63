# SPDX-License-Identifier: Apache-2.0
"""Examples at the end of the help of each command, and its paragraphs.

``openstack help`` would run everything together in one paragraph; the manual
reads the same text as reStructuredText.
"""

import argparse
from typing import Any

_DRAIN = """
Say what would happen and what stands in the way, and change nothing::

    openstack compute drain compute-7 --dry-run

Empty a host; typed again, it goes on where it was interrupted::

    openstack compute drain compute-7 --reason 'new memory'

Move what can be moved, power off what cannot move live, write a log::

    openstack compute drain compute-7 --partial --allow-cold \\
        --log drain.jsonl

Let a copy that would never end complete, if that pauses its guest for no
more than five seconds::

    openstack compute drain compute-7 --on-stall force-complete \\
        --max-pause 5

Move two servers off a host that stays in use::

    openstack compute drain compute-7 --no-disable --server web-1 \\
        --server web-2 --to compute-9

Fill a like host with choosy servers, keep all else off it meanwhile, and end
with 3 if one of them has it worse there::

    openstack compute drain compute-7 --to compute-9 --reserve \\
        --strict-topology

Start the servers of a dead host elsewhere, once it is switched off::

    openstack compute drain compute-7 --evacuate --fenced
"""

_UNDRAIN = """
Open a host again after the work::

    openstack compute undrain compute-7

Say which servers would come back, and change nothing::

    openstack compute undrain compute-7 --restore --dry-run

Open it, and bring back what the drain moved::

    openstack compute undrain compute-7 --restore
"""

_PREFLIGHT = """
Say which servers can leave a host, how, and why not::

    openstack server migration preflight --host compute-7

Say what forbids each destination of a server, and all that was found::

    openstack server migration preflight web-1 --matrix
    openstack server migration preflight web-1 --findings -f yaml

Ask about one way only, and one destination::

    openstack server migration preflight web-1 --method live --to compute-9

Keep what was read of the cloud, and judge it again without any cloud::

    openstack server migration preflight --host compute-7 \\
        --save-snapshot cloud.json
    openstack server migration preflight --snapshot cloud.json \\
        --report report.json

Ask the hosts themselves what no API tells, such as the huge pages that are
free in one NUMA cell, through a jump host and a management network::

    openstack server migration preflight --host compute-7 --probe ssh \\
        --probe-command 'ssh -J jump.example.org {address}' \\
        --probe-address '{host}.mgmt.example.org'
"""

_COMPARE = """
Show two hosts side by side, with what differs marked::

    openstack compute compare compute-7 compute-9

List only what differs, and ask the hosts themselves as well::

    openstack compute compare compute-7 compute-9 --differences --probe ssh
"""

_WATCH = """
Follow what leaves a host or comes to it, until all of it has ended::

    openstack server migration watch --host compute-7

One line for each change, without a table; or one JSON object a line::

    openstack server migration watch --all --plain
    openstack server migration watch --all -f json

Abort what will never converge, and say so::

    openstack server migration watch web-1 --on-stall abort

Sum up what ended since yesterday::

    openstack server migration watch --all --past

And say what NUMA topology a server that moved has now::

    openstack server migration watch web-1 --past --topology
"""

# by the last word of the command
EXAMPLES = {
    'compare': _COMPARE,
    'drain': _DRAIN,
    'preflight': _PREFLIGHT,
    'undrain': _UNDRAIN,
    'watch': _WATCH,
}


class _Paragraphs(argparse.HelpFormatter):
    """Fill each paragraph by itself, and leave what is indented."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return '\n\n'.join(
            paragraph
            if paragraph.startswith('    ')
            else super(_Paragraphs, self)._fill_text(
                paragraph.replace('::', ':'), width, indent
            )
            for paragraph in text.strip('\n').split('\n\n')
        )


def add(parser: argparse.ArgumentParser, name: str) -> None:
    """Let the help of a command end with its examples."""
    ending = parser.epilog or ''
    parser.epilog = f'{EXAMPLES[name]}\n{ending}'
    # what cliff chose stays, but for what it does to paragraphs
    chosen: Any = parser.formatter_class
    formatter: Any = type('Formatter', (_Paragraphs, chosen), {})
    parser.formatter_class = formatter
