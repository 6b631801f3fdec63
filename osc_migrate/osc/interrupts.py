# SPDX-License-Identifier: Apache-2.0
"""What Ctrl-C does: once, start nothing more; twice, leave at once.

SIGTERM does the same.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import signal
import typing
from typing import Any

if typing.TYPE_CHECKING:
    from osc_migrate.executor import Executor

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def unchanged(say: Callable[..., object]) -> Iterator[None]:
    """Let an interrupt end what changes nothing, and say so.

    :param say: called with a sentence, the name of the event and more
    """

    def handle(number: int, _: Any) -> None:
        raise KeyboardInterrupt

    with _handled(handle):
        try:
            yield
        except KeyboardInterrupt:
            say('Nothing was changed.', 'refused', exit_code=4)
            raise


@contextlib.contextmanager
def noted() -> Iterator[Sequence[int]]:
    """Let an interrupt wait for what must not be cut off; list it."""
    early: list[int] = []

    def handle(number: int, _: Any) -> None:
        if early:
            raise KeyboardInterrupt
        early.append(number)

    with _handled(handle):
        yield early


@contextlib.contextmanager
def stopping(
    executor: 'Executor',
    say: Callable[[str, str], object],
    *,
    host: str,
    resume: str,
    early: Sequence[int] = (),
) -> Iterator[None]:
    """Let an interrupt stop an executor, and a second one leave it.

    :param say: called with a sentence and the name of the event
    :param resume: the command that goes on
    :param early: an interrupt that has waited
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

    with _handled(handle):
        for number in early:
            signal.raise_signal(number)
        yield


@contextlib.contextmanager
def _handled(handle: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle what interrupts a command."""
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
