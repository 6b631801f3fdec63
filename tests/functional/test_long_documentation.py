# SPDX-License-Identifier: Apache-2.0
"""The further guides of the documentation, for which there is more to wait.

``tools/tox -e functional -- test_long_documentation`` compares them,
``DOC_UPDATE=1`` writes the examples anew, see :mod:`tests.examples`.
"""

from tests.functional import guides


class LongDocumentationTest(guides.GuideTest):
    """Guides about what is not every day's."""

    def test_dead_host(self) -> None:
        """A host that is off is evacuated."""
        self.play('dead-host.console')

    def test_rebalance(self) -> None:
        """Chosen servers leave a host that stays in use."""
        self.play('rebalance.console')

    def test_stalled(self) -> None:
        """A guest that dirties its memory faster than it is copied."""
        self.play('stalled.console')

    def test_failed(self) -> None:
        """A migration that fails, and a second one that does not."""
        self.play('failed.console')

    def test_library(self) -> None:
        """The second program of the tutorial moves what can move live."""
        self.play('move.console')


class NumaDocumentationTest(guides.GuideTest):
    """The guide about NUMA, pinned and DPDK hosts."""

    CLOUD = 'numa.yaml'

    def test_like_hosts(self) -> None:
        """Compare, ask, fill a host that is kept for it, open both."""
        for name in ('compare', 'preflight', 'drain', 'undrain'):
            self.play(f'numa-{name}.console')
