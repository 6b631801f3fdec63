# SPDX-License-Identifier: Apache-2.0
"""The mark of a drain in the reason for which a service is disabled."""

import re

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from osc_migrate import exceptions
from osc_migrate import testing
from osc_migrate import token

TEXT = (
    'bad DIMM [osc-migrate: drained by alice (0f2c) since '
    '2026-01-31T12:00:00Z, was disabled]'
)
FIELDS = {
    'user': 'alice',
    'user_id': '0f2c',
    'since': '2026-01-31T12:00:00Z',
    'reason': 'bad DIMM',
    'was': 'disabled',
}


class ReadTest(base.BaseTestCase):
    def test_what_is_written_is_read(self) -> None:
        """With and without a reason of somebody else."""
        mark = token.Token(**FIELDS)
        self.assertEqual(TEXT, str(mark))
        self.assertEqual(mark, token.read(TEXT))
        bare = token.Token(**{**FIELDS, 'reason': ''})
        self.assertEqual(TEXT.removeprefix('bad DIMM '), str(bare))
        self.assertEqual(bare, token.read(str(bare)))

    def test_what_others_wrote_is_no_mark(self) -> None:
        """A reason is only ours if all of it is there."""
        for reason in (
            None,
            '',
            'maintenance',
            TEXT[:-1],
            f'{TEXT} ',
            TEXT.replace('was disabled', 'was broken'),
            TEXT.replace('Z', ''),
            TEXT.replace('(0f2c)', ''),
            TEXT.replace('osc-migrate', 'osc-other'),
        ):
            self.assertIsNone(token.read(reason), reason)

    @hypothesis.given(
        reason=st.text(max_size=60).filter(lambda text: text[-1:] != ' '),
        names=st.tuples(*[st.text('abc-._@/ ', max_size=9)] * 2),
        was=st.sampled_from(['enabled', 'disabled']),
    )
    def test_any_mark_is_read_again(
        self, reason: str, names: tuple[str, str], was: str
    ) -> None:
        """Whatever the reason holds, even another mark."""
        for text in (reason, f'{reason}{TEXT}'):
            mark = token.Token(
                user=names[0],
                user_id=names[1],
                since=FIELDS['since'],
                reason=text,
                was=was,
            )
            self.assertEqual(mark, token.read(str(mark)))


class MakeTest(base.BaseTestCase):
    def make(self, reason: str = 'firmware', **host: object) -> token.Token:
        """Make the mark for a host."""
        return token.make(
            testing.host(**host), user='alice', user_id='0f2c', reason=reason
        )

    def test_keeps_what_the_service_was(self) -> None:
        """The time is that of Nova, the reason that of the caller."""
        self.assertEqual(
            token.Token(
                user='alice',
                user_id='0f2c',
                since='2026-01-01T00:00:00Z',
                reason='firmware',
                was='enabled',
            ),
            self.make(),
        )

    def test_keeps_the_reason_of_whoever_disabled_it(self) -> None:
        """Undrain gives it back; ours is not worth losing it."""
        mark = self.make(status='disabled', disabled_reason='bad DIMM')
        self.assertEqual(('disabled', 'bad DIMM'), (mark.was, mark.reason))
        mark = self.make(status='disabled', disabled_reason=None)
        self.assertEqual(('disabled', ''), (mark.was, mark.reason))

    def test_nova_must_not_enable_it_by_itself(self) -> None:
        """libvirt's driver looks for reasons that begin with AUTO."""
        error = self.assertRaises(
            exceptions.InvalidInput, self.make, 'AUTO: connection lost'
        )
        self.assertIn('AUTO', str(error))
        mark = self.make(
            status='disabled', disabled_reason='AUTO: connection lost'
        )
        self.assertTrue(str(mark).startswith('connection lost [osc-migrate'))

    def test_a_mark_must_fit(self) -> None:
        """255 characters are what Nova keeps; the excess is told."""
        room = 255 - len(str(self.make('r'))) + 1
        self.assertEqual(255, len(str(self.make('r' * room))))
        error = self.assertRaises(
            exceptions.InvalidInput, self.make, 'r' * (room + 3)
        )
        self.assertIn('too long by 3 characters', str(error))

    def test_names_cannot_break_the_mark(self) -> None:
        """What the mark itself is made of is replaced."""
        mark = token.make(
            testing.host(), user='a]b(c)[d', user_id='(e)', reason=''
        )
        self.assertEqual(('a?b?c??d', '?e?'), (mark.user, mark.user_id))
        self.assertEqual(mark, token.read(str(mark)))

    def test_a_dead_host_has_no_time(self) -> None:
        """Then it is ours: what its service wrote last is long ago."""
        for host in (
            {'state': 'down'},
            {'updated_at': None},
        ):
            since = self.make(**host).since
            self.assertTrue(re.fullmatch(r'\d{4}-\d\d-\d\dT[\d:]{8}Z', since))
            self.assertGreater(since, '2026-06-01')


class JoinTest(base.BaseTestCase):
    def test_another_user_is_added(self) -> None:
        """What both of them moved is known to be of this drain."""
        mark = token.Token(**FIELDS).joined('bob', '77aa')
        self.assertIn('drained by alice, bob (0f2c, 77aa) since', str(mark))
        self.assertEqual(mark, token.read(str(mark)))
        self.assertEqual({'0f2c', '77aa'}, mark.user_ids)

    def test_nobody_is_added_twice(self) -> None:
        """Nor somebody without an id."""
        mark = token.Token(**FIELDS)
        self.assertEqual(mark, mark.joined('alice', '0f2c'))
        self.assertEqual(mark, mark.joined('nobody', ''))
        both = mark.joined('bob', '77aa')
        self.assertEqual(both, both.joined('robert', '77aa'))

    def test_no_room(self) -> None:
        """Then the mark stays as it is."""
        mark = token.Token(**{**FIELDS, 'reason': 'r' * 150})
        self.assertEqual(mark, mark.joined('bob' * 9, 'a' * 32))
