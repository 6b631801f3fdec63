# SPDX-License-Identifier: Apache-2.0
"""What an interrupt does, whenever it comes."""

import signal
from typing import Any

from oslotest import base

from osc_migrate.osc import interrupts


class Executor:
    """Remembers that it was stopped."""

    is_stopping = False

    def stop(self) -> None:
        self.is_stopping = True


class InterruptTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        self.executor: Any = Executor()

    def say(self, text: str, event: str, **_: Any) -> None:
        self.said.append(event)

    def stopping(self, early: Any = ()) -> Any:
        """Let interrupts stop the executor."""
        return interrupts.stopping(
            self.executor, self.say, host='h', resume='', early=early
        )

    def test_before_anything_is_changed(self) -> None:
        """It ends the command, and that is said."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with (
                self.assertRaisesRegex(KeyboardInterrupt, ''),
                interrupts.unchanged(self.say),
            ):
                signal.raise_signal(number)
        self.assertEqual(['refused'] * 2, self.said)

    def test_while_the_host_is_closed(self) -> None:
        """It is heard as soon as there is something to stop."""
        with interrupts.noted() as early:
            signal.raise_signal(signal.SIGINT)
            self.assertEqual([], self.said)
            with self.stopping(early):
                self.assertTrue(self.executor.is_stopping)
        self.assertEqual(['interrupted'], self.said)

    def test_twice_while_the_host_is_closed(self) -> None:
        """Nova may not answer: leave."""
        with (
            self.assertRaisesRegex(KeyboardInterrupt, ''),
            interrupts.noted(),
        ):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

    def test_twice_while_servers_move(self) -> None:
        """Stop, then leave; afterwards signals are what they were."""
        before = signal.getsignal(signal.SIGTERM)
        with (
            self.assertRaisesRegex(KeyboardInterrupt, ''),
            self.stopping(),
        ):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        self.assertEqual(['interrupted', 'left'], self.said)
        self.assertEqual(before, signal.getsignal(signal.SIGTERM))
