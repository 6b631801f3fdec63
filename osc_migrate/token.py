# SPDX-License-Identifier: Apache-2.0
"""The drain's mark in the reason for which a compute service is disabled.

Nova is the journal: the mark says who drains the host since when, and what
the service was before, so that any machine can resume or undo the drain. A
reason that somebody else wrote is kept in front of it::

    bad DIMM [osc-migrate: drained by alice (0f2c...) since \
2026-01-31T12:00:00Z, was disabled]
"""

import dataclasses
import datetime
import re

from osc_migrate import exceptions
from osc_migrate import model

# the column of the database; os-services refuses more
LONGEST = 255
# Nova's libvirt driver enables a service again whose reason starts so
_AUTOMATIC = 'AUTO: '
_MARK = re.compile(
    r'(?P<reason>.*?) ?\[osc-migrate: drained by '
    r'(?P<user>[^\]()]*) \((?P<user_id>[^\]()]*)\) '
    r'since (?P<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ), '
    r'was (?P<was>enabled|disabled)\]$',
    re.DOTALL,
)
_UNSAFE = re.compile(r'[\[\]()]')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who drains a host, since when, why, and what the service was before.

    ``user`` and ``user_id`` are lists with commas if several take part.
    ``since`` is UTC in ISO 8601 with ``Z``; ``was`` is ``enabled`` or
    ``disabled``, and then ``reason`` is that of whoever disabled it.
    """

    user: str
    user_id: str
    since: str
    reason: str
    was: str

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
        mark = (
            f'[osc-migrate: drained by {self.user} ({self.user_id}) since '
            f'{self.since}, was {self.was}]'
        )
        return f'{self.reason} {mark}' if self.reason else mark


def read(disabled_reason: str | None) -> Token | None:
    """Find the mark of a drain in a reason."""
    match = _MARK.match(disabled_reason or '')
    return Token(**match.groupdict()) if match else None


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
    excess = len(str(token)) - LONGEST
    if excess > 0:
        raise exceptions.InvalidInput(
            f'The reason is too long by {excess} characters: Nova keeps '
            f'{LONGEST} and the mark of the drain needs some of them'
        )
    return token


def _nova_time(host: model.Host) -> str:
    """Return the time by Nova's clock, which may differ from ours."""
    now = datetime.datetime.now(datetime.UTC)
    if host.state == 'up' and host.updated_at:
        seen = datetime.datetime.fromisoformat(host.updated_at)
        now = seen.replace(tzinfo=datetime.UTC)
    return now.strftime('%Y-%m-%dT%H:%M:%SZ')
