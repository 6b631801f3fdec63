# SPDX-License-Identifier: Apache-2.0
"""A lab of a test's own, beside those that the others share.

What lives is read from ``/proc`` and not from the lab's own records, which
may be what is wrong.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from lab import api as apis
from lab import folder as folders

ONE_HOST = 'hosts: {compute-1: {}}\n'
# The tests get a home folder of their own; the lab is to have ours, where
# what it keeps to start faster is.
ENVIRONMENT = dict(os.environ)


class Lab:
    """A lab in a temporary folder."""

    def __init__(self, scenario: str = ONE_HOST) -> None:
        self.base = pathlib.Path(tempfile.mkdtemp(prefix='lab-'))
        self.run = self.base / 'run'
        self.scenario = self.base / 'scenario.yaml'
        self.scenario.write_text(scenario)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start ``python -m lab WORDS``."""
        return subprocess.Popen(
            [sys.executable, '-m', 'lab', *words],
            cwd=folders.CHECKOUT,
            env={**ENVIRONMENT, 'LAB_RUN': str(self.run)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def call(self, *words: str) -> tuple[int, str]:
        """Run ``python -m lab WORDS``, return exit code and output."""
        process = self.start(*words)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def up(self) -> tuple[int, str]:
        """Boot it."""
        return self.call('up', str(self.scenario))

    def living(self) -> set[int]:
        """Return the numbers of all processes that belong to this lab.

        They have its log open or its name in their environment; either may
        be missing, for some write their title over the latter.
        """
        logs = bytes(self.run / 'log')
        mark = f'LAB_RUN={self.run}\0'.encode()
        return {
            int(path.name)
            for path in pathlib.Path('/proc').glob('[0-9]*')
            if _output(path).startswith(logs)
            or mark in _environment(path) + b'\0'
        }

    def number(self, name: str) -> int:
        """Return the process number of a service."""
        return int((self.run / 'processes' / name).read_text().split()[0])

    def api(self) -> apis.Api:
        """Return its APIs for the administrator."""
        return apis.Api(self.run / 'clouds.yaml')

    def state(self, host: str) -> str:
        """Return what Nova says of a nova-compute: up or down."""
        path = f'/os-services?binary=nova-compute&host={host}'
        # Below the newest of a lab that is capped.
        answer = self.api().send('compute', 'GET', path, microversion='2.53')
        return str(answer['services'][0]['state'])

    def remove(self) -> None:
        """End it and forget it."""
        self.call('down')
        shutil.rmtree(self.base)


def _environment(process: pathlib.Path) -> bytes:
    try:
        return (process / 'environ').read_bytes()
    except OSError:
        return b''  # it has just ended


def _output(process: pathlib.Path) -> bytes:
    try:
        return os.readlink(bytes(process / 'fd' / '1'))
    except OSError:
        return b''
