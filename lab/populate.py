# SPDX-License-Identifier: Apache-2.0
"""Fill a rehearsal cloud with what its scenario says, and empty it again.

All through the APIs, as a cloud's own users would, but for what has no API:
the rows of Neutron's agents and the history of migrations.
"""

from collections.abc import Iterator
import contextlib
import pathlib
import sys

from lab import api as apis
from lab import behaviour
from lab import catalogue
from lab import emptying
from lab import scenario as scenarios
from lab import servers
from lab import topology

CloudsPath = str | pathlib.Path


def populate(scenario: scenarios.Scenario, clouds: CloudsPath) -> None:
    """Bring a cloud that has just booted to what the scenario says.

    :raises: :class:`lab.exceptions.LabError`.
    """
    shapes = scenarios.shapes(scenario)
    admin = apis.Api(clouds)
    topology.write_agents(shapes)
    topology.set_aggregates(admin, shapes)
    create(scenario, clouds)
    # Servers were put on these hosts, too.
    topology.set_services(admin, shapes)
    topology.stop_hosts(admin, shapes)


def create(scenario: scenarios.Scenario, clouds: CloudsPath) -> dict[str, str]:
    """Add what a scenario names, but no hosts; return server ids by name.

    What has the name of something that is there already is taken for that.

    :raises: :class:`lab.exceptions.LabError`.
    """
    with _users(scenario, clouds) as users:
        known = catalogue.create(users, scenario)
        return servers.create(users, known, scenario, _say)


def reset(clouds: CloudsPath) -> None:
    """Bring a cloud back to what it was before it had any server.

    :raises: :class:`lab.exceptions.LabError`.
    """
    shapes = behaviour.read('hosts.json')
    admin = apis.Api(clouds)
    behaviour.clear()
    topology.start_hosts()
    topology.wait_until_up(admin)
    emptying.delete_everything(admin)
    topology.write_agents(shapes)
    topology.set_aggregates(admin, shapes)
    topology.set_services(admin, shapes)
    topology.stop_hosts(admin, shapes)


@contextlib.contextmanager
def _users(
    scenario: scenarios.Scenario, clouds: CloudsPath
) -> Iterator[dict[str, apis.Api]]:
    """Give the APIs by project.

    The member of demo is an administrator as long as this lasts: who names
    the host of a server must be one, and the server is to be the member's.
    """
    admin = apis.Api(clouds)
    if all(server.project == 'admin' for server in scenario.servers):
        yield {'admin': admin}
        return
    ids = {
        kind: admin.send('identity', 'GET', f'/{kind}s?name={name}')[
            f'{kind}s'
        ][0]['id']
        for kind, name in (
            ('project', 'demo'),
            ('user', 'member'),
            ('role', 'admin'),
        )
    }
    path = '/projects/{project}/users/{user}/roles/{role}'.format(**ids)
    admin.send('identity', 'PUT', path)
    try:
        yield {'admin': admin, 'demo': apis.Api(clouds, 'lab-member')}
    finally:
        admin.send('identity', 'DELETE', path)


def _say(text: str) -> None:
    print(f'          {text}', file=sys.stderr, flush=True)
