# SPDX-License-Identifier: Apache-2.0
"""Break the engine on purpose, and see whether its tests notice.

``python tests/mutants.py [NAME...]`` makes one change at a time, of those in
``tests/data/mutants.toml``, in a copy of the sources, runs the unit tests of
the engine, and if they are content the property tests as well. It prints who
noticed and the score, and fails if any mutant survives. It is no part of the
usual test run: it takes minutes.
"""

from concurrent import futures
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
UNIT = tuple(
    f'tests.unit.test_{name}'
    for name in (
        'machine',
        'settle',
        'stall',
        'limits',
        'token',
        'selection',
        'task',
        'hosts',
        'executor',
        'drain',
        'leftovers',
    )
)
CLOUD = tuple(
    f'tests.unit.cloud.test_{name}'
    for name in ('connection', 'actions', 'reading')
)
PROPERTY = ('tests.property.test_engine',)
AT_ONCE = 2
SURVIVED = 'SURVIVED'


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change: in a file, a text that is there once, and another one."""

    name: str
    file: str
    before: str
    after: str


def load() -> list[Mutant]:
    """Read the mutants."""
    text = (ROOT / 'tests' / 'data' / 'mutants.toml').read_text('utf-8')
    return [Mutant(**known) for known in tomllib.loads(text)['mutant']]


def main(names: list[str]) -> int:
    """Try the mutants with these names, or all; return the exit code."""
    chosen = [one for one in load() if not names or one.name in names]
    for modules in (UNIT, CLOUD, PROPERTY):
        if not _passes(str(ROOT), modules):
            print(f'mutants: {", ".join(modules)} fail without any mutant')
            return 1
    began = time.monotonic()
    survivors = 0
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = pool.map(_try, chosen)
        for mutant, verdict in zip(chosen, verdicts, strict=True):
            survivors += verdict == SURVIVED
            print(f'{verdict:<18} {mutant.file}: {mutant.name}', flush=True)
    spent = time.monotonic() - began
    killed = len(chosen) - survivors
    print(f'mutants: {killed} of {len(chosen)} killed in {spent:.0f} s')
    return int(survivors > 0)


def _try(mutant: Mutant) -> str:
    """Say which tests notice a mutant."""
    with tempfile.TemporaryDirectory(prefix='mutant-') as folder:
        for part in ('osc_migrate', 'tests'):
            shutil.copytree(
                ROOT / part,
                pathlib.Path(folder, part),
                ignore=shutil.ignore_patterns('__pycache__', 'functional'),
            )
        path = pathlib.Path(folder, 'osc_migrate', mutant.file)
        text = path.read_text('utf-8')
        count = text.count(mutant.before)
        if count != 1:
            raise SystemExit(
                f'{mutant.file} has {count} times what {mutant.name!r} would '
                'change: bring tests/data/mutants.toml up to date.'
            )
        path.write_text(text.replace(mutant.before, mutant.after), 'utf-8')
        unit = CLOUD if mutant.file.startswith('cloud/') else UNIT
        if not _passes(folder, unit):
            return 'killed by unit'
        if not _passes(folder, PROPERTY):
            return 'killed by property'
        return SURVIVED


def _passes(folder: str, modules: tuple[str, ...]) -> bool:
    """Whether tests pass in a folder; those that never end do not."""
    command = [sys.executable, '-m', 'unittest', '--failfast', *modules]
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, 'PYTHONPATH': folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
