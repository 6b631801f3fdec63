# SPDX-License-Identifier: Apache-2.0
"""What the guides of the documentation show is what happens.

``DOC_UPDATE=1`` writes the examples anew, see :mod:`tests.examples`.
"""

from tests.functional import guides


class DocumentationTest(guides.GuideTest):
    """The guide that everybody reads first."""

    def test_first_drain(self) -> None:
        """From a preflight to an empty host and back."""
        self.play('first-drain.console')
