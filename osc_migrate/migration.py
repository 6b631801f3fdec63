# SPDX-License-Identifier: Apache-2.0
"""How a server goes from one host to another: Nova's record, our intent.

A *migration* is what Nova keeps of one, a *move* is what we want.
"""

import dataclasses
import enum

# nova.db.main.api.migration_get_in_progress_by_host_and_node
_ENDED = (
    'confirmed',
    'reverted',
    'error',
    'failed',
    'completed',
    'cancelled',
    'done',
)


class MigrationType(enum.StrEnum):
    """How a server goes from one host to another."""

    LIVE = 'live'
    COLD = 'cold'
    EVACUATE = 'evacuate'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """Nova's record of a migration (os-migrations), not our intent.

    Sizes are in bytes and ``None`` outside of a running live migration.
    """

    id: int
    uuid: str
    server_id: str
    status: str
    migration_type: str
    source_compute: str | None
    dest_compute: str | None
    user_id: str | None
    created_at: str
    updated_at: str | None
    memory_total: int | None
    memory_processed: int | None
    memory_remaining: int | None
    disk_total: int | None
    disk_processed: int | None
    disk_remaining: int | None

    @property
    def has_ended(self) -> bool:
        """Whether Nova has done with it; an unconfirmed one has not."""
        return self.status in _ENDED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Our intent: one server to one host; ``None`` leaves it to Nova."""

    server_id: str
    source: str
    destination: str | None
    migration_type: MigrationType
