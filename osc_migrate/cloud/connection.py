# SPDX-License-Identifier: Apache-2.0
"""The way to the services: adapters, microversions and errors.

What does no harm twice, above all a GET, is repeated when the connection
breaks or a server answers 5xx. A request for work never is, because an answer
that got lost does not mean that nothing happened. A caller who must know
looks again.
"""

from collections.abc import Iterator, Mapping
import contextlib
import functools
import typing
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import discover
from keystoneauth1 import exceptions as keystone_exceptions
from keystoneauth1 import session as keystone_session
from novaclient import client as nova_client
from novaclient import exceptions as nova_exceptions

from osc_migrate import exceptions

# Two hosts of a service, or a restart of one, are ridden out; more is news.
_RETRIES: Mapping[str, Any] = {
    'connect_retries': 3,
    'status_code_retries': 3,
    'retriable_status_codes': (500, 502, 503, 504),
}
# A session of the caller's may come with retries of its own.
_ONCE: Mapping[str, Any] = {'connect_retries': 0, 'status_code_retries': 0}
_MAJOR_VERSIONS = {
    'compute': '2',
    'network': '2',
    'image': '2',
    'block-storage': '3',
}
SERVICES = ('compute', 'placement', 'network', 'image', 'block-storage')
# Services have an id that is a UUID since 2.53 (Pike).
OLDEST_COMPUTE = (2, 53)
NEWEST_NOVACLIENT = (2, 96)


class Connection:
    """Access to every service through one keystoneauth1 session."""

    def __init__(
        self,
        session: keystone_session.Session,
        *,
        region_name: str | None = None,
        interface: str | None = None,
        endpoints: Mapping[str, str] | None = None,
    ) -> None:
        self.session = session
        # the caller's project, if Nova shows only migrations it began
        self.confined_to = ''
        self._endpoints = endpoints or {}
        self._region_name = region_name
        self._interface = interface or 'public'
        self._adapters: dict[str, adapter.Adapter] = {}
        self._clients: dict[tuple[tuple[int, int], bool], Any] = {}

    def _adapter(self, service_type: str) -> adapter.Adapter:
        if service_type not in self._adapters:
            major = _MAJOR_VERSIONS.get(service_type)
            self._adapters[service_type] = adapter.Adapter(
                session=self.session,
                service_type=service_type,
                region_name=self._region_name,
                interface=self._interface,
                endpoint_override=self._endpoints.get(service_type),
                min_version=major,
                max_version=major and f'{major}.latest',
                client_name='osc-migrate',
                **_RETRIES,
            )
        return self._adapters[service_type]

    def get(
        self,
        service_type: str,
        path: str,
        *,
        microversion: str | None = None,
    ) -> Any:
        """GET a path of a service and return its JSON.

        :raises CloudError: and its kinds
        """
        with translated(f'GET {path.partition("?")[0]} ({service_type})'):
            answer = self._adapter(service_type).get(
                path, microversion=microversion
            )
            return answer.json()

    def compute(self, wanted: tuple[int, int]) -> Any:
        """Return a novaclient for what may be repeated, as reading may.

        :param wanted: the microversion; an older Nova gets its newest
        """
        return self._nova(wanted, is_repeated=True)

    def compute_actions(self, wanted: tuple[int, int]) -> Any:
        """Return a novaclient that never repeats what it sends."""
        return self._nova(wanted, is_repeated=False)

    def _nova(self, wanted: tuple[int, int], *, is_repeated: bool) -> Any:
        version = min(wanted, self.compute_max, NEWEST_NOVACLIENT)
        if (version, is_repeated) not in self._clients:
            self._clients[version, is_repeated] = nova_client.Client(
                discover.version_to_string(version),
                session=self.session,
                service_type='compute',
                region_name=self._region_name,
                endpoint_type=self._interface,
                endpoint_override=self._endpoints.get('compute'),
                **(_RETRIES if is_repeated else _ONCE),
            )
        return self._clients[version, is_repeated]

    @functools.cached_property
    def compute_max(self) -> tuple[int, int]:
        """Return the newest microversion that this Nova speaks.

        :raises CloudError: no Nova, or one older than 2.53
        """
        with translated('GET / (compute)'):
            data = self._adapter('compute').get_endpoint_data()
        newest = typing.cast(
            tuple[int, int] | None, data and data.max_microversion
        )
        if newest is None or newest < OLDEST_COMPUTE:
            raise exceptions.CloudError(
                'This needs a Nova that speaks microversion 2.53 (Pike) or '
                'newer'
            )
        return newest

    def microversion(self, wanted: tuple[int, int]) -> str:
        """Return a compute microversion that this Nova speaks, as text."""
        return str(discover.version_to_string(min(wanted, self.compute_max)))

    def caller(self) -> tuple[str | None, frozenset[str]]:
        """Return the user id and the role names of the token."""
        with translated('POST /auth/tokens (identity)'):
            auth = self.session.auth
            if auth is None or not hasattr(auth, 'get_access'):
                return None, frozenset()
            access = auth.get_access(self.session)
            return access.user_id, frozenset(access.role_names)

    def has(self, service_type: str) -> bool:
        """Whether the catalogue has a service, under any of its names."""
        try:
            return self._adapter(service_type).get_endpoint() is not None
        except keystone_exceptions.EndpointNotFound:
            return False


@contextlib.contextmanager
def translated(request: str) -> Iterator[None]:
    """Raise our exceptions instead of those of the clients.

    :raises CloudError: and its kinds
    """
    try:
        yield
    except (
        keystone_exceptions.HttpError,
        nova_exceptions.ClientException,
    ) as error:
        raise _from_answer(request, error) from error
    except keystone_exceptions.EndpointNotFound as error:
        raise exceptions.NoEndpoint(
            f'{request} is not possible: {_sentence(error)}. The services of '
            'this cloud and their regions: openstack catalog list'
        ) from error
    except (
        keystone_exceptions.DiscoveryFailure,
        keystone_exceptions.ConnectionError,
        ValueError,  # an answer that was cut, or a proxy's page, is no JSON
    ) as error:
        raise exceptions.ServiceUnavailable(
            f'{request} is not possible: {_sentence(error)}'
        ) from error
    except keystone_exceptions.ClientException as error:
        raise exceptions.CloudError(
            f'{request} failed: {_sentence(error)}'
        ) from error


def _from_answer(request: str, error: Any) -> exceptions.CloudError:
    code = getattr(error, 'http_status', None) or getattr(error, 'code', None)
    kind = exceptions.CloudError
    if code == 403:
        kind = exceptions.Forbidden
    elif code is not None and code >= 500:
        kind = exceptions.ServiceUnavailable
    return kind(
        f'{request} was answered {code}: {_said(error) or _sentence(error)}',
        status_code=code,
        request_id=getattr(error, 'request_id', None),
    )


def _said(error: Any) -> str | None:
    """Return what the service itself said, which keystoneauth leaves out.

    Nova, Cinder and Neutron answer an object with one object that has a
    message; Placement answers a list of errors.
    """
    try:
        (inner,) = error.response.json().values()
        said = inner[0]['detail'] if isinstance(inner, list) else inner
        text = said['message'] if isinstance(said, dict) else said
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return ' '.join(str(text).split())


def _sentence(error: BaseException) -> str:
    """Return the first line of what an exception says."""
    text = getattr(error, 'message', None) or str(error)
    lines = str(text).strip().splitlines()
    return lines[0] if lines else type(error).__name__
