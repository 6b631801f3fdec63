# SPDX-License-Identifier: Apache-2.0
"""The drain's mark in the reason for which a compute service is disabled.

Nova is the journal: the mark says who drains the host since when, and what
the service was before, so that any machine can resume or undo the drain. A
reason that somebody else wrote is kept in front of it::

    bad DIMM [osc-migrate: drained by alice since 2026-01-31T12:00:00Z, \
was disabled]
"""

import dataclasses
import re

from osc_migrate import exceptions
from osc_migrate import model

# the column of the database; os-services refuses more
LONGEST = 255
# Nova's libvirt driver enables a service again whose reason starts so
_AUTOMATIC = 'AUTO: '
_MARK = re.compile(
    r'(?P<reason>.*?) ?\[osc-migrate: drained by (?P<user>[^\]]+) '
    r'since (?P<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ), '
    r'was (?P<was>enabled|disabled)\]$',
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who drains a host, since when, why, and what the service was before.

    ``since`` is UTC in ISO 8601 with ``Z``; ``was`` is ``enabled`` or
    ``disabled``, and then ``reason`` is that of whoever disabled it.
    """

    user: str
    since: str
    reason: str
    was: str

    def __str__(self) -> str:
        mark = (
            f'[osc-migrate: drained by {self.user} since {self.since}, '
            f'was {self.was}]'
        )
        return f'{self.reason} {mark}' if self.reason else mark


def read(disabled_reason: str | None) -> Token | None:
    """Find the mark of a drain in a reason."""
    match = _MARK.match(disabled_reason or '')
    return Token(**match.groupdict()) if match else None


def make(host: model.Host, *, user: str, since: str, reason: str) -> Token:
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
        # whoever disabled it wants to find the own words again
        reason = host.disabled_reason or ''
    token = Token(
        user=user.replace(']', ')'), since=since, reason=reason, was=was
    )
    if len(str(token)) > LONGEST:
        raise exceptions.InvalidInput(
            f'The reason is too long by {len(str(token)) - LONGEST} '
            f'characters: Nova keeps {LONGEST} and the mark of the drain '
            'needs some of them'
        )
    return token
