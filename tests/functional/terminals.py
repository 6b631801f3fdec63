# SPDX-License-Identifier: Apache-2.0
"""``openstack`` on a pseudo-terminal, as an operator has it."""

from collections.abc import Sequence
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from tests.functional import base

_ESCAPE = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07')


class Terminal:
    """A command that reads keys and draws on a terminal of some size."""

    def __init__(self, words: Sequence[str], columns: int = 100) -> None:
        self.screen = ''
        self.number, other = pty.openpty()
        self.resize(columns)
        self.process = subprocess.Popen(
            [str(base.OPENSTACK), *words],
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, 'TERM': 'xterm'},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(other)

    def resize(self, columns: int, lines: int = 24) -> None:
        """Give the terminal another size."""
        size = struct.pack('HHHH', lines, columns, 0, 0)
        fcntl.ioctl(self.number, termios.TIOCSWINSZ, size)

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self.number, keys.encode())

    def read(self, seconds: float = 0.1) -> str:
        """Return all that was written up to now, without escapes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self.number], [], [], left)
            if not ready:
                break
            try:
                data = os.read(self.number, 65536)
            except OSError:  # the other end is closed
                break
            self.screen += data.decode(errors='replace')
        return _ESCAPE.sub('', self.screen)

    def hang_up(self) -> None:
        """Let the terminal be lost, as with a connection."""
        os.close(self.number)
        self.number = -1

    def forget(self) -> None:
        """Begin anew with what was written."""
        self.read()
        self.screen = ''

    def is_restored(self) -> bool:
        """Whether the terminal echoes and takes lines, as a shell wants."""
        flags = termios.tcgetattr(self.number)[3]
        wanted = termios.ECHO | termios.ICANON
        return flags & wanted == wanted

    def close(self) -> None:
        """End the command if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.number)
