# SPDX-License-Identifier: Apache-2.0
"""The examples of the documentation: run, compared, and written anew.

A file of ``doc/source/examples`` is what a reader types and sees: a command
stands behind ``$ ``, what it prints below it, and ``$ echo $?`` shows the
exit code of the one before. The file itself says what is run, so a new
example is a file with commands in it; ``DOC_UPDATE=1`` lets the tests write
the rest instead of comparing it.
"""

from collections.abc import Callable, Mapping
import os
import pathlib
import re
import shlex
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / 'doc' / 'source' / 'examples'
IS_WRITING = bool(os.environ.get('DOC_UPDATE'))
_CODE = 'echo $?'
# what stands for a program of the checkout or its environment
_PROGRAMS = {
    'openstack': (str(pathlib.Path(sys.executable).with_name('openstack')),),
    'python': (sys.executable,),
    'tools/tox -e lab --': (sys.executable, '-m', 'lab'),
}
Run = Callable[[str], tuple[int, str]]


def commands(text: str) -> list[str]:
    """Return the commands of an example, continued lines as one."""
    joined = text.replace('\\\n> ', '')
    return re.findall(r'^\$ (.*)$', joined, re.M)


def _typed(text: str) -> list[str]:
    """Return the commands as they stand in the file."""
    return re.findall(r'^\$ .*(?:\n> .*)*$', text, re.M)


def play(text: str, run: Run) -> str:
    """Run the commands of an example; return it with what they print."""
    code, lines = 0, []
    for typed, command in zip(_typed(text), commands(text), strict=True):
        if command == _CODE:
            output = f'{code}\n'
        else:
            code, output = run(command)
        lines.append(f'{typed}\n{output}')
    return ''.join(lines)


def shell(command: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command of an example in the folder of examples."""
    (name,) = (name for name in _PROGRAMS if command.startswith(f'{name} '))
    done = subprocess.run(
        [*_PROGRAMS[name], *shlex.split(command.removeprefix(name))],
        cwd=FOLDER,
        env={'PYTHONPATH': str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout


def check(
    test: unittest.TestCase,
    name: str,
    run: Run,
    *,
    masked: Callable[[str], object] = str,
) -> None:
    """Compare an example with what happens, or write it anew."""
    path = FOLDER / name
    expected = path.read_text()
    actual = play(expected, run)
    if IS_WRITING:
        path.write_text(actual)
    else:
        test.assertEqual(
            masked(expected),
            masked(actual),
            f'{path.relative_to(ROOT)} is not what happens; if the new is '
            'right, run this test with DOC_UPDATE=1',
        )


# What is never the same twice, and how it is written instead.
_MASKS = (
    (r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '<uuid>'),
    (r'\b[0-9a-f]{32}\b', '<id>'),
    (r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?', '<time>'),
    (r'(\d+ h )?(\d+ min )?\d+(\.\d+)? s\b', '<seconds>'),
    (r'\d+(\.\d+)? [KMG]iB', '<size>'),
    # Nova takes any that are free
    (r'dedicated CPUs \d+(, \d+)*', 'dedicated CPUs <numbers>'),
    # the widths of tables follow from the rest
    (r' +', ' '),
    (r'-{2,}', '--'),
)
# of the lines that tell how a move gets on, which come as they like, only
# how it ended is compared
_PROGRESS = re.compile(r'^\d\d:\d\d:\d\d ')
_ENDS = re.compile(
    r'^\d\d:\d\d:\d\d (\S+: (?:completed|confirmed|failed|error|cancelled|'
    r'stuck)\b[^;]*)'
)


def masked(text: str) -> dict[str, list[str]]:
    """Return what must be the same each time that an example is run.

    By command: the lines it prints, sorted, for servers may end in any
    order.
    """
    found: dict[str, list[str]] = {}
    for block in re.split(r'^\$ ', text, flags=re.M)[1:]:
        command, _, output = block.partition('\n')
        lines = []
        for line in output.splitlines():
            if _PROGRESS.match(line):
                ended = _ENDS.match(line)
                line = ended[1] if ended else ''
            for pattern, stands_for in _MASKS:
                line = re.sub(pattern, stands_for, line)
            if line:
                lines.append(line)
        key = f'{len(found)} {command}'
        found[key] = sorted(lines)
    return found
