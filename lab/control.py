# SPDX-License-Identifier: Apache-2.0
"""What can be done with a lab: the verbs of the command line.

Each works on the run folder that the environment names (``LAB_RUN``).
"""

from collections.abc import Sequence
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

from lab import behaviour
from lab import exceptions
from lab import folder as folders
from lab import processes
from lab import readiness
from lab import scenario as scenarios

SIGNALS = {
    'stop': signal.SIGTERM,
    'kill': signal.SIGKILL,
    'freeze': signal.SIGSTOP,
    'thaw': signal.SIGCONT,
}
HOST_VERBS = ('start', *SIGNALS)


def up(path: str | os.PathLike[str] | None) -> None:
    """Boot the lab that a scenario file describes (None: the usual one).

    :raises: :class:`lab.exceptions.LabError`, and
        :class:`lab.conversion.ScenarioError` for a wrong file.
    """
    # What only a boot needs takes longer to import than the others need.
    from lab import boot

    folder = folders.current()
    scenario = scenarios.load(path)
    scenarios.check_references(scenario)
    with folder.lock():
        if _is_up(folder):
            raise exceptions.LabError(
                f'The lab in {folder.path} is up already: end it with `down`.'
            )
        left = processes.end(folder)
        if left:
            print(f'ended what was left: {", ".join(left)}', file=sys.stderr)
        folder.empty()
        os.environ['LAB_RUN'] = str(folder.path)
        try:
            boot.boot(folder, scenario)
        except BaseException:
            processes.end(folder)
            raise


def _is_up(folder: folders.Folder) -> bool:
    """Tell whether a boot came to its end and all that serves still lives."""
    if not folder.ready.exists():
        return False
    passing = {*folder.read('hosts.json'), processes.DISCOVERY}
    return all(
        process.state != 'dead'
        for name, process in processes.recorded(folder).items()
        if name not in passing
    )


def down() -> list[str]:
    """End everything that `up` started; return the names of what lived.

    :raises: :class:`lab.exceptions.LabError`.
    """
    folder = folders.current()
    if not folder.path.exists():
        return []
    with folder.lock():
        folder.ready.unlink(missing_ok=True)
        return processes.end(folder)


def run(path: str | None, command: Sequence[str]) -> int:
    """Boot, run a command as the administrator, end the lab; its exit code.

    :raises: as :func:`up`; and when there is no such command.
    """
    up(path)
    try:
        return _run(command, _client_environment(folders.current()))
    finally:
        down()


def _client_environment(folder: folders.Folder) -> dict[str, str]:
    """Return our environment with all that a client of the lab needs."""
    binaries = pathlib.Path(sys.executable).parent
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith('OS_')
    }
    return environment | {
        'OS_CLOUD': 'lab',
        'OS_CLIENT_CONFIG_FILE': str(folder.clouds),
        'LAB_RUN': str(folder.path),
        'PATH': f'{binaries}{os.pathsep}{os.environ.get("PATH", "")}',
    }


def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise exceptions.LabError(
            f'Cannot run the command: {error}.'
        ) from error
    try:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            # Ctrl-C reached the command, too: let it end in its own way.
            code = child.wait()
    except BaseException:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()
        raise
    return code if code >= 0 else 128 - code


def host(verb: str, name: str) -> None:
    """Start, stop, kill, freeze or thaw a nova-compute.

    Returns when it is done: when the process has gone, or has come up in
    Nova.

    :raises: :class:`lab.exceptions.LabError` when it cannot be done.
    """
    folder = folders.current()
    known = folder.read('hosts.json')
    if name not in known:
        raise exceptions.LabError(
            f'There is no host {name}: known are {", ".join(known)}.'
        )
    process = processes.recorded(folder).get(name)
    state = process.state if process else 'dead'
    if verb == 'start':
        if state != 'dead':
            raise exceptions.LabError(f'The nova-compute of {name} runs.')
        _start(folder, name)
        return
    if process is None or state == 'dead':
        raise exceptions.LabError(
            f'The nova-compute of {name} does not run: `host start {name}`.'
        )
    if verb == 'stop' and state == 'frozen':
        process.signal(signal.SIGCONT)
    process.signal(SIGNALS[verb])
    expected = {'freeze': 'frozen', 'thaw': 'running'}.get(verb, 'dead')
    _wait_for_state(process, expected)


def _wait_for_state(process: processes.Process, expected: str) -> None:
    deadline = time.monotonic() + 30
    while process.state != expected:
        if time.monotonic() > deadline:
            raise exceptions.LabError(
                f'{process.name} is still {process.state}: see its log with '
                f'`logs {process.name}`.'
            )
        time.sleep(0.05)


def _start(folder: folders.Folder, name: str) -> None:
    """Ask the zygote for a nova-compute, and wait until Nova sees it."""
    since = time.time()
    try:
        pipe = os.open(folder.starts, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise exceptions.LabError(
            f'The lab in {folder.path} is not up: start it with `up`.'
        ) from error
    with open(pipe, 'w') as starts:
        starts.write(f'{name}\n')
    cloud = readiness.Cloud(folder)
    deadline = time.monotonic() + 60
    while name not in cloud.hosts_up(since):
        if time.monotonic() > deadline:
            raise exceptions.LabError(
                f'{name} does not come up: see `logs {name}`.'
            )
        time.sleep(0.2)


def change(name: str, settings: Sequence[str]) -> None:
    """Change how a server or host (or ``nova``) behaves from now on.

    ``settings`` are texts as ``live.fails_at=running``.

    :raises: :class:`lab.exceptions.LabError`, and
        :class:`lab.conversion.ScenarioError` for a wrong key or value.
    """
    folder = folders.current()
    os.environ['LAB_RUN'] = str(folder.path)
    if name == 'nova':
        kind = target = 'nova'
    elif name in folder.read('hosts.json'):
        kind, target = 'host', f'host:{name}'
    else:
        kind, target = 'server', f'server:{name}'
    changes: dict[str, object] = {}
    for text in settings:
        key, separator, value = text.partition('=')
        if not separator:
            raise exceptions.LabError(
                f'{text!r} is not of the form key=value.'
            )
        changes = behaviour.merge(
            changes, scenarios.behaviour_key(kind, key, value)
        )
    behaviour.change({target: changes})


def status() -> list[tuple[str, str, str]]:
    """Return name, state and process number or address of each process.

    :raises: :class:`lab.exceptions.LabError` when there is no lab.
    """
    folder = folders.current()
    folder.read('ports.json')
    return [
        (process.name, process.state, str(process.pid))
        for process in processes.recorded(folder).values()
        if process.name != processes.DISCOVERY
    ]


def logs(name: str) -> pathlib.Path:
    """Return the log of a process.

    :raises: :class:`lab.exceptions.LabError` when there is none.
    """
    folder = folders.current()
    path = folder.log(name)
    if not path.exists():
        known = ', '.join(p.stem for p in sorted(path.parent.glob('*.log')))
        raise exceptions.LabError(
            f'There is no log of {name}: known are {known or "none"}.'
        )
    return path
