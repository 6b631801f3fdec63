# SPDX-License-Identifier: Apache-2.0
"""Words for tests of watches: migrations of others, and what is said."""

import concurrent.futures
import json
import time
from typing import Any

from tests.functional import base


class WatchTest(base.FunctionalTest):
    """A test that begins migrations and watches them."""

    def migrate(self, *names: str, to: str = 'compute-3') -> None:
        """Begin live migrations as another operator would."""

        def begin(name: str) -> None:
            body = {'host': to, 'block_migration': 'auto'}
            path = f'/servers/{self.ids[name]}/action'
            answer = self.nova('POST', path, {'os-migrateLive': body})
            self.assertEqual(202, answer.status_code, answer.text)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(begin, names))

    def migrate_cold(self, name: str, to: str = 'compute-3') -> None:
        """Begin a cold migration as another operator would."""
        path = f'/servers/{self.ids[name]}/action'
        answer = self.nova('POST', path, {'migrate': {'host': to}})
        self.assertEqual(202, answer.status_code, answer.text)

    def links(self, *hosts: str, speed: int) -> None:
        """Give hosts links of so many MiB per second."""
        for host in hosts:
            self.lab_set(host, f'link_mb_s={speed}')

    def wait_for_ends(self, name: str, count: int) -> None:
        """Wait until a server has so many migrations behind it."""
        self.wait_for(
            lambda: (
                [one['status'] for one in self.migrations(name)]
                == ['completed'] * count
            ),
            60,
            f'{name} has not ended its migration {count}',
        )

    def start(self, options: str) -> base.Running:
        """Start a watch in a pipe."""
        return self.openstack_start(f'server migration watch {options}')

    def wait_for_text(
        self, running: base.Running, text: str, timeout: float = 60
    ) -> None:
        """Wait until a watch has said something."""
        until = time.monotonic() + timeout
        while True:
            is_over = running.process.poll() is not None
            if text in ''.join(running.output()):
                return
            if is_over or time.monotonic() > until:
                self.fail(f'{text!r} is not in {running.output()}')
            time.sleep(0.3)

    def objects(self, text: str) -> list[dict[str, Any]]:
        """Read JSON lines; the last one may not be whole yet."""
        return [json.loads(line) for line in text.split('\n')[:-1]]
