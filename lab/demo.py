# SPDX-License-Identifier: Apache-2.0
"""The demonstration: drain a host of a running lab and look at the result.

Only the real ``openstack`` command is run, with the terminal of whoever looks
on, so that what is seen here is what an operator sees.
"""

import shlex
import subprocess
import sys

_LOOK = (
    'openstack server list --all-projects --long -c Name -c Status -c Host '
    '--sort-column Host --sort-column Name'
)
_STEPS = (
    ('Twelve servers are on compute-1:', _LOOK),
    (
        'Which of them can leave it, and how? Nothing is changed by asking:',
        'openstack server migration preflight --host compute-1',
    ),
    (
        'Empty the host:',
        'openstack compute drain compute-1 --yes --reason "new memory"',
    ),
    ('Where are they now?', _LOOK),
    (
        'The host is disabled, and says why:',
        'openstack compute service list --service nova-compute --long '
        '-c Host -c Status -c "Disabled Reason"',
    ),
    ('After the work, open it again:', 'openstack compute undrain compute-1'),
)


def main() -> int:
    """Run all steps; the first that fails ends the demonstration."""
    for text, command in _STEPS:
        print(f'\n# {text}\n$ {command}', flush=True)
        code = subprocess.run(shlex.split(command), check=False).returncode
        if code:
            print(
                f'lab: "{command}" ended with the exit code {code}; the lab '
                'and its logs are gone after this, so to look closer boot '
                'one that stays: tools/tox -e lab -- up lab/demo.yaml',
                file=sys.stderr,
            )
            return code
    print('\n# Done; the lab ends now.', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
