# SPDX-License-Identifier: Apache-2.0
"""What is said when a host is closed."""

from oslotest import base

from osc_migrate import testing
from osc_migrate import token
from osc_migrate.osc import closing


class ReasonTest(base.BaseTestCase):
    def said(self, *, is_joined: bool, reason: str = 'ours', **host) -> str:
        """Say what becomes of a reason."""
        mark = token.make(
            testing.host('compute-1', **host),
            user='alice',
            user_id='id',
            reason='first' if is_joined else reason,
        )
        return closing.unkept(mark, reason, is_joined=is_joined)

    def test_kept(self) -> None:
        """Nothing is said; nor if none was given, or the same."""
        self.assertEqual('', self.said(is_joined=False))
        self.assertEqual('', self.said(is_joined=True, reason=''))
        self.assertEqual('', self.said(is_joined=True, reason='first'))

    def test_not_kept(self) -> None:
        """It is said, and why."""
        self.assertIn('goes on has another: first', self.said(is_joined=True))
        for reason, said in (('bad DIMM', ': bad DIMM'), (None, 'without a')):
            text = self.said(
                is_joined=False, status='disabled', disabled_reason=reason
            )
            self.assertIn('somebody else had disabled', text)
            self.assertIn(said, text)
