# SPDX-License-Identifier: Apache-2.0
"""The clouds of the guides in the documentation, within the shared lab."""

import os
from typing import Any

import yaml

from tests import examples
from tests.functional import base

SHARED = examples.ROOT / 'tests' / 'functional' / 'scenario.yaml'


class GuideTest(base.FunctionalTest):
    """A test that plays an example on the cloud of a guide.

    Its hosts are some of the shared lab; the others are disabled, so that
    all is as in the cloud of the guide alone. The reset after the test
    enables them again.
    """

    CLOUD = 'guide.yaml'

    def setUp(self) -> None:
        super().setUp()
        path = examples.ROOT / 'lab' / self.CLOUD
        cloud = yaml.safe_load(path.read_text())
        hosts = cloud.pop('hosts')
        shared = yaml.safe_load(SHARED.read_text())['hosts']
        self.assertEqual({name: shared[name] for name in hosts}, hosts)
        for service in self._services():
            if service['host'] not in hosts:
                self._disable(service['id'])
        self.scenario(yaml.safe_dump(cloud))

    def _services(self) -> list[dict[str, Any]]:
        path = '/os-services?binary=nova-compute'
        return list(
            self.nova('GET', path, microversion='2.69').json()['services']
        )

    def _disable(self, service_id: str) -> None:
        path = f'/os-services/{service_id}'
        body = {'status': 'disabled', 'disabled_reason': 'not in the guides'}
        self.nova('PUT', path, body, microversion='2.69')

    def play(self, name: str) -> None:
        """Play an example as the administrator of the lab."""

        def run(command: str) -> tuple[int, str]:
            return examples.shell(command, os.environ)

        examples.check(self, name, run, masked=examples.masked)
