# SPDX-License-Identifier: Apache-2.0
"""A host to log in to: an ``sshd`` of the test's own on loopback.

It runs as the caller, on a free port, with keys and configuration of its own;
nothing of the machine's or the caller's ssh is used or changed.
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

# Debian's packages of the programs
PROGRAMS = {
    'lscpu': 'util-linux',
    'numactl': 'numactl',
    'ssh': 'openssh-client',
    'ssh-keygen': 'openssh-client',
    'sshd': 'openssh-server',
    'virsh': 'libvirt-clients',
}
_PATH = f'{os.environ.get("PATH", "")}:/usr/sbin:/sbin'
_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
SetEnv PATH={path}
"""
_CLIENT = """\
Host *
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/user_key
    IdentityAgent none
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    HostKeyAlias loopback
    CheckHostIP no
"""


def find(name: str) -> str | None:
    """Return the path of a program."""
    return shutil.which(name, path=_PATH)


def need_programs() -> None:
    """Skip the test where programs are missing; in CI that is a failure."""
    missing = sorted({PROGRAMS[n] for n in PROGRAMS if find(n) is None})
    if not missing:
        return
    text = f'for the probe, as root: apt-get install {" ".join(missing)}'
    if os.environ.get('PROBE_TESTS') == 'required':
        raise AssertionError(text)
    raise unittest.SkipTest(text)


def has_cells() -> bool:
    """Whether numactl may look at this machine: not in every container."""
    done = subprocess.run(
        [str(find('numactl')), '--hardware'], capture_output=True, timeout=60
    )
    return done.returncode == 0


class Sshd:
    """The server, and the configuration of a client that trusts it.

    ``path`` is where it finds programs.
    """

    def __init__(self, path: str = _PATH) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.log = self.folder / 'log'
        self.config = self.folder / 'ssh_config'
        self.known_hosts = self.folder / 'known_hosts'
        self.user = pwd.getpwuid(os.getuid()).pw_name
        for name in ('host_key', 'user_key', 'other_key'):
            self._make_key(name)
        shutil.copy(
            self.folder / 'user_key.pub', self.folder / 'authorized_keys'
        )
        self.trust('host_key')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        values = {
            'port': self.port,
            'folder': self.folder,
            'user': self.user,
            'path': path,
        }
        self.config.write_text(_CLIENT.format(**values))
        server = self.folder / 'sshd_config'
        server.write_text(_SERVER.format(**values))
        self._start(server)

    def trust(self, key: str) -> None:
        """Let the client know this key as that of the host."""
        public = (self.folder / f'{key}.pub').read_text()
        self.known_hosts.write_text(f'loopback {public}')

    def command(self, options: str = '') -> str:
        """Return what ``--probe-command`` is given."""
        return f'ssh -F {self.config} {options} {{address}}'

    def logins(self) -> int:
        """Return how many logins were accepted."""
        return self.log.read_text().count('Accepted publickey')

    def clients(self) -> list[str]:
        """Return the processes that use the client's configuration."""
        config = bytes(self.config)
        found = []
        for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
            with contextlib.suppress(OSError):
                if config in path.read_bytes():
                    found.append(path.parent.name)
        return found

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()

    def _make_key(self, name: str) -> None:
        subprocess.run(
            [
                *(str(find('ssh-keygen')), '-q', '-t', 'ed25519', '-N', ''),
                *('-C', name, '-f', str(self.folder / name)),
            ],
            check=True,
            timeout=60,
        )

    def _start(self, config: pathlib.Path) -> None:
        if os.getuid() == 0:
            # Debian makes it when the service starts
            pathlib.Path('/run/sshd').mkdir(mode=0o755, exist_ok=True)
        with self.log.open('w') as log:
            self._process = subprocess.Popen(
                [str(find('sshd')), '-D', '-e', '-f', str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while 'Server listening' not in self.log.read_text():
            if self._process.poll() is not None:
                raise AssertionError(f'no sshd: {self.log.read_text()}')
            if time.monotonic() > deadline:
                raise AssertionError('sshd does not begin to listen')
            time.sleep(0.1)
