# SPDX-License-Identifier: Apache-2.0
"""Install the oldest version that each requirement of a file allows.

``python tools/install_floors.py requirements.txt`` turns ``name>=1.2`` into
``name==1.2`` and hands that to pip, which complains where a floor of ours is
below a floor of another.
"""

import pathlib
import re
import subprocess
import sys


def main(name: str) -> int:
    """Run pip with the floors, return its exit code."""
    floors = [
        '=='.join(floor)
        for floor in re.findall(
            r'^([\w.-]+)>=([\w.]+)', pathlib.Path(name).read_text(), re.M
        )
    ]
    print('floors:', *floors)
    return subprocess.call([sys.executable, '-m', 'pip', 'install', *floors])


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
