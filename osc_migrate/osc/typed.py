# SPDX-License-Identifier: Apache-2.0
"""The command that was typed, to be pasted again.

With less than all of its options it would do something else. What stands
before the command is for ``openstack``: it is left out, as are secrets.
"""

from collections.abc import Sequence
import itertools
import re
import shlex

_SECRET = re.compile(r'--os-[^=]*(pass|secret|token)[^=]*')


def again(words: Sequence[str], more: str = '', without: str = '') -> str:
    """Return the drain that was typed, as words for a shell.

    :param words: all that was typed
    :param more: an option to add
    :param without: an option to leave out, which has no value
    """
    starts = [
        number
        for number, pair in enumerate(itertools.pairwise(words), 2)
        if pair in (('compute', 'drain'), ('migration', 'drain'))
    ]
    if not starts:
        # short for it, or typed after the prompt of "openstack"
        change = more and f' with {more}'
        change += without and f' without {without}'
        return f'the same command again{change}'
    typed = list(_harmless(words[starts[0] :]))
    if without and without in typed:
        typed.remove(without)
    if more:
        typed.append(more)
    return shlex.join(('openstack', 'compute', 'drain', *typed))


def _harmless(words: Sequence[str]) -> Sequence[str]:
    """Leave out passwords and their like."""
    kept = []
    before = ''
    for word in words:
        is_value = _SECRET.fullmatch(before)
        if not is_value and not _SECRET.match(word):
            kept.append(word)
        before = word
    return kept
