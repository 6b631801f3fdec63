# SPDX-License-Identifier: Apache-2.0
"""The cloud of the guides in the documentation, within the shared lab."""

import os

import yaml

from tests import examples
from tests.functional import base

GUIDE = examples.ROOT / 'lab' / 'guide.yaml'


class GuideTest(base.FunctionalTest):
    """A test that plays an example on the cloud of ``lab/guide.yaml``."""

    def setUp(self) -> None:
        super().setUp()
        cloud = yaml.safe_load(GUIDE.read_text())
        # the shared lab has the same hosts, and others that are not to be
        # seen here; the reset after the test enables those again
        hosts = cloud.pop('hosts')
        self.assertEqual([{}] * len(hosts), list(hosts.values()))
        for service in self._services():
            if service['host'] not in hosts:
                self._disable(service['id'])
        self.scenario(yaml.safe_dump(cloud))

    def _services(self) -> list[dict[str, str]]:
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
