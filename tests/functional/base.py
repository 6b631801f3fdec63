# SPDX-License-Identifier: Apache-2.0
"""What every functional test stands on: a lab that many of them share.

The lab is named by ``LAB_RUN``, ``OS_CLIENT_CONFIG_FILE`` and ``OS_CLOUD``,
which ``python -m lab run`` sets; `labs` gives each worker its own. A test
finds it without any server and leaves it so; hosts are those of
``scenario.yaml`` and cannot change.
"""

from collections.abc import Callable, Sequence
import dataclasses
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
from typing import Any
import unittest

from keystoneauth1 import session as sessions
import requests
import yaml

from lab import api as apis
from lab import behaviour
from lab import control
from lab import conversion
from lab import populate
from lab import scenario as scenarios
from tests.functional import labs

HOWTO = 'python -m lab run tests/functional/scenario.yaml -- stestr ...'
OPENSTACK = pathlib.Path(sys.executable).with_name('openstack')


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Running:
    """A command that goes on in the background."""

    def __init__(
        self, words: Sequence[str], stdin: int = subprocess.DEVNULL
    ) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.paths = [
            pathlib.Path(self.folder.name, name) for name in ('out', 'err')
        ]
        with self.paths[0].open('w') as out, self.paths[1].open('w') as err:
            self.process = subprocess.Popen(
                words, stdin=stdin, stdout=out, stderr=err
            )

    def output(self) -> tuple[str, str]:
        """Return stdout and stderr, as far as they have come."""
        stdout, stderr = (path.read_text('utf-8') for path in self.paths)
        return stdout, stderr

    def wait(self, timeout: float) -> Result:
        """Wait for the end."""
        code = self.process.wait(timeout)
        return Result(code, *self.output())

    def close(self) -> None:
        """End the command if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


class FunctionalTest(unittest.TestCase):
    """A test that asks a real Nova."""

    maxDiff = None
    clouds: str
    session: sessions.Session

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        labs.claim()
        wanted = ('LAB_RUN', 'OS_CLIENT_CONFIG_FILE', 'OS_CLOUD')
        missing = [name for name in wanted if not os.environ.get(name)]
        if missing:
            raise AssertionError(
                f'There is no lab: {", ".join(missing)} not set. Run {HOWTO}'
            )
        cls.clouds = os.environ['OS_CLIENT_CONFIG_FILE']
        cls.session = apis.Api(cls.clouds).session

    def setUp(self) -> None:
        super().setUp()
        self.ids: dict[str, str] = {}
        try:
            found = self.nova('GET', '/servers?all_tenants=1').json()
        except Exception as error:
            raise AssertionError(
                f'The lab does not answer: {error} Run {HOWTO}'
            ) from error
        if found['servers'] or behaviour.read():
            populate.reset(self.clouds)  # a run before this was interrupted
        self.addCleanup(populate.reset, self.clouds)

    # the cloud, as a client sees it

    def openstack(
        self, command: str | Sequence[str], timeout: float = 120
    ) -> Result:
        """Run ``openstack COMMAND`` and return how it ended."""
        running = self.openstack_start(command)
        try:
            return running.wait(timeout)
        except subprocess.TimeoutExpired:
            stdout, stderr = running.output()
            self.fail(
                f'openstack {command} runs for more than {timeout} s.\n'
                f'{stdout}{stderr}'
            )

    def openstack_json(
        self, command: str | Sequence[str], timeout: float = 120
    ) -> Any:
        """Run ``openstack COMMAND -f json``; it must succeed."""
        result = self.openstack([*_words(command), '-f', 'json'], timeout)
        self.assertEqual(0, result.code, f'{command}: {result.stderr}')
        return json.loads(result.stdout)

    def openstack_start(self, command: str | Sequence[str]) -> Running:
        """Start ``openstack COMMAND``; it is ended with the test."""
        running = Running([str(OPENSTACK), *_words(command)])
        self.addCleanup(running.close)
        return running

    def nova(
        self,
        method: str,
        path: str,
        body: Any = None,
        microversion: str = '2.100',
    ) -> requests.Response:
        """Ask Nova as the administrator; errors are answers, too."""
        return self._send('compute', method, path, body, microversion)

    def placement(
        self,
        method: str,
        path: str,
        body: Any = None,
        microversion: str = '1.39',
    ) -> requests.Response:
        """Ask Placement as the administrator; errors are answers, too."""
        return self._send('placement', method, path, body, microversion)

    def _send(
        self,
        service: str,
        method: str,
        path: str,
        body: Any,
        microversion: str,
    ) -> requests.Response:
        return self.session.request(
            path,
            method,
            json=body,
            endpoint_filter={'service_type': service},
            microversion=microversion,
            raise_exc=False,
        )

    def identity(self, name: str) -> str:
        """Return the id of the server called ``name``."""
        if name not in self.ids:
            path = f'/servers?all_tenants=1&name=^{name}$'
            (found,) = self.nova('GET', path).json()['servers']
            self.ids[name] = found['id']
        return self.ids[name]

    def server(self, name: str) -> dict[str, Any]:
        """Return all that Nova shows of the server called ``name``."""
        path = f'/servers/{self.identity(name)}'
        return dict(self.nova('GET', path).json()['server'])

    def migrations(self, name: str) -> list[dict[str, Any]]:
        """Return a server's migration records, the newest first."""
        path = f'/os-migrations?instance_uuid={self.identity(name)}'
        return list(self.nova('GET', path).json()['migrations'])

    def wait_for(
        self, predicate: Callable[[], Any], timeout: float, message: str
    ) -> Any:
        """Return the first true value of ``predicate``, or fail."""
        deadline = time.monotonic() + timeout
        while True:
            value = predicate()
            if value:
                return value
            if time.monotonic() > deadline:
                self.fail(f'{message} (waited {timeout} s)')
            time.sleep(0.3)

    def wait_for_status(
        self, name: str, *statuses: str, timeout: float = 90
    ) -> None:
        """Wait until the newest migration is in one of some states.

        Nova makes its record some time after it has taken the request.
        """
        self.wait_for(
            lambda: any(
                record['status'] in statuses
                for record in self.migrations(name)[:1]
            ),
            timeout,
            f'{name} is not {statuses}',
        )

    # the lab, which a client does not see

    def scenario(self, text: str) -> dict[str, str]:
        """Create what the YAML says; return the ids of servers by name.

        ``nova`` may have what can change while the lab runs; ``hosts`` must
        not be there.
        """
        scenario = scenarios.loads(text)
        document = yaml.safe_load(text) or {}
        if 'hosts' in document:
            raise conversion.ScenarioError('hosts: these cannot change now.')
        for key, value in document.get('nova', {}).items():
            self.lab_set('nova', f'{key}={json.dumps(value)}')
        ids = populate.create(scenario, self.clouds)
        self.ids.update(ids)
        return ids

    def lab_set(self, name: str, *settings: str) -> None:
        """Change a server, host or ``nova``: ``'live.fails_at=pre'``."""
        control.change(name, settings)

    def lab_host(self, verb: str, name: str) -> None:
        """Start, stop, kill, freeze or thaw a nova-compute."""
        control.host(verb, name)


def _words(command: str | Sequence[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else list(command)
