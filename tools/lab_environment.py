# SPDX-License-Identifier: Apache-2.0
"""Bring the environment of ``tox -e lab`` up to date, showing signs of life.

The lab is most of an OpenStack: installing it takes a minute or more, during
which tox prints nothing. This has tox tell what pip does, writes that to a
file, and prints how far it is every few seconds.
"""

import pathlib
import re
import subprocess
import sys
import threading
import time
from typing import TextIO

_ENVIRONMENT = pathlib.Path('.tox', 'lab')
_LOG = pathlib.Path('.tox', 'lab-environment.log')
_INTERVAL = 10  # seconds between two signs of life
_FETCH = re.compile(r'\s*(Collecting|Downloading|Using cached) (\S+)')
_INSTALL = 'Installing collected packages: '


class _Reader(threading.Thread):
    """Copy what tox says to the log, and know what it is doing."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._step = 'starting'
        self._packages = 0

    def run(self) -> None:
        with _LOG.open('w') as log:
            for line in self._stream:
                log.write(line)
                if fetch := _FETCH.match(line):
                    self._step = ' '.join(fetch.groups()).lower()
                elif line.startswith(_INSTALL):
                    self._packages = max(self._packages, line.count(',') + 1)

    def step(self) -> str:
        """Say what is being done now."""
        if not self._packages:
            return self._step
        done = len(list(_ENVIRONMENT.glob('lib/*/site-packages/*.dist-info')))
        return f'installing, {done} of {self._packages} packages'


def main() -> int:
    """Run tox, return its exit code."""
    begin = time.monotonic()
    command = [sys.executable, '-m', 'tox', 'run', '-vv', '-e', 'lab']
    with subprocess.Popen(
        [*command, '--notest'],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as tox:
        assert tox.stdout is not None
        reader = _Reader(tox.stdout)
        reader.start()
        while reader.is_alive():
            reader.join(_INTERVAL)
            if reader.is_alive():
                seconds = round(time.monotonic() - begin)
                print(f"the lab's environment: {seconds} s, {reader.step()}")
    seconds = round(time.monotonic() - begin)
    if tox.returncode:
        print(*_LOG.read_text().splitlines()[-40:], sep='\n')
        print(f"the lab's environment is not complete; all of it: {_LOG}")
        print('Is a package index reachable? Then run the same again.')
    else:
        print(f"the lab's environment is ready ({seconds} s)")
    return tox.returncode


if __name__ == '__main__':
    sys.exit(main())
