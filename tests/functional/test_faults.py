# SPDX-License-Identifier: Apache-2.0
"""A drain whose client dies and whose answers are lost.

The least of what ``test_long_kill`` and ``test_long_faults`` show at length.
"""

from tests.functional import proxied
from tests.functional import proxy as proxies


class TestFaults(proxied.ProxiedTest):
    """One drain, and all that can happen to the requests that matter."""

    def test_a_drain_in_pieces(self) -> None:
        """It ends as one does to which nothing has happened."""
        self.scenario(proxied.KINDS)
        # servers still move when the next client comes
        self.lab_set('compute-1', 'link_mb_s=120')
        # it is closed; then two servers move; the client knows of neither
        for matches, number in ((proxies.changes, 1), (proxies.moves, 2)):
            killed = self.run_until_killed(matches, number, is_known=True)
            self.assert_killed(killed)
        # what it has to ask again, as Nova never heard it
        self.proxy.break_(proxies.moves, proxies.lost)
        killed = self.run_until_killed(proxies.confirmations, is_known=False)
        self.assert_killed(killed)
        self.proxy.break_(proxies.confirmations, proxies.lost)
        self.assert_drained(self.openstack(proxied.DRAIN, 300))
