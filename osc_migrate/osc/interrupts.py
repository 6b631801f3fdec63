# SPDX-License-Identifier: Apache-2.0
"""What Ctrl-C does: once, start nothing more; twice, leave at once.

SIGTERM does the same, and a terminal that is lost, which is often told more
than once and never means to leave at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import os
import signal
import typing
from typing import Any

if typing.TYPE_CHECKING:
    from osc_migrate.executor import Executor

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# stdout and stderr
_OUTPUTS = (1, 2)


def interrupt(number: int, _: Any) -> None:
    """Do what Ctrl-C does by itself."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def unchanged(say: Callable[..., object]) -> Iterator[None]:
    """Let an interrupt end what changes nothing, and say so.

    :param say: called with a sentence, the name of the event and more
    """
    with _handled(interrupt):
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
        if early and number != signal.SIGHUP:
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
        if executor.is_stopping and number == signal.SIGHUP:
            return
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
        for number in early[:1]:
            signal.raise_signal(number)
        yield


@contextlib.contextmanager
def _handled(handle: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle what interrupts a command."""

    def handled(number: int, frame: Any) -> None:
        if number == signal.SIGHUP:
            _let_go()
        handle(number, frame)

    numbers = list(_SIGNALS)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # by nohup
        numbers.remove(signal.SIGHUP)
    with handling(handled, numbers):
        yield


@contextlib.contextmanager
def handling(
    handle: Callable[[int, Any], None], numbers: Iterable[int]
) -> Iterator[None]:
    """Handle signals, and let be what was in the end."""
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _let_go() -> None:
    """Write no more to a terminal that is gone: each write would fail."""
    for output in _OUTPUTS:
        try:
            os.write(output, b'')
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, output)
            os.close(nowhere)
