# SPDX-License-Identifier: Apache-2.0
"""Serve an OpenStack API: its stock WSGI application, on a given socket.

``python -m lab.web DESCRIPTOR NAME`` serves ``NAME.wsgi.api``. The socket
was bound and listens already in whoever starts us: no port is ever guessed,
and who asks early waits instead of being refused.
"""

import importlib
import os
import signal
import socket
import sys
from typing import Any

from cheroot import wsgi

THREADS = 8


class _Server(wsgi.Server):
    """A server that takes a socket as it is."""

    def __init__(self, application: Any, descriptor: int) -> None:
        self.given = socket.socket(fileno=descriptor)
        super().__init__(
            self.given.getsockname(),
            application,
            numthreads=THREADS,
            max=THREADS * 2,
            request_queue_size=512,
            timeout=3600,
            server_name='127.0.0.1',
        )
        # The services keep their connections; closing what is idle (as is
        # cheroot's habit, at ten) breaks the request that comes just then.
        self.keep_alive_conn_limit = 10000

    def bind(self, *_: Any) -> socket.socket:
        self.socket = self.given
        return self.given


def serve(application: Any, descriptor: int) -> None:
    """Serve until the process is ended."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    _Server(application, descriptor).start()


def main() -> None:
    """Serve what the command line says."""
    _, descriptor, name = sys.argv
    # The applications parse the command line, too.
    sys.argv = [name]
    from lab import sqlite

    sqlite.tune()
    module = importlib.import_module(f'{name}.wsgi.api')
    serve(module.application, int(descriptor))


if __name__ == '__main__':
    main()
