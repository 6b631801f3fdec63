# SPDX-License-Identifier: Apache-2.0
"""The drain's mark in the reason for which a compute service is disabled.

Nova is the journal: the mark says who drains the host since when, and what
the service was before, so that any machine can resume or undo the drain. A
reason that somebody else wrote is kept in front of it::

    bad DIMM [osc-migrate: drained by alice (0f2c...) since \
2026-01-31T12:00:00Z, was disabled]

A destination that the drain keeps for itself has a mark of its own while it
is closed (``reserved for compute-1 by ...``). While it is open it has none,
as Nova forgets the reason of a service that is enabled; so what it was
before is in the mark of the host that is drained, as well: ``..., was
enabled; reserves compute-9 (was disabled: bad DIMM)]``.
"""

import dataclasses
import datetime
import re
from urllib import parse

from osc_migrate import exceptions
from osc_migrate import model

# the column of the database; os-services refuses more
LONGEST = 255
# Nova's libvirt driver enables a service again whose reason starts so
_AUTOMATIC = 'AUTO: '
_MARK = re.compile(
    r'(?P<reason>.*?) ?\[osc-migrate: '
    r'(?P<purpose>drained|reserved for [^\[\]()\s]+) by '
    r'(?P<user>[^\[\]()]*) \((?P<user_id>[^\[\]()]*)\) '
    r'since (?P<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ), '
    r'was (?P<was>enabled|disabled)'
    r'(?:; reserves (?P<host>[^\[\]()\s]+) '
    r'\(was (?P<host_was>enabled|disabled)'
    r'(?:: (?P<host_reason>[^\[\]()]*))?\))?\]$',
    re.DOTALL,
)
_UNSAFE = re.compile(r'[\[\]()]')
_QUOTED = re.compile(r'[\[\]()%]')
_DRAINED = 'drained'
_RESERVED = 'reserved for '


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """A destination that a drain keeps for itself, and what it was before.

    ``was`` is ``enabled`` or ``disabled``, and then ``reason`` is that of
    whoever disabled it, empty if there was none.
    """

    host: str
    was: str
    reason: str

    def __str__(self) -> str:
        # what the mark is made of would make it ambiguous
        reason = _QUOTED.sub(lambda m: f'%{ord(m[0]):02X}', self.reason)
        was = f'{self.was}: {reason}' if reason else self.was
        return f'reserves {self.host} (was {was})'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who drains a host, since when, why, and what the service was before.

    ``user`` and ``user_id`` are lists with commas if several take part.
    ``since`` is UTC in ISO 8601 with ``Z``; ``was`` is ``enabled`` or
    ``disabled``, and then ``reason`` is that of whoever disabled it.
    ``purpose`` is ``drained``, or ``reserved for HOST`` in the mark of the
    destination that ``reserves`` speaks of.
    """

    user: str
    user_id: str
    since: str
    reason: str
    was: str
    purpose: str = _DRAINED
    reserves: Reserved | None = None

    @property
    def user_ids(self) -> frozenset[str]:
        """The ids of all who take part in the drain."""
        return frozenset(self.user_id.split(', '))

    def joined(self, user: str, user_id: str) -> 'Token':
        """Return the mark with another user, if there is room for one.

        What a drain moved is known by who asked for it, so that undoing the
        drain must know of everybody.
        """
        if not user_id or user_id in self.user_ids:
            return self
        token = dataclasses.replace(
            self,
            user=f'{self.user}, {_UNSAFE.sub("?", user)}',
            user_id=f'{self.user_id}, {_UNSAFE.sub("?", user_id)}',
        )
        return token if len(str(token)) <= LONGEST else self

    def __str__(self) -> str:
        reserves = f'; {self.reserves}' if self.reserves else ''
        mark = (
            f'[osc-migrate: {self.purpose} by {self.user} ({self.user_id}) '
            f'since {self.since}, was {self.was}{reserves}]'
        )
        return f'{self.reason} {mark}' if self.reason else mark

    @property
    def reserved_for(self) -> str:
        """The host whose drain a destination is kept for, else empty."""
        if self.purpose.startswith(_RESERVED):
            return self.purpose.removeprefix(_RESERVED)
        return ''


def read(disabled_reason: str | None) -> Token | None:
    """Find the mark of a drain in a reason."""
    token = _read(disabled_reason)
    return token if token and not token.reserved_for else None


def read_reserved(disabled_reason: str | None) -> Token | None:
    """Find the mark of a destination that is kept for a drain."""
    token = _read(disabled_reason)
    return token if token and token.reserved_for else None


def _read(disabled_reason: str | None) -> Token | None:
    match = _MARK.match(disabled_reason or '')
    if match is None:
        return None
    known = match.groupdict()
    host, was, reason = (
        known.pop(name) for name in ('host', 'host_was', 'host_reason')
    )
    reserves = None
    if host is not None:
        reason = parse.unquote(reason or '')
        reserves = Reserved(host=host, was=was, reason=reason)
    return Token(**known, reserves=reserves)


def make(host: model.Host, *, user: str, user_id: str, reason: str) -> Token:
    """Make the mark for a host that is not drained yet.

    :raises InvalidInput: the reason is too long, or would be taken for one
        that Nova wrote
    """
    if reason.startswith(_AUTOMATIC):
        raise exceptions.InvalidInput(
            f'A reason must not begin with {_AUTOMATIC!r}: Nova itself '
            'enables such a host again'
        )
    was = host.status
    if was == 'disabled':
        # whoever disabled it wants to find the own words again; but Nova must
        # not enable it in the midst of the drain
        reason = (host.disabled_reason or '').removeprefix(_AUTOMATIC)
    token = Token(
        user=_UNSAFE.sub('?', user),
        user_id=_UNSAFE.sub('?', user_id),
        since=_nova_time(host),
        reason=reason,
        was=was,
    )
    _check(token, 'The reason', 'say a shorter one')
    return token


def reserving(
    token: Token, source: str, reserved: Reserved
) -> tuple[Token, Token]:
    """Make the marks of a drain and of the destination that it reserves.

    :param source: the host that is drained
    :raises InvalidInput: what the destination was before does not fit
    """
    drained = dataclasses.replace(token, reserves=reserved)
    mark = dataclasses.replace(
        token,
        purpose=f'{_RESERVED}{source}',
        reason=reserved.reason.removeprefix(_AUTOMATIC),
        was=reserved.was,
        reserves=None,
    )
    host = reserved.host
    for one in (drained, mark):
        _check(
            one,
            f'What {host} was before does not fit beside the reason: it',
            'say a shorter --reason, or give it a shorter reason: openstack '
            f"compute service set --disable --disable-reason '...' {host} "
            'nova-compute',
        )
    return drained, mark


def _check(token: Token, what: str, remedy: str) -> None:
    """See that Nova keeps a mark in full."""
    excess = len(str(token)) - LONGEST
    if excess > 0:
        raise exceptions.InvalidInput(
            f'{what} is too long by {excess} characters: Nova keeps '
            f'{LONGEST} and the mark of the drain needs some of them; '
            f'{remedy}'
        )


def _nova_time(host: model.Host) -> str:
    """Return the time by Nova's clock, which may differ from ours."""
    now = datetime.datetime.now(datetime.UTC)
    if host.state == 'up' and host.updated_at:
        seen = datetime.datetime.fromisoformat(host.updated_at)
        now = seen.replace(tzinfo=datetime.UTC)
    return now.strftime('%Y-%m-%dT%H:%M:%SZ')
