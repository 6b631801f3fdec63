# SPDX-License-Identifier: Apache-2.0
"""The APIs of a rehearsal cloud, as one of its users.

For the lab's own needs and for tests; ``osc_migrate`` has its own.
"""

from collections.abc import Callable
import pathlib
import time
from typing import Any

from keystoneauth1 import session as sessions
from keystoneauth1.identity import v3
import yaml

from lab import exceptions

MICROVERSIONS = {
    'compute': '2.96',
    'placement': '1.39',
    'block-storage': '3.70',
}


class ApiError(exceptions.LabError):
    """A service refused; ``status`` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """All services, used by the user of one entry of clouds.yaml."""

    def __init__(self, clouds: str | pathlib.Path, name: str = 'lab') -> None:
        text = pathlib.Path(clouds).read_text('utf-8')
        auth = yaml.safe_load(text)['clouds'][name]['auth']
        self.session = sessions.Session(v3.Password(**auth))

    def send(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        microversion: str | None = None,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Any:
        """Return the answer's JSON, None when it has none.

        :raises: :class:`ApiError` for a status of 400 and more.
        """
        response = self.session.request(
            path,
            method,
            json=body,
            data=data,
            headers=headers or {},
            endpoint_filter={'service_type': service},
            microversion=microversion or MICROVERSIONS.get(service),
            raise_exc=False,
            connect_retries=3,
        )
        if response.status_code >= 400:
            raise ApiError(
                f'{method} {path}: {response.status_code} {response.text}',
                response.status_code,
            )
        return response.json() if response.content else None

    def compute(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Nova."""
        return self.send('compute', method, path, body)

    def act(self, server: str, action: str, value: Any = None) -> None:
        """Ask for an action of a server."""
        self.compute('POST', f'/servers/{server}/action', {action: value})


def wait_for(
    predicate: Callable[[], Any], timeout: float, message: str
) -> Any:
    """Return the first true value of ``predicate`` within ``timeout`` s.

    Asks more and more seldom, or the asking would take most of a small
    machine when many wait.

    :raises: :class:`lab.exceptions.LabError` with ``message``.
    """
    deadline = time.monotonic() + timeout
    pause = 0.3
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise exceptions.LabError(f'{message} (waited {timeout:g} s).')
        time.sleep(pause)
        pause = min(2.0, pause * 1.5)
