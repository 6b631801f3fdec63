# SPDX-License-Identifier: Apache-2.0
"""The processes of a lab: started, known again, ended.

A process is known by its number *and* its start time, which no other process
can have; its environment or command line would not do, for setproctitle
overwrites both. Each process writes its record itself before it does
anything else, so that whoever started it may be killed at any moment.
"""

from collections.abc import Iterator, Mapping
import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import time

from lab import exceptions
from lab import folder as folders

# The names of Nova's processes, beside the hosts.
API = 'api'
SCHEDULER = 'scheduler'
CONDUCTORS = ('conductor-1', 'conductor-2')
NOVA = (API, SCHEDULER, *CONDUCTORS)
DISCOVERY = 'discovery'  # ends when all hosts are mapped


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """A process that this lab started."""

    name: str
    pid: int
    born: str

    @property
    def state(self) -> str:
        """One of ``running``, ``frozen`` and ``dead``."""
        letter, born = _look(self.pid)
        if born != self.born or letter in 'ZX':
            return 'dead'
        return 'frozen' if letter == 'T' else 'running'

    def signal(self, number: int) -> None:
        """Send a signal, unless the process is gone."""
        if self.state != 'dead':
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process and what it may have started, at once."""
        if self.state != 'dead':
            os.killpg(self.pid, signal.SIGKILL)


def _look(pid: int) -> tuple[str, str]:
    """Return the state letter and the start time of a process."""
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 'X', ''
    fields = text.rpartition(')')[2].split()
    return fields[0], fields[19]


def record(folder: folders.Folder, name: str) -> None:
    """Make the calling process the one that this lab calls ``name``."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    pid = os.getpid()
    folders.replace(folder / 'processes' / name, f'{pid} {_look(pid)[1]}\n')


def recorded(folder: folders.Folder) -> dict[str, Process]:
    """Return all processes that were started here, dead ones too, by name."""
    found = {}
    for path in sorted((folder / 'processes').glob('[!.]*')):
        pid, born = path.read_text().split()
        found[path.name] = Process(path.name, int(pid), born)
    return found


def spawn(
    folder: folders.Folder,
    name: str,
    command: list[str],
    *,
    environment: Mapping[str, str],
    inherit: tuple[int, ...] = (),
) -> None:
    """Start a process of its own session, which outlives us.

    ``inherit`` are open files that it gets. Its output goes to its log.
    """
    # Python would forget an interruption that comes just while it forks.
    with _undisturbed(), open(folder.log(name), 'ab') as log:
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=inherit,
            # The same process goes on after exec, so the record holds.
            preexec_fn=lambda: record(folder, name),
        )


def end(folder: folders.Folder) -> list[str]:
    """End all that was started here and lives; return the names.

    Nothing is asked to end by itself: the data is for one boot only.

    :raises: :class:`lab.exceptions.LabError` when one will not die.
    """
    # An impatient second Ctrl-C must not leave half of them.
    with _undisturbed():
        return _end(folder)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let interruptions wait."""
    interruptions = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, interruptions)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(folder: folders.Folder) -> list[str]:
    ended: list[str] = []
    deadline = time.monotonic() + 20
    while True:
        living = [p for p in recorded(folder).values() if p.state != 'dead']
        if not living:
            break
        if time.monotonic() > deadline:
            names = ', '.join(f'{p.name} ({p.pid})' for p in living)
            raise exceptions.LabError(f'These do not end: {names}.')
        for process in living:
            if process.name not in ended:
                ended.append(process.name)
            process.kill()
        # Also time for a process that was just forked to write its record.
        time.sleep(0.1)
    for path in (folder / 'processes').glob('*'):
        path.unlink()
    return ended
