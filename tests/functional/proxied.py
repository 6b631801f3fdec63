# SPDX-License-Identifier: Apache-2.0
"""Drains through a proxy: one of each kind of server, and what must hold."""

import os
import pathlib
import signal
import tempfile
from unittest import mock

import yaml

from tests.functional import base
from tests.functional import drains
from tests.functional import proxy as proxies

KINDS = """
flavors: {small: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {name: running, flavor: small, host: compute-1, dirty_mb_s: 20}
  - {name: paused, flavor: small, host: compute-1, status: PAUSED}
  - {name: stopped, flavor: small, host: compute-1, status: SHUTOFF}
  - {name: volume, flavor: small, host: compute-1, volume_backed: true}
"""
DRAIN = 'compute drain compute-1 --yes'
STATUS = {
    'running': 'ACTIVE',
    'paused': 'PAUSED',
    'stopped': 'SHUTOFF',
    'volume': 'ACTIVE',
}


class ProxiedTest(drains.DrainTest):
    """A test whose ``openstack`` reaches Nova through ``self.proxy``."""

    def setUp(self) -> None:
        super().setUp()
        target = self.session.get_endpoint(service_type='compute')
        self.proxy = proxies.Proxy(target)
        self.addCleanup(self.proxy.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        clouds = yaml.safe_load(pathlib.Path(self.clouds).read_text('utf-8'))
        for cloud in clouds['clouds'].values():
            cloud['compute_endpoint_override'] = self.proxy.url
        path = pathlib.Path(folder.name, 'clouds.yaml')
        path.write_text(yaml.safe_dump(clouds), 'utf-8')
        self.enterContext(
            mock.patch.dict(os.environ, OS_CLIENT_CONFIG_FILE=str(path))
        )

    def run_until_killed(
        self, matches: proxies.Matches, number: int = 1, *, is_known: bool
    ) -> base.Result:
        """Drain, and kill the client at its request of that number.

        :param is_known: whether Nova has got it; the client is not told
        """
        running: list[base.Running] = []

        def die(call: proxies.Call) -> None:
            if is_known:
                call.forward()
            running[0].process.send_signal(signal.SIGKILL)
            running[0].process.wait()
            call.reset()

        if number > 1:
            self.proxy.break_(matches, proxies.well, number - 1)
        self.proxy.break_(matches, die)
        running.append(self.openstack_start(DRAIN))
        result = running[0].wait(300)
        self.proxy.heal()
        return result

    def assert_killed(self, result: base.Result) -> None:
        """The client did not end by itself."""
        self.assertEqual(-signal.SIGKILL, result.code, result.stderr)

    def assert_drained(self, result: base.Result) -> None:
        """Every server is where it should be, and was asked for once."""
        self.assertEqual(0, result.code, result.stderr)
        self.assertIn('compute-1 is empty', result.stderr)
        for name, status in STATUS.items():
            self.assert_moved(name, status)
            self.assert_accepted_once(name, *proxies.MOVES)
        self.assert_accepted_once('stopped', 'confirmResize')
        self.assert_empty('compute-1')
        service = self.service('compute-1')
        self.assertEqual('disabled', service['status'])
        self.assertIn('osc-migrate: drained by', service['disabled_reason'])

    def assert_accepted_once(self, name: str, *actions: str) -> None:
        """Nova got one request for a server; what it refused is none."""
        asked = self.proxy.asked(self.identity(name), *actions)
        accepted = [one for one in asked if one.status in (202, 204)]
        refused = [one for one in asked if one.status == 401]
        self.assertEqual(1, len(accepted), f'{name}: {asked}')
        self.assertEqual(len(asked), len(accepted) + len(refused), asked)
