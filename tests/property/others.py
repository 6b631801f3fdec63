# SPDX-License-Identifier: Apache-2.0
"""What others do in a made-up Nova while a host of it is drained."""

from collections.abc import Callable, Mapping
import dataclasses

from osc_migrate import testing
from osc_migrate.task import Action
from osc_migrate.task import Request
from tests.property import matter
from tests.property import nova as novas


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that somebody else does to one server, or to the host.

    ``number`` is that of the request before which it happens; if there is
    none, it happens after ``seconds``.
    """

    kind: str
    which: int
    number: int | None
    seconds: float

    def __call__(self, nova: novas.Nova) -> None:
        """Do it, if it is possible now."""
        servers = list(nova.world.servers.values())
        server = servers[self.which % len(servers)]
        server.is_touched = True
        if server.exists:
            _KINDS[self.kind](nova, server)


def _delete(nova: novas.Nova, server: matter.Server) -> None:
    server.exists = False


def _busy(
    nova: novas.Nova, server: matter.Server, doing: str, vm_state: str
) -> None:
    """Do something to a server that takes a moment."""
    if server.task_state is not None or server.vm_state not in matter.POWER:
        return
    server.task_state = doing

    def done() -> None:
        if server.task_state == doing:
            server.task_state, server.vm_state = None, vm_state
            server.power_state = matter.POWER[vm_state]

    nova.world.after(4, done)


def _move(nova: novas.Nova, server: matter.Server, kind: str) -> None:
    nova.move(server, kind, None, user=novas.OWNER)


def _confirm(nova: novas.Nova, server: matter.Server) -> None:
    nova.confirm(Request(action=Action.CONFIRM, server_id=server.id))


def _revert(nova: novas.Nova, server: matter.Server) -> None:
    record = nova.newest(server)
    if record and record.status == 'finished' and server.task_state is None:
        nova.world.revert(record)


def _abort(nova: novas.Nova, server: matter.Server) -> None:
    record = nova.newest(server)
    if record and record.migration_type == 'live-migration':
        nova.abort(
            Request(
                action=Action.ABORT,
                server_id=server.id,
                migration_id=record.id,
            )
        )


def _arrive(nova: novas.Nova, server: matter.Server) -> None:
    """A build that was scheduled before the host was closed."""
    name = f'late-{len(nova.world.servers)}'
    nova.world.servers[testing.identifier(name)] = matter.Server(
        id=testing.identifier(name),
        name=name,
        ram=512,
        vm_state='active',
        host='compute-1',
        is_touched=True,
    )


_KINDS: Mapping[str, Callable[[novas.Nova, matter.Server], None]] = {
    'delete': _delete,
    'reboot': lambda nova, server: _busy(
        nova, server, 'rebooting', server.vm_state
    ),
    'stop': lambda nova, server: _busy(
        nova, server, 'powering-off', 'stopped'
    ),
    'start': lambda nova, server: _busy(nova, server, 'powering-on', 'active'),
    'pause': lambda nova, server: _busy(nova, server, 'pausing', 'paused'),
    'live': lambda nova, server: _move(nova, server, 'live-migration'),
    'resize': lambda nova, server: _move(nova, server, 'resize'),
    'confirm': _confirm,
    'revert': _revert,
    'abort': _abort,
    'arrive': _arrive,
    'kill': lambda nova, server: nova.world.kill('compute-1'),
    'revive': lambda nova, server: nova.world.revive('compute-1'),
}
KINDS = tuple(_KINDS)
