# SPDX-License-Identifier: Apache-2.0
"""Drains while the way to Nova is broken: each ends as if it were not.

No drain is run a second time here, and whatever the client was told, Nova
accepts one move of each server.
"""

import time

from tests.functional import proxied
from tests.functional import proxy as proxies

ALWAYS = 10**6
# of a balancer whose Nova restarts, longer than a single request is repeated
OUTAGE = 25


class TestFaults(proxied.ProxiedTest):
    """One kind of fault each, all through a drain."""

    def setUp(self) -> None:
        super().setUp()
        self.scenario(proxied.KINDS)

    def _drain(self, faults: int = 10) -> None:
        """Drain, and see that something went wrong so often at least."""
        result = self.openstack(proxied.DRAIN, 600)
        self.assert_drained(result)
        broken = [one for one in self.proxy.exchanges if one.is_broken]
        self.assertGreaterEqual(len(broken), faults, broken)

    # reads that fail now and then, twice in a row

    def test_reads_are_reset(self) -> None:
        """The connection breaks before Nova hears of it."""
        self.proxy.break_(_often, proxies.reset, ALWAYS)
        self._drain()

    def test_answers_of_reads_are_lost(self) -> None:
        """The connection breaks before its answer is sent."""
        self.proxy.break_(_often, proxies.lost, ALWAYS)
        self._drain()

    def test_reads_are_answered_500(self) -> None:
        """Nova stumbles."""
        self.proxy.break_(_often, proxies.answer(500), ALWAYS)
        self._drain()

    def test_reads_are_answered_502(self) -> None:
        """A balancer finds no Nova behind it."""
        self.proxy.break_(_often, proxies.answer(502), ALWAYS)
        self._drain()

    def test_reads_are_answered_503(self) -> None:
        """A balancer has no Nova for now, and does not say for how long."""
        self.proxy.break_(_often, proxies.answer(503), ALWAYS)
        self._drain()

    def test_reads_are_answered_503_with_a_time(self) -> None:
        """The same, and it says when to come back."""
        busy = proxies.answer(503, Retry_After='1')
        self.proxy.break_(_often, busy, ALWAYS)
        self._drain()

    def test_everything_is_slow(self) -> None:
        """Each answer takes a second, that of a change five."""
        self.proxy.break_(proxies.changes, proxies.slow(5), ALWAYS)
        self.proxy.break_(proxies.any_, proxies.slow(1), ALWAYS)
        self._drain()

    # Nova out of reach while servers move

    def test_nova_is_away_for_a_while(self) -> None:
        """First answered 503 with a time, then not answered at all."""
        for fault in (proxies.answer(503, Retry_After='10'), proxies.reset):
            self._go_away(proxies.moves, fault)
            self._go_away(proxies.confirmations, fault)
        self._drain()

    def _go_away(self, matches: proxies.Matches, fault: proxies.Fault) -> None:
        """Break all that follows a request of a kind, for a while."""

        def leave(call: proxies.Call) -> None:
            proxies.well(call)
            until = time.monotonic() + OUTAGE
            self.proxy.break_first(
                lambda _: time.monotonic() < until, fault, ALWAYS
            )

        self.proxy.break_(matches, leave)

    # tokens

    def test_tokens_expire(self) -> None:
        """Tokens are valid for five seconds, and end before each change."""
        self.proxy.lifetime = 5
        for matches, times in (
            (_closes, 1),
            (proxies.moves, 4),
            (proxies.confirmations, 1),
        ):
            for _ in range(times):
                self.proxy.break_(matches, proxies.expired)
                self.proxy.break_(matches, proxies.well)
        self._drain(12)
        refused = [one for one in self.proxy.exchanges if one.status == 401]
        self.assertEqual(6, sum(one.is_change for one in refused))
        self.assertGreater(len(refused), 6)

    # requests for moves: Nova has them

    def test_answers_of_changes_are_lost(self) -> None:
        """Nova does all that it is told, and the client never hears."""
        self._break_changes(*[proxies.lost] * 6)
        self._drain(6)

    def test_changes_are_answered_in_nova_s_place(self) -> None:
        """A balancer has no patience, but Nova does what it was told."""
        self._break_changes(
            *(
                proxies.answer(status, is_asked=True)
                for status in (502, 504, 503, 500, 502, 504)
            )
        )
        self._drain(6)

    # ... or has them not

    def test_changes_do_not_arrive(self) -> None:
        """They break on the way; only a look tells that from the above."""
        self._break_changes(
            proxies.answer(503, Retry_After='1'),
            proxies.reset,
            proxies.answer(500),
            proxies.answer(502),
            proxies.answer(503),
            proxies.reset,
        )
        self._drain(6)

    def _break_changes(self, *faults: proxies.Fault) -> None:
        """Break all that a drain asks for: close, four moves, confirm."""
        kinds = [_closes, *[proxies.moves] * 4, proxies.confirmations]
        for matches, fault in zip(kinds, faults, strict=True):
            self.proxy.break_(matches, fault)


def _closes(exchange: proxies.Exchange) -> bool:
    return exchange.method == 'PUT'


def _often(exchange: proxies.Exchange) -> bool:
    return proxies.reads(exchange) and exchange.number % 5 in (3, 4)
