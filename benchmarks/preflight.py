# SPDX-License-Identifier: Apache-2.0
"""What a preflight costs: requests, seconds, and time of the processor.

``python -m benchmarks preflight`` asks the lab about 10 and 100 servers of
one host, and then replays its answers for 1000 servers made of the hundred
(a lab of a thousand takes long to fill). The judgement alone, from a snapshot
to the report, is measured for 1000 made-up servers and 200 hosts.
"""

import argparse
import collections
import json
import os
import pathlib
import sys
import time
from typing import Any

from keystoneauth1 import session as sessions
import yaml

from benchmarks import replay
from lab import api as apis
from lab import populate
from lab import scenario as scenarios
import osc_migrate
from osc_migrate import fit
from osc_migrate import planner
from osc_migrate import testing

HOST = 'compute-1'


def scenario(number: int) -> str:
    """Describe so many servers: of ten, two are not plain."""
    kinds = {
        'plain': {'flavor': 'small'},
        'large': {'flavor': 'large'},
        'numa': {'flavor': 'numa'},
        'volume': {'flavor': 'small', 'volume_backed': True},
        'group': {'flavor': 'small', 'group': f'web-{number}'},
    }
    shares = {'plain': 6, 'large': 2, 'numa': 1, 'volume': 1}
    servers = [
        {
            'name': name,
            'host': HOST,
            'count': share * number // 10,
            **kinds[name],
        }
        for name, share in shares.items()
    ]
    servers.append({'name': 'member', 'host': HOST, **kinds['group']})
    return yaml.safe_dump(
        {
            'flavors': {
                'small': {'ram': 256},
                'large': {'ram': 512, 'vcpus': 2},
                'numa': {'ram': 256, 'extra_specs': {'hw:numa_nodes': '1'}},
            },
            'server_groups': {f'web-{number}': {'policy': 'anti-affinity'}},
            'servers': servers,
        }
    )


def measured(session: sessions.Session) -> dict[str, Any]:
    """Take a snapshot and judge it; count, by what is asked for."""
    log = replay.Log()
    session.session.hooks['response'].append(log)
    began, used = time.monotonic(), time.process_time()
    snapshot = osc_migrate.Cloud(session).snapshot(host=HOST)
    taken = time.monotonic()
    report = osc_migrate.preflight(snapshot, host=HOST)
    session.session.hooks['response'].remove(log)
    kinds = collections.Counter(map(replay.kind, log.answers))
    return {
        'servers': len(report.servers),
        'hosts': len(snapshot.hosts),
        'requests': len(log.answers),
        'per server': kinds['per server'],
        'candidates': kinds['allocation candidates'],
        'bulk': kinds['bulk'],
        'seconds': round(taken - began, 1),
        'cpu seconds': round(time.process_time() - used, 1),
        'answers': log.answers,
    }


def judged(
    number: int, hosts: int, flavors: int, pinned: int = 0
) -> dict[str, Any]:
    """Judge made-up servers of so many flavors; nothing is asked.

    :param pinned: one flavor of how many wants dedicated CPUs, of which no
        API tells enough: each server and host is then a finding
    """
    made = [
        testing.flavor(
            original_name=f'f{n}',
            ram=512 + 4 * n,
            extra_specs={'hw:cpu_policy': 'dedicated'}
            if pinned and n % pinned == 0
            else {},
        )
        for n in range(flavors)
    ]
    snapshot = testing.snapshot(
        [
            testing.server(f's{n}', flavor=made[n % flavors])
            for n in range(number)
        ],
        [testing.host(f'compute-{n}') for n in range(1, hosts + 1)],
    )
    began = time.process_time()
    plan = planner.plan(snapshot, HOST)  # judges first
    planned = time.process_time()
    fit.document(plan, snapshot, fit.judge(plan))
    ended = time.process_time()
    servers = plan.report.servers
    return {
        'servers': len(servers),
        'hosts': hosts,
        'flavors': flavors,
        'findings': sum(len(each.all_findings()) for each in servers),
        'judge, plan': f'{planned - began:.2f} s',
        'report': f'{ended - planned:.2f} s',
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Write rows below their keys."""
    lines = [list(rows[0]), *(map(str, row.values()) for row in rows)]
    return '\n'.join(
        '  '.join(f'{cell:>12}' for cell in line) for line in lines
    )


def main() -> int:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=pathlib.Path)
    arguments = parser.parse_args()
    clouds = os.environ['OS_CLIENT_CONFIG_FILE']
    asked = []
    for number in (10, 100):
        # those of the first round stay
        populate.create(scenarios.loads(scenario(number)), clouds)
        asked.append(measured(apis.Api(clouds).session))
    with replay.multiplied(asked[-1]['answers'], 10):
        asked.append(measured(apis.Api(clouds).session))
    for row in asked:
        del row['answers']
    alone = [judged(1000, 200, flavors) for flavors in (12, 100, 1000)]
    alone.append(judged(1000, 200, 12, pinned=2))
    print('asked of the lab; the last row of answers that were multiplied:')
    print(table(asked))
    print('\nCPU of one core, nothing asked; half are pinned in the last row:')
    print(table(alone))
    if arguments.json:
        found = {'asked': asked, 'judged': alone}
        arguments.json.write_text(json.dumps(found, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
