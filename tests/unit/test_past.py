# SPDX-License-Identifier: Apache-2.0
"""Why a migration failed, and what is not explained."""

from typing import Any

from oslotest import base

from osc_migrate import past
from osc_migrate.task import Phase
from tests.unit import scenes


class Silent:
    """A Nova that must not be asked."""

    def look(self, server_id: str) -> Any:
        raise AssertionError(server_id)

    history = look


class ExplainedTest(base.BaseTestCase):
    def test_what_waits_for_a_confirmation_has_not_failed(self) -> None:
        """There is nothing that Nova could tell of it."""
        task = scenes.task(Phase.FAILED, record=scenes.record('finished'))
        self.assertIs(task, past.explained(Silent(), task))
