# SPDX-License-Identifier: Apache-2.0
"""Ask Nova for something, once, and say what it answered.

Never ``force``: it goes around the scheduler, and since 2.68 Nova has no such
thing. The requests are those of novaclient at a fixed microversion each. Only
what sets a service to a value is repeated when it fails: twice is once there.
"""

from collections.abc import Callable, Mapping
from typing import Any

from keystoneauth1 import exceptions as keystone_exceptions

from osc_migrate import exceptions
from osc_migrate.cloud import connection
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Request

# 2.34 answers before the checks, 2.68 knows no force
LIVE_MIGRATE = (2, 68)
# since 2.56 a cold migration may name its destination
MIGRATE = (2, 56)
# abort also takes queued and preparing migrations
ABORT = (2, 65)
FORCE_COMPLETE = (2, 22)
# no force; since 2.95 an evacuated server is left stopped
EVACUATE = (2, 95)
SERVICES = (2, 53)
ANY = (2, 53)


def ask(link: connection.Connection, request: Request) -> Answer:
    """Send a request to Nova; a lost answer has no status code."""
    send = _REQUESTS[request.action]
    try:
        with connection.translated(str(request.action)):
            answer = send(link, request)
    except exceptions.CloudError as error:
        return Answer(
            status_code=error.status_code,
            message=str(error),
            request_id=error.request_id,
        )
    except keystone_exceptions.ClientException as error:
        return Answer(status_code=None, message=str(error), request_id=None)
    return Answer(status_code=202, message='', request_id=_request_id(answer))


def _request_id(answer: Any) -> str | None:
    ids = getattr(answer, 'request_ids', None) or [None]
    return ids[0] and str(ids[0])


def _live_migrate(link: connection.Connection, request: Request) -> Any:
    return link.compute_actions(LIVE_MIGRATE).servers.live_migrate(
        request.server_id, request.destination, block_migration='auto'
    )


def _cold_migrate(link: connection.Connection, request: Request) -> Any:
    servers = link.compute_actions(MIGRATE).servers
    return servers.migrate(request.server_id, host=request.destination)


def _evacuate(link: connection.Connection, request: Request) -> Any:
    servers = link.compute_actions(EVACUATE).servers
    return servers.evacuate(request.server_id, host=request.destination)


def _abort(link: connection.Connection, request: Request) -> Any:
    migrations = link.compute_actions(ABORT).server_migrations
    return migrations.live_migration_abort(
        request.server_id, request.migration_id
    )


def _force_complete(link: connection.Connection, request: Request) -> Any:
    migrations = link.compute_actions(FORCE_COMPLETE).server_migrations
    return migrations.live_migrate_force_complete(
        request.server_id, request.migration_id
    )


_REQUESTS: Mapping[Action, Callable[[connection.Connection, Request], Any]] = {
    Action.LIVE_MIGRATE: _live_migrate,
    Action.COLD_MIGRATE: _cold_migrate,
    Action.EVACUATE: _evacuate,
    Action.CONFIRM: lambda link, request: link.compute_actions(
        ANY
    ).servers.confirm_resize(request.server_id),
    Action.ABORT: _abort,
    Action.FORCE_COMPLETE: _force_complete,
    Action.RESET_STATE: lambda link, request: link.compute_actions(
        ANY
    ).servers.reset_state(request.server_id, 'active'),
    Action.PAUSE: lambda link, request: link.compute_actions(
        ANY
    ).servers.pause(request.server_id),
}


def disable(
    link: connection.Connection, service_id: str, reason: str
) -> str | None:
    """Disable a compute service, with a reason or none.

    :return: the id of the request

    :raises CloudError: and its kinds
    """
    with connection.translated(f'PUT /os-services/{service_id}'):
        services = link.compute(SERVICES).services
        if not reason:
            return _request_id(services.disable(service_id))
        return _request_id(services.disable_log_reason(service_id, reason))


def enable(link: connection.Connection, service_id: str) -> str | None:
    """Enable a compute service; return the request's id.

    Nova then forgets the reason.

    :raises CloudError: and its kinds
    """
    with connection.translated(f'PUT /os-services/{service_id}'):
        services = link.compute(SERVICES).services
        return _request_id(services.enable(service_id))


def force_down(link: connection.Connection, service_id: str) -> None:
    """Tell Nova that a compute service is down, whatever it reports.

    :raises CloudError: and its kinds
    """
    with connection.translated(f'PUT /os-services/{service_id}'):
        link.compute(SERVICES).services.force_down(service_id, True)
