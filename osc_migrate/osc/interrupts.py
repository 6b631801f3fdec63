# SPDX-License-Identifier: Apache-2.0
"""What Ctrl-C does: once, start nothing more; twice, leave at once."""

from collections.abc import Iterator
import contextlib
import signal
import sys
import typing
from typing import Any

if typing.TYPE_CHECKING:
    from osc_migrate.executor import Executor


@contextlib.contextmanager
def stopping(executor: 'Executor', host: str) -> Iterator[None]:
    """Let an interrupt stop an executor, and a second one leave it."""

    def handle(number: int, _: Any) -> None:
        if executor.is_stopping:
            print(
                'Leaving; Nova goes on with what it has begun. To attach: '
                f'openstack server migration watch --host {host}; to go on: '
                f'openstack compute drain {host}',
                file=sys.stderr,
                flush=True,
            )
            raise KeyboardInterrupt
        executor.stop()
        print(
            'Nothing more is started; waiting for what is under way. '
            'Interrupt again to leave at once.',
            file=sys.stderr,
            flush=True,
        )

    before = {
        number: signal.signal(number, handle)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
