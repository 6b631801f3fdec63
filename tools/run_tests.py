# SPDX-License-Identifier: Apache-2.0
"""Run stestr and close with one plain line of totals.

``python tools/run_tests.py NAME STESTR-ARGUMENT...`` prints what stestr
prints, then ``NAME: 12 passed, 0 failed, 1 skipped``. A run in which no test
was executed fails, whatever stestr says: skipping all is not passing.
"""

import collections
import re
import subprocess
import sys

# The lines under "Totals" at the end of stestr's report.
_TOTAL = re.compile(
    r' - (Passed|Skipped|Failed|Expected Fail|Unexpected Success): (\d+)'
)


def main(name: str, *arguments: str) -> int:
    """Run stestr with the arguments, return the exit code."""
    totals = collections.Counter[str]()
    with subprocess.Popen(
        ['stestr', *arguments], stdout=subprocess.PIPE, text=True
    ) as stestr:
        assert stestr.stdout is not None
        for line in stestr.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if total := _TOTAL.match(line):
                totals[total[1]] = int(total[2])
    passed = totals['Passed'] + totals['Expected Fail']
    failed = totals['Failed'] + totals['Unexpected Success']
    print(f'{name}: {passed} passed, {failed} failed,', end=' ')
    print(f'{totals["Skipped"]} skipped')
    if not passed + failed:
        print(f'{name}: no test was executed, which is a failure')
    return stestr.returncode or int(failed > 0 or not passed)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
