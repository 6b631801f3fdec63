# SPDX-License-Identifier: Apache-2.0
"""What a command says beside its listing: to people, and to its log.

Sentences go to stderr. With ``--log`` each of them is written down as well,
as an event with what a program wants to know of it.
"""

import argparse
import contextlib
import sys
from typing import Any

from osc_migrate.osc import access


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add where everything that happens is written down."""
    parser.add_argument(
        '--log',
        metavar='<file>',
        help='Append all that happens there, as JSON lines: each change of '
        'a move, and what is done to the host',
    )


class Voice:
    """Says sentences and writes events down.

    :raises InvalidInput: the log cannot be written
    """

    def __init__(self, path: str | None, stack: contextlib.ExitStack) -> None:
        from osc_migrate import report

        # none or one, to be put beside other reporters
        self.logs: list[report.JsonLines] = []
        if path:
            stream = stack.enter_context(access.appending(path))
            self.logs = [report.JsonLines(stream)]

    def say(self, text: str, event: str = 'note', **said: Any) -> None:
        """Say something to people, and write it down."""
        print(text, file=sys.stderr, flush=True)
        self.write(event, text=text, **said)

    def write(self, event: str, **said: Any) -> None:
        """Write something down that is said in another way."""
        for log in self.logs:
            log.write(event, said)
