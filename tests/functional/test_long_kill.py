# SPDX-License-Identifier: Apache-2.0
"""SIGKILL of a drain at thirty moments, each with a second run to the end.

A moment is a request to Nova: the client dies when Nova has not got it yet,
or when it has and the client does not know. All requests that change
something are among them, the rest is spread evenly over the drain.
"""

import sys
import time

from lab import populate
from tests.functional import proxied
from tests.functional import proxy as proxies

MOMENTS = 30


class TestKill(proxied.ProxiedTest):
    """Whole drains that die once."""

    def test_at_thirty_moments(self) -> None:
        """The second run ends as one would have that nobody killed."""
        self.scenario(proxied.KINDS)
        self.assert_drained(self.openstack(proxied.DRAIN, 300))
        whole = list(self.proxy.exchanges)
        changes = sum(one.is_change for one in whole)
        self.assertEqual(6, changes, whole)
        moments = [
            (number, is_known)
            for number in range(1, changes + 1)
            for is_known in (False, True)
        ]
        for number, is_known in moments:
            self._kill(proxies.changes, number, is_known)
        reads = len(whole) - changes
        rest = MOMENTS - len(moments)
        for index in range(rest):
            number = max(1, reads * index // rest)
            is_known = index % 2 == 1
            # this time it may need fewer looks than the whole drain above
            while not self._kill(proxies.reads, number, is_known):
                number -= 3

    def _kill(
        self, matches: proxies.Matches, number: int, is_known: bool
    ) -> bool:
        """Drain, die at the request of that number, and drain again.

        Return whether there was a request of that number.
        """
        self._fresh()
        began = time.monotonic()
        first = self.run_until_killed(matches, number, is_known=is_known)
        died = time.monotonic() - began
        if first.code == 0:
            self.assert_drained(first)
            return False
        has_it = 'has it' if is_known else 'has it not'
        text = f'{number} of the {matches.__name__}, Nova {has_it}'
        with self.subTest(text):
            self.assert_killed(first)
            self.assert_drained(self.openstack(proxied.DRAIN, 300))
            print(f'killed at {text}: {died:.1f} s', file=sys.stderr)
        return True

    def _fresh(self) -> None:
        """Begin from the same state each time."""
        populate.reset(self.clouds)
        self.ids.clear()
        self.scenario(proxied.KINDS)
        self.proxy.forget()
