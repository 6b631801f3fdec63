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
RESERVING = (
    '[osc-migrate: drained by alice (0f2c) since 2026-01-31T12:00:00Z, '
    'was enabled; reserves compute-9 (was disabled: 50 %25 %28left%29)]'
)
RESERVED = (
    '50 % (left) [osc-migrate: reserved for compute-1 by alice (0f2c) since '
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

    def test_a_reserved_destination(self) -> None:
        """What it was is in both marks; neither is taken for the other."""
        kept = token.Reserved(
            host='compute-9', was='disabled', reason='50 % (left)'
        )
        mark = token.Token(**{**FIELDS, 'reason': '', 'was': 'enabled'})
        drained, reserved = token.reserving(mark, 'compute-1', kept)
        self.assertEqual(RESERVING, str(drained))
        self.assertEqual(drained, token.read(RESERVING))
        self.assertIsNone(token.read_reserved(RESERVING))
        self.assertEqual(RESERVED, str(reserved))
        self.assertEqual(reserved, token.read_reserved(RESERVED))
        self.assertIsNone(token.read(RESERVED))
        self.assertEqual('compute-1', reserved.reserved_for)
        self.assertEqual('', drained.reserved_for)

    def test_an_open_destination(self) -> None:
        """It was enabled, or disabled without a reason."""
        for was in ('enabled', 'disabled'):
            kept = token.Reserved(host='compute-9', was=was, reason='')
            mark, _ = token.reserving(token.Token(**FIELDS), 'compute-1', kept)
            text = str(mark)
            self.assertTrue(text.endswith(f'compute-9 (was {was})]'), text)
            self.assertEqual(mark, token.read(text))

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
        reserves=st.none()
        | st.builds(
            token.Reserved,
            host=st.text('abc-.9', min_size=1, max_size=9),
            was=st.sampled_from(['enabled', 'disabled']),
            reason=st.text(max_size=60) | st.just(RESERVING),
        ),
    )
    def test_any_mark_is_read_again(
        self,
        reason: str,
        names: tuple[str, str],
        was: str,
        reserves: token.Reserved | None,
    ) -> None:
        """Whatever the reasons hold, even another mark."""
        for text in (reason, f'{reason}{TEXT}', f'{reason}{RESERVING}'):
            mark = token.Token(
                user=names[0],
                user_id=names[1],
                since=FIELDS['since'],
                reason=text,
                was=was,
                reserves=reserves,
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

    def test_two_marks_must_fit(self) -> None:
        """Neither is cut: of the drain, and of the destination."""
        mark = self.make('r' * 60)
        for length in (90, 200):
            kept = token.Reserved(
                host='compute-9', was='disabled', reason='x' * length
            )
            error = self.assertRaises(
                exceptions.InvalidInput,
                token.reserving,
                mark,
                'compute-1',
                kept,
            )
            self.assertIn('What compute-9 was before', str(error))
            self.assertIn('too long by', str(error))

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
