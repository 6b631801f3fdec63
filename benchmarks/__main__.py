# SPDX-License-Identifier: Apache-2.0
"""Run benchmarks: ``python -m benchmarks [NAME [ARGUMENT...]]``.

Without a name all of them run, one after the other. One that needs a lab
boots a lab of its own, from the scenario of its name beside it.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
NAMES = ('convergence', 'preflight', 'drains')


def main(arguments: list[str]) -> int:
    """Run what is named, return the worst exit code."""
    names = arguments[:1] or list(NAMES)
    unknown = set(names) - set(NAMES)
    if unknown:
        print(f'{unknown.pop()} is none of the benchmarks {", ".join(NAMES)}')
        return 2
    return max(_run(name, arguments[1:]) for name in names)


def _run(name: str, arguments: list[str]) -> int:
    command = [sys.executable, '-m', f'benchmarks.{name}', *arguments]
    scenario = HERE / f'{name}.yaml'
    if scenario.exists():
        lab = [sys.executable, '-m', 'lab', 'run', str(scenario), '--']
        command = lab + command
    print(f'{name}:', flush=True)
    return subprocess.run(command, check=False).returncode


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
