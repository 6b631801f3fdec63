# SPDX-License-Identifier: Apache-2.0
"""Run the script on hosts: the only part that starts processes.

The operator's own ``ssh`` does it, with its configuration, keys and known
hosts. It never asks anything (there is no terminal to ask on), always checks
the host's key, and forwards neither agent nor ports. One login a host, all
hosts side by side.
"""

from collections.abc import Iterable
import concurrent.futures
import contextlib
import dataclasses
import os
import re
import secrets
import shlex
import signal
import subprocess

from osc_migrate import exceptions
from osc_migrate import hardware
from osc_migrate import model
from osc_migrate.probe import commands
from osc_migrate.probe import parse

# logins at the same time
_PARALLEL = 16
# what a name of Nova may hold before it comes near a command line; neither
# may begin with a dash, or ssh would take it for an option
_HOST = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')
_ADDRESS = re.compile(r'[A-Za-z0-9_\[][A-Za-z0-9_.:%\[\]@-]*')
_USER = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?')
# ssh takes the first value that it meets, and these stand first
_OPTIONS = (
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'ForwardAgent=no',
    'ForwardX11=no',
    'ClearAllForwardings=yes',
    'PermitLocalCommand=no',
    # a master would outlive the probe and keep its output open; one that
    # is there already is used
    'ControlMaster=no',
)
_REMEDY = (
    'try it: {command}; no password is asked and an unknown host key is '
    'refused'
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """How to reach the hosts.

    ``address`` is made of the name of the host, ``{host}``. ``command`` is
    split like a line of the shell, without being given to one; the address
    takes the place of ``{address}`` or else comes last, what stands behind
    it runs on the host (``sudo -n``), and some word of it is ``ssh``.
    ``timeout`` is in seconds and for all that one host is asked. ``uri`` is
    libvirt's, on the host.

    :raises InvalidInput: a template that makes no sense
    """

    address: str = '{host}'
    user: str | None = None
    command: str = 'ssh {address}'
    timeout: float = 60.0
    uri: str = commands.URI

    def __post_init__(self) -> None:
        if self.user is not None and not _USER.fullmatch(self.user):
            raise exceptions.InvalidInput(
                f'{self.user!r} is no user to log in as'
            )
        if '{host}' not in self.address and not _ADDRESS.fullmatch(
            self.address
        ):
            raise exceptions.InvalidInput(
                f'{self.address!r} is no address; {{host}} in it stands for '
                'the name of the host'
            )
        self.words('host')

    def words(self, host: str) -> list[str]:
        """Return the words of the command that reaches a host.

        :raises InvalidInput: the name or what is made of it could be taken
            for something else, or the command runs no ssh
        """
        if not _HOST.fullmatch(host):
            raise exceptions.InvalidInput(
                f'{host!r} is not asked: it is no plain name of a host'
            )
        address = self.address.replace('{host}', host)
        if not _ADDRESS.fullmatch(address):
            raise exceptions.InvalidInput(f'{address!r} is no address')
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise exceptions.InvalidInput(
                f'The command {self.command!r} cannot be split: {error}'
            ) from error
        if '{address}' not in words:
            words.append('{address}')
        place = words.index('{address}')
        words[place] = address
        names = [os.path.basename(word) for word in words[:place]]
        if 'ssh' not in names:
            raise exceptions.InvalidInput(
                f'The command {self.command!r} runs no ssh; for example: '
                "--probe-command 'ssh -J jump.example.org {address}'"
            )
        behind = names.index('ssh') + 1
        return words[:behind] + self._options() + words[behind:]

    def _options(self) -> list[str]:
        wait = max(1, min(15, round(self.timeout / 2)))
        named = [*_OPTIONS, f'ConnectTimeout={wait}']
        options = ['-T', *(word for o in named for word in ('-o', o))]
        return options + (['-l', self.user] if self.user else [])


def with_probes(
    snapshot: model.Snapshot, hosts: Iterable[str], ssh: Ssh | None = None
) -> model.Snapshot:
    """Ask hosts, and return the snapshot with what they answered.

    A host that does not answer, or not all, is a gap of the snapshot.

    :param hosts: names of hosts of the snapshot
    :raises HostNotFound: a host is not in the snapshot
    """
    names = sorted(set(hosts))
    for name in names:
        if name not in snapshot.hosts:
            raise exceptions.HostNotFound(name, snapshot.hosts)
    found = probe_all(names, ssh or Ssh())
    gaps = [_gap(probe, ssh or Ssh()) for probe in found if probe.gaps]
    probes = {probe.host: probe for probe in found}
    return dataclasses.replace(
        snapshot,
        probes={**snapshot.probes, **probes},
        gaps=(*snapshot.gaps, *gaps),
    )


def probe_all(
    hosts: Iterable[str], ssh: Ssh
) -> tuple[hardware.HostProbe, ...]:
    """Ask hosts side by side, and return what each answered."""
    running: set[subprocess.Popen[str]] = set()
    with concurrent.futures.ThreadPoolExecutor(_PARALLEL) as pool:
        try:
            return tuple(
                pool.map(lambda host: _probe(host, ssh, running), hosts)
            )
        except BaseException:
            # Ctrl-C does not reach what has a session of its own
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(running):
                _end(process)
            raise


def _probe(
    host: str, ssh: Ssh, running: set[subprocess.Popen[str]]
) -> hardware.HostProbe:
    """Ask one host; what goes wrong is in the ``gaps`` of the answer."""
    mark = f'osc-migrate-{secrets.token_hex(16)}'
    try:
        words = [*ssh.words(host), 'sh']
    except exceptions.InvalidInput as error:
        return hardware.unreached(host, str(error))
    try:
        output, code, errors = _run(
            words, commands.script(mark, ssh.uri), ssh.timeout, running=running
        )
    except OSError as error:
        return hardware.unreached(host, f'{words[0]}: {error.strerror}')
    found = commands.answers(output, mark)
    if not found:
        return hardware.unreached(host, _why(code, errors, ssh.timeout))
    probe = parse.host_probe(host, found)
    if commands.is_whole(output, mark):
        return probe
    why = f'the answer was cut off: {_why(code, errors, ssh.timeout)}'
    return dataclasses.replace(probe, gaps={'ssh': why, **probe.gaps})


def _run(
    words: list[str],
    script: str,
    timeout: float,
    *,
    running: set[subprocess.Popen[str]],
) -> tuple[str, int | None, str]:
    """Run a command; its code is ``None`` if it had to be ended."""
    # in a session of its own it finds no terminal to ask for a password
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding='utf-8',
        errors='replace',
        start_new_session=True,
        env={**os.environ, 'SSH_ASKPASS_REQUIRE': 'never'},
    ) as process:
        running.add(process)
        try:
            output, errors = process.communicate(script, timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            output, errors = process.communicate()
            return output, None, errors
        finally:
            running.discard(process)
        return output, process.returncode, errors


def _end(process: subprocess.Popen[str]) -> None:
    """End ssh, and what it has started to get through a jump host."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _why(code: int | None, errors: str, timeout: float) -> str:
    """Say why nothing came: the last words of ssh are the plainest."""
    if code is None:
        return f'it did not answer within {timeout:g} s'
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    told = [line for line in lines if set(line) - set('@ ')]
    text = told[-1] if told else f'ssh ended with the code {code}'
    return ''.join(c for c in text[:200] if c.isprintable())


def _gap(probe: hardware.HostProbe, ssh: Ssh) -> model.Gap:
    try:
        command = shlex.join(ssh.words(probe.host))
    except exceptions.InvalidInput:
        command = 'openstack compute service list --service nova-compute'
    return model.Gap(
        subject=f'probe of {probe.host}',
        reason=probe.why_not,
        remedy=_REMEDY.format(command=command),
    )
