# SPDX-License-Identifier: Apache-2.0
"""Words for tests that migrate servers through Nova's API themselves."""

import time
from typing import Any

from tests.functional import base

OVER = ('completed', 'failed', 'error', 'cancelled')


class MigratingTest(base.FunctionalTest):
    """Starts live migrations, looks at them and ends them."""

    def act(self, name: str, action: str, value: Any = None) -> int:
        """Ask for an action and return the HTTP status."""
        path = f'/servers/{self.identity(name)}/action'
        return self.nova('POST', path, {action: value}).status_code

    def migrate_live(self, name: str, host: str | None = None) -> None:
        """Start a live migration."""
        value = {'host': host, 'block_migration': 'auto'}
        self.assertEqual(202, self.act(name, 'os-migrateLive', value))

    def sample(self, name: str) -> dict[str, Any] | None:
        """Return the running live migration with its figures."""
        path = f'/servers/{self.identity(name)}/migrations'
        found = self.nova('GET', path).json()['migrations']
        return found[0] if found else None

    def samples(
        self, seconds: float, *names: str
    ) -> list[list[dict[str, Any]]]:
        """Return the distinct figures that each shows in some seconds."""
        seen: dict[str, dict[str, Any]] = {name: {} for name in names}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name in names:
                sample = self.sample(name)
                if sample and sample['memory_total_bytes'] is not None:
                    seen[name][sample['updated_at']] = sample
            time.sleep(0.2)
        return [list(found.values()) for found in seen.values()]

    def wait_for_figures(self, name: str) -> dict[str, Any]:
        """Wait until a live migration copies."""

        def look() -> dict[str, Any] | None:
            sample = self.sample(name)
            return sample if sample and sample['memory_total_bytes'] else None

        found: dict[str, Any] = self.wait_for(look, 60, 'nothing is copied')
        return found

    def wait_for_end(self, name: str) -> tuple[str, str, str]:
        """Return the end: migration's status, server's status and host."""

        def look() -> bool:
            is_idle = self.server(name)['OS-EXT-STS:task_state'] is None
            return is_idle and self.migrations(name)[0]['status'] in OVER

        self.wait_for(look, 90, f'{name} goes on migrating')
        if self.migrations(name)[0]['status'] == 'error':
            time.sleep(1)  # the server's ERROR comes a moment later
        server = self.server(name)
        return (
            self.migrations(name)[0]['status'],
            server['status'],
            server['OS-EXT-SRV-ATTR:host'],
        )

    def order(
        self, name: str, method: str, what: str, body: Any = None
    ) -> int:
        """Abort or force a running migration; return the HTTP status."""
        sample = self.sample(name)
        assert sample is not None
        path = f'/servers/{self.identity(name)}/migrations/{sample["id"]}'
        return self.nova(method, f'{path}{what}', body).status_code

    def abort(self, name: str) -> None:
        self.assertEqual(202, self.order(name, 'DELETE', ''))

    def force(self, name: str) -> None:
        body = {'force_complete': None}
        self.assertEqual(202, self.order(name, 'POST', '/action', body))
