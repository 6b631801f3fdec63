# SPDX-License-Identifier: Apache-2.0
"""The command line of a watch: what contradicts itself, and how to repeat it.

Defaults are the parser's, so that what is not given is not said.
"""

import argparse
from collections.abc import Iterable, Iterator
import shlex
from typing import Any

# how to follow, and what only goes with not following
_CONDUCT = ('follow', 'on_stall', 'max_pause', 'timeout_per_gib')
_OF_THE_PAST = ('since', 'topology')


def _given(
    parsed_args: argparse.Namespace,
    parser: argparse.ArgumentParser,
    names: Iterable[str],
) -> Iterator[tuple[str, Any]]:
    """Yield those options that are not as they are by default."""
    for name in names:
        value = getattr(parsed_args, name)
        if value != parser.get_default(name):
            yield f'--{name.replace("_", "-")}', value


def misuse(
    parsed_args: argparse.Namespace, parser: argparse.ArgumentParser
) -> str:
    """Say what is missing, or which options contradict each other."""
    if not (parsed_args.server or parsed_args.host or parsed_args.all):
        return 'name servers, or give --host HOST or --all'
    names: Iterable[str] = _OF_THE_PAST
    why = 'goes with --past only'
    if parsed_args.past:
        names = ('timeout', *_CONDUCT)
        why = 'does not go with --past, which follows nothing'
    for option, _ in _given(parsed_args, parser, names):
        return f'{option} {why}'
    return ''


def again(
    parsed_args: argparse.Namespace, parser: argparse.ArgumentParser
) -> str:
    """Write the command that attaches again."""
    words = ['openstack', 'server', 'migration', 'watch', *parsed_args.server]
    for host in parsed_args.host:
        words += ['--host', host]
    names = ('all', *_CONDUCT, 'format', 'plain')
    for option, value in _given(parsed_args, parser, names):
        words.append(option)
        if isinstance(value, float):
            words.append(f'{value:.15g}')
        elif value is not True:
            words.append(value)
    return shlex.join(words)
