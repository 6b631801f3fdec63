# SPDX-License-Identifier: Apache-2.0
"""Reads that go on side by side, and what the caller may not read.

The latter becomes ``None`` and one gap that says who could tell.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent import futures
import contextlib
from typing import Any, TypeVar

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.cloud import connection

T = TypeVar('T')
K = TypeVar('K', bound=Hashable)

_CONNECTIONS = 8


class Reader:
    """A pool of connections, and the gaps that were met."""

    def __init__(
        self, link: connection.Connection, pool: futures.Executor
    ) -> None:
        self.link = link
        self.gaps: list[model.Gap] = []
        self._pool = pool

    def start(
        self, read: Callable[..., T], *arguments: Any, **filters: Any
    ) -> Callable[[], T]:
        """Begin to read; the result is a function that waits for it."""
        return self._pool.submit(
            _renewed, read, self.link, *arguments, **filters
        ).result

    def optional(self, subject: str, wait: Callable[[], T]) -> T | None:
        """Wait for something that the caller perhaps may not read.

        :raises CloudError: it is broken, not forbidden or absent
        """
        try:
            return wait()
        except exceptions.CloudError as error:
            if error.status_code not in (None, 403, 404):
                raise
            reason, remedy = str(error), 'openstack catalog list'
            if isinstance(error, exceptions.Forbidden):
                reason, remedy = error.fact, error.remedy
            self.note(model.Gap(subject=subject, reason=reason, remedy=remedy))
            return None

    def optional_all(
        self, subject: str, waits: Mapping[K, Callable[[], T]]
    ) -> dict[K, T]:
        """Wait for many of a kind; what may not be read is left out."""
        found = {}
        for key, wait in waits.items():
            value = self.optional(subject, wait)
            if value is not None:
                found[key] = value
        return found

    def note(self, gap: model.Gap) -> None:
        """Keep one gap for each subject, not one for each server."""
        if all(known.subject != gap.subject for known in self.gaps):
            self.gaps.append(gap)


def _renewed(read: Callable[..., T], *arguments: Any, **filters: Any) -> T:
    """Read, and once more if the token was renewed side by side.

    keystoneauth renews a token that was answered 401 only for the first of
    several threads that find that out; the others get the 401.
    """
    try:
        return read(*arguments, **filters)
    except exceptions.CloudError as error:
        if error.status_code != 401:
            raise
    return read(*arguments, **filters)


@contextlib.contextmanager
def begin(link: connection.Connection) -> Iterator[Reader]:
    """Read side by side until the block ends."""
    with futures.ThreadPoolExecutor(_CONNECTIONS) as pool:
        yield Reader(link, pool)
