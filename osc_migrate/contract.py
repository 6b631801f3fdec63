# SPDX-License-Identifier: Apache-2.0
"""What the engine needs of a cloud: five calls, each of them one request.

:class:`osc_migrate.cloud.Cloud` has them; so has the made-up Nova of the
property tests, on which every order of events can be tried.
"""

from typing import Protocol

from osc_migrate import model
from osc_migrate.task import Answer
from osc_migrate.task import Request
from osc_migrate.task import Sight


class Nova(Protocol):
    """What the executor needs of :class:`osc_migrate.cloud.Cloud`."""

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server now."""

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return migration records, the newest first."""

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a live migration in progress with its figures."""

    def ask(self, request: Request) -> Answer:
        """Send a request, once."""
