# SPDX-License-Identifier: Apache-2.0
"""What an interrupt does, whenever it comes."""

import os
import pty
import signal
from typing import Any
from unittest import mock

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
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with (
                self.assertRaisesRegex(KeyboardInterrupt, ''),
                interrupts.unchanged(self.say),
            ):
                signal.raise_signal(number)
        self.assertEqual(['refused'] * 3, self.said)

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

    def test_a_terminal_is_lost(self) -> None:
        """It stops the executor, however often it is told; output is lost."""
        ours, theirs = pty.openpty()
        with mock.patch.object(interrupts, '_OUTPUTS', (theirs,)):
            with interrupts.noted() as early:
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGHUP)
                self.assertTrue(os.isatty(theirs))
                os.close(ours)
                with self.stopping(early):
                    signal.raise_signal(signal.SIGHUP)
            self.assertEqual(['interrupted'], self.said)
            self.assertEqual(4, os.write(theirs, b'said'))
            os.close(theirs)

    def test_nohup_is_obeyed(self) -> None:
        """Who ignores the loss of a terminal wants to go on."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        with self.stopping():
            signal.raise_signal(signal.SIGHUP)
        self.assertFalse(self.executor.is_stopping)
