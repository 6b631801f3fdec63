# SPDX-License-Identifier: Apache-2.0
"""What Ctrl-C does: once, start nothing more; twice, leave at once."""

from collections.abc import Callable, Iterator
import contextlib
import signal
import typing
from typing import Any

if typing.TYPE_CHECKING:
    from osc_migrate.executor import Executor


@contextlib.contextmanager
def stopping(
    executor: 'Executor',
    say: Callable[[str, str], object],
    *,
    host: str,
    resume: str,
) -> Iterator[None]:
    """Let an interrupt stop an executor, and a second one leave it.

    :param say: called with a sentence and the name of the event
    :param resume: the command that goes on
    """

    def handle(number: int, _: Any) -> None:
        if executor.is_stopping:
            say(
                'Leaving; Nova goes on with what it has begun. To attach: '
                f'openstack server migration watch --host {host}; to go on: '
                f'{resume}',
                'left',
            )
            raise KeyboardInterrupt
        executor.stop()
        say(
            'Nothing more is started; waiting for what is under way. '
            'Interrupt again to leave at once.',
            'interrupted',
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
