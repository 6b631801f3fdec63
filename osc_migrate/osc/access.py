# SPDX-License-Identifier: Apache-2.0
"""From the session of ``openstack`` to a cloud, and exit codes."""

from collections.abc import Iterable
import logging
import typing
from typing import Any, TextIO

if typing.TYPE_CHECKING:
    from osc_migrate.cloud import Cloud

EMPTY = 0
LEFT = 3
UNFINISHED = 4
# seconds; servers/detail of 1000 servers takes some
_TIMEOUT = 120


def cloud(manager: Any) -> 'Cloud':
    """Make a cloud of osc-lib's client manager."""
    from osc_migrate.cloud import Cloud
    from osc_migrate.cloud import connection

    # one sentence of ours says it when Nova does not answer
    levels = [handler.level for handler in logging.getLogger().handlers]
    if min(levels, default=logging.WARNING) >= logging.WARNING:
        logging.getLogger('keystoneauth.session').setLevel(logging.ERROR)
    session = manager.session
    if session.timeout is None:
        session.timeout = _TIMEOUT
    # of clouds.yaml: compute_endpoint_override and its like
    settings = manager.sdk_connection.config
    known = {kind: settings.get_endpoint(kind) for kind in connection.SERVICES}
    return Cloud(
        session,
        region_name=manager.region_name,
        interface=manager.interface,
        endpoints={kind: url for kind, url in known.items() if url},
    )


def appending(path: str) -> TextIO:
    """Open a file to append lines.

    :raises InvalidInput: it cannot be opened
    """
    from osc_migrate import exceptions

    try:
        return open(path, 'a', encoding='utf-8')
    except OSError as error:
        raise exceptions.InvalidInput(
            f'Cannot write {path}: {error.strerror}'
        ) from error


def projects(manager: Any, names: Iterable[str]) -> list[str]:
    """Return the ids of projects; who may not look them up gives ids.

    :raises InvalidInput: there is no such project, or more than one
    """
    from openstackclient.identity import common as identity
    from osc_lib import exceptions as osc_exceptions

    from osc_migrate import exceptions

    try:
        return [identity.find_project(manager.identity, n).id for n in names]
    except osc_exceptions.CommandError as error:
        raise exceptions.InvalidInput(str(error)) from error


def user_name(manager: Any) -> str:
    """Return the name of the caller."""
    reference = manager.auth_ref
    name = reference and (reference.username or reference.user_id)
    return str(name or 'somebody')
