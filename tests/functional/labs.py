# SPDX-License-Identifier: Apache-2.0
"""Two labs side by side, so that two tests at a time have one of their own.

``python -m tests.functional.labs COMMAND ARG...`` boots both, runs the
command, ends both, and exits with the command's code. Functional tests wait
much and compute little: two workers of stestr need hardly more than half the
time of one.
"""

import fcntl
import os
import pathlib
import sys

from lab import folder

SCENARIO = pathlib.Path(__file__).with_name('scenario.yaml')

_held: list[int] = []


def claim() -> None:
    """Take a lab that no other worker has, until this process ends.

    Without ``LAB_RUNS``, which lists run folders, it is the one that the
    environment names.
    """
    if _held or 'LAB_RUNS' not in os.environ:
        return
    for run in os.environ['LAB_RUNS'].split(os.pathsep):
        mark = os.open(pathlib.Path(run, 'worker'), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(mark)
            continue
        _held.append(mark)
        os.environ['LAB_RUN'] = run
        os.environ['OS_CLIENT_CONFIG_FILE'] = str(folder.current().clouds)
        return
    raise AssertionError('More workers than labs: run stestr --concurrency 2.')


def main(*command: str) -> None:
    """Become the command, with both labs around it."""
    first = str(folder.current().path)
    runs = [first, f'{first}-second']
    os.environ['LAB_RUNS'] = os.pathsep.join(runs)
    lab = [sys.executable, '-m', 'lab', 'run', str(SCENARIO), '--']
    words = list(command)
    for run in reversed(runs):
        words = ['env', f'LAB_RUN={run}', *lab, *words]
    os.execvp(words[0], words)


if __name__ == '__main__':
    main(*sys.argv[1:])
