# SPDX-License-Identifier: Apache-2.0
"""Bring the environment of ``tox -e lab`` up to date, showing signs of life.

The lab is most of an OpenStack: installing it takes a minute or more, during
which tox prints nothing. This runs tox so that it tells what pip does, writes
that to a file, and prints one line of it every few seconds.
"""

import pathlib
import re
import subprocess
import sys
import threading
import time

_LOG = pathlib.Path('.tox', 'lab-environment.log')
_INTERVAL = 10  # seconds between two signs of life
_STEP = re.compile(r'\s*(Collecting|Downloading|Using cached) (\S+)')
_LAST = 'Installing collected packages: '


def main() -> int:
    """Run tox, return its exit code."""
    steps = ['starting']

    def read(stream):
        with _LOG.open('w') as log:
            for line in stream:
                log.write(line)
                if step := _STEP.match(line):
                    steps.append(' '.join(step.groups()).lower())
                elif line.startswith(_LAST):
                    steps.append(f'installing {line.count(",") + 1} packages')

    begin = time.monotonic()
    command = [sys.executable, '-m', 'tox', 'run', '-vv', '-e', 'lab']
    with subprocess.Popen(
        [*command, '--notest'],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as tox:
        reader = threading.Thread(target=read, args=(tox.stdout,))
        reader.start()
        while reader.is_alive():
            reader.join(_INTERVAL)
            if reader.is_alive():
                seconds = round(time.monotonic() - begin)
                print(f"the lab's environment: {seconds} s, {steps[-1]}")
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
