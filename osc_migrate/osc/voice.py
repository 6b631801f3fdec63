# SPDX-License-Identifier: Apache-2.0
"""What a command says beside its listing: to people, and to its log.

Sentences go to stderr. With ``--log`` each of them is written down as well,
as an event with what a program wants to know of it.
"""

import argparse
from collections.abc import Iterator, Sequence
import contextlib
import itertools
import logging
import os
import sys
import typing
from typing import Any

from osc_migrate.osc import access

if typing.TYPE_CHECKING:
    from osc_migrate import report


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add where everything that happens is written down."""
    parser.add_argument(
        '--log',
        metavar='<file>',
        help='Append all that happens there, as JSON lines: each change of '
        'a move, and what is done to the host. openstack itself takes --log '
        'for its --log-file and opens it first, so that what is said of a '
        'file that cannot be written is its own',
    )


def taken(words: Sequence[str]) -> str | None:
    """Return the file of ``--log`` that ``openstack`` took for its own.

    Its parser reads all that was typed before ours does, and argparse takes
    ``--log`` for short of its ``--log-file``. What ``openstack`` itself would
    write there does not belong among our lines.

    :param words: all that was typed
    """
    path = None
    for word, following in itertools.pairwise((*words, '')):
        if word == '--log':
            path = following
        elif word.startswith('--log='):
            path = word.partition('=')[2]
    root = logging.getLogger()
    file = os.path.abspath(path) if path else None
    for handler in list(root.handlers):
        if file and getattr(handler, 'baseFilename', None) == file:
            root.removeHandler(handler)
            handler.close()
    return path


@contextlib.contextmanager
def opened(path: str | None, words: Sequence[str]) -> Iterator['Voice']:
    """Begin to speak; an error that ends the command is written down, too.

    :param path: the file of ``--log``
    :param words: all that was typed
    :raises InvalidInput: the log cannot be written
    """
    from osc_migrate import exceptions
    from osc_migrate import report

    path = path or taken(words)
    with contextlib.ExitStack() as stack:
        voice = Voice()
        if path:
            stream = stack.enter_context(access.appending(path))
            voice.logs.append(report.JsonLines(stream))
        try:
            yield voice
        except exceptions.MigrateError as error:
            voice.write('failed', text=str(error), exit_code=1)
            raise


class Voice:
    """Says sentences and writes events down."""

    def __init__(self) -> None:
        # none or one, to be put beside other reporters
        self.logs: list[report.JsonLines] = []

    def say(self, text: str, event: str = 'note', **said: Any) -> None:
        """Say something to people, and write it down.

        That nobody hears it, as of a terminal that is gone, stops nothing.
        """
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)
        self.write(event, text=text, **said)

    def write(self, event: str, **said: Any) -> None:
        """Write something down that is said in another way."""
        for log in self.logs:
            log.write(event, said)
