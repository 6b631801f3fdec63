# SPDX-License-Identifier: Apache-2.0
"""What is raised when the tool itself cannot work.

What stands in the way of a move is a finding, what goes wrong with a move is
a task; neither is an exception. Each message is one sentence with the fact,
then the remedy::

    MigrateError
    +-- InvalidInput            what was asked makes no sense
    |   +-- HostNotFound
    |   +-- ServerNotFound
    |   +-- AmbiguousName
    |   +-- InvalidSnapshot     a snapshot file that cannot be read
    +-- CloudError              the cloud did not answer as it must
    |   +-- Forbidden
    |   +-- NoEndpoint          the catalogue does not have the service
    |   +-- ServiceUnavailable  no connection, 5xx
    +-- CheckFailed             a check did not load or raised
"""

from collections.abc import Iterable
from typing import Any

# the remedy of whoever may not see or do something
ASK_ADMIN = 'ask somebody with the role admin'


class MigrateError(Exception):
    """Root of all exceptions of this package."""


class InvalidInput(MigrateError):
    """What was asked makes no sense; nothing was done."""


class HostNotFound(InvalidInput):
    """No nova-compute service runs on a host of exactly this name."""

    def __init__(self, host: str, known: Iterable[str] = ()) -> None:
        self.host = host
        names = sorted(known)
        listed = ', '.join(names[:8]) + (', ...' if len(names) > 8 else '')
        super().__init__(
            f'No nova-compute service is named {host!r} (hosts: '
            f'{listed or "none"}); run: openstack compute service list '
            '--service nova-compute'
        )


class ServerNotFound(InvalidInput):
    """No server has this name or id."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'No server has the name or id {name!r}; run: openstack server '
            'list --all-projects'
        )


class AmbiguousName(InvalidInput):
    """Several servers have this name."""

    def __init__(self, name: str, ids: Iterable[str]) -> None:
        self.name = name
        self.ids = tuple(ids)
        super().__init__(
            f'More than one server is named {name!r}; give one of the ids '
            f'{", ".join(self.ids)}'
        )


class InvalidSnapshot(InvalidInput):
    """A snapshot file is unreadable, foreign or newer than this release."""


class CloudError(MigrateError):
    """The cloud refused or failed a request that the work depends on.

    ``status_code`` and ``request_id`` are those of the answer, if any.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status_code = status_code
        self.request_id = request_id
        super().__init__(message)


class Forbidden(CloudError):
    """The caller lacks a role; ``fact`` is the message without the remedy."""

    remedy = ASK_ADMIN

    def __init__(self, message: str, **answer: Any) -> None:
        self.fact = message
        super().__init__(f'{message.rstrip(".")}; {self.remedy}', **answer)


class NoEndpoint(CloudError):
    """The catalogue does not have a service, or not in this region."""


class ServiceUnavailable(CloudError):
    """A service does not answer, or answered 5xx."""


class CheckFailed(MigrateError):
    """A check could not be loaded, or raised while it ran."""

    def __init__(self, check: str, error: BaseException | str) -> None:
        self.check = check
        super().__init__(f'The check {check} failed: {error}')
