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
