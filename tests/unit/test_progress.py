# SPDX-License-Identifier: Apache-2.0
"""What is said of a migration by what was seen of it."""

import dataclasses
import io
import itertools
import json
import pathlib
import tempfile
from typing import Any
from unittest import mock

from oslotest import base

from osc_migrate import progress
from osc_migrate.progress import Verdict
from tests import replay

MIB = 2**20
TRACES = pathlib.Path(__file__).parents[1] / 'data' / 'traces'
BLANK = progress.Sample(
    at=0.0,
    memory_total=None,
    memory_processed=None,
    memory_remaining=None,
    disk_total=None,
    disk_processed=None,
    disk_remaining=None,
    status='running',
)


def sample(at: float = 0.0, **values: Any) -> progress.Sample:
    """Make a sample, of a running migration unless said otherwise."""
    return dataclasses.replace(BLANK, at=at, **values)


def seen(
    at: float, processed: float, remaining: float, **values: Any
) -> progress.Sample:
    """Make a sample of memory, in MiB."""
    return sample(
        at=at,
        memory_total=192 * MIB,
        memory_processed=round(processed * MIB),
        memory_remaining=round(remaining * MIB),
        **values,
    )


def saw_teeth(
    *sizes: float, first: float = 192, sent: float = 40, looks: int = 1000
) -> list[progress.Sample]:
    """Send passes of these MiB at 8 MiB/s, looking whenever so much is sent.

    Looks are a little uneven, as Nova's are, until all is sent.
    """
    ends = list(itertools.accumulate((first, *sizes)))
    samples = []
    position = 0.0
    for look in range(looks):
        position += sent * (1 + (look * 7 % 5 - 2) / 50)
        end = next((end for end in ends if end > position), None)
        if end is None:
            break
        samples.append(seen(position / 8, position, end - position))
    return samples


def verdicts(samples: list[progress.Sample]) -> list[Verdict]:
    """Judge after each sample, as one who watches does."""
    history: tuple[progress.Sample, ...] = ()
    said = []
    for look in samples:
        history = progress.distinct((*history, look))
        said.append(progress.judge(history).verdict)
    return said


def shrinking(size: float, ratio: float) -> list[float]:
    """Return the sizes of passes until a MiB is left."""
    sizes = []
    while size > 1:
        sizes.append(size)
        size *= ratio
    return sizes


class BeforeFiguresTest(base.BaseTestCase):
    def test_nothing_is_known_of_nothing(self):
        self.assertIs(Verdict.UNKNOWN, progress.judge([]).verdict)

    def test_a_queued_migration_is_unknown(self):
        judged = progress.judge([sample(status='queued')])
        self.assertIs(Verdict.UNKNOWN, judged.verdict)
        self.assertIn('queued', judged.reason)

    def test_null_and_zero_mean_not_known_yet(self):
        zeros = sample(
            5, memory_total=0, memory_processed=0, memory_remaining=0
        )
        judged = progress.judge([sample(), zeros])
        self.assertIs(Verdict.UNKNOWN, judged.verdict)
        self.assertIsNone(judged.memory_total)
        self.assertIsNone(judged.predicted_pause_seconds)

    def test_a_total_without_figures_is_no_start(self):
        judged = progress.judge([seen(0, 0, 0), seen(5, 40, 150)])
        self.assertIsNone(judged.transfer_rate)
        self.assertEqual(150 * MIB, judged.memory_remaining)

    def test_one_figure_gives_no_rate(self):
        judged = progress.judge([seen(5, 40, 150)])
        self.assertIs(Verdict.UNKNOWN, judged.verdict)
        self.assertIsNone(judged.predicted_pause_seconds)
        self.assertEqual(150 * MIB, judged.memory_remaining)


class EndTest(base.BaseTestCase):
    def test_what_is_copied_has_nothing_left(self):
        for status in ('post-migrating', 'completed'):
            judged = progress.judge(
                [seen(5, 40, 70), sample(7, status=status)]
            )
            self.assertIs(Verdict.CONVERGING, judged.verdict)
            self.assertEqual(0.0, judged.seconds_left)
            self.assertEqual(70 * MIB, judged.memory_remaining)

    def test_what_failed_is_unknown(self):
        endless = saw_teeth(*[84] * 8)
        failed = sample(500, status='error')
        judged = progress.judge([*endless, failed])
        self.assertIs(Verdict.UNKNOWN, judged.verdict)
        self.assertIn('error', judged.reason)

    def test_post_copy_ends_when_the_rest_is_sent(self):
        *samples, last = saw_teeth(*[84] * 8)
        last = dataclasses.replace(last, status='running (post-copy)')
        judged = progress.judge([*samples, last])
        self.assertIs(Verdict.CONVERGING, judged.verdict)
        self.assertAlmostEqual(
            last.memory_remaining / MIB / 8, judged.seconds_left, places=2
        )
        self.assertIsNone(judged.predicted_pause_seconds)


class FirstPassTest(base.BaseTestCase):
    def test_it_is_unknown_until_sampled_enough(self):
        said = verdicts(saw_teeth(first=4000, looks=40))
        self.assertEqual([Verdict.UNKNOWN] * 4, said[:4])
        self.assertEqual({Verdict.CONVERGING}, set(said[4:]))

    def test_the_time_left_is_what_remains(self):
        samples = saw_teeth(first=4000, looks=40)
        judged = progress.judge(samples)
        left = samples[-1].memory_remaining / MIB / 8
        self.assertAlmostEqual(left, judged.seconds_left, places=2)

    def test_zero_pages_do_not_look_like_an_end_nor_like_dirt(self):
        """Remaining falls faster than processed rises."""
        samples = [
            seen(look * 5, look * 10, 192 - look * 30) for look in range(1, 6)
        ]
        said = verdicts(samples)
        self.assertNotIn(Verdict.NOT_CONVERGING, said)
        self.assertIs(Verdict.CONVERGING, said[-1])


class PassesTest(base.BaseTestCase):
    def test_level_peaks_never_end(self):
        samples = saw_teeth(*[84] * 12)
        said = verdicts(samples)
        first = said.index(Verdict.NOT_CONVERGING)
        self.assertLess(samples[first].at, 90)
        self.assertEqual({Verdict.NOT_CONVERGING}, set(said[first:]))
        self.assertNotIn(Verdict.CONVERGING, said)

    def test_growing_peaks_never_end(self):
        samples = saw_teeth(*(40 * 1.1**number for number in range(12)))
        self.assertIs(Verdict.NOT_CONVERGING, progress.judge(samples).verdict)

    def test_passes_that_shrink_end(self):
        for ratio in (0.96, 0.94, 0.87, 0.8):
            said = verdicts(saw_teeth(*shrinking(150, ratio)))
            self.assertNotIn(Verdict.NOT_CONVERGING, said)
            self.assertIn(Verdict.CONVERGING, said)

    def test_the_time_left_adds_up_all_passes(self):
        samples = saw_teeth(*shrinking(150, 0.95))
        end = samples[-1].at
        for number in range(20, len(samples), 10):
            judged = progress.judge(samples[:number])
            left = end - samples[number - 1].at
            self.assertLess(abs(left - judged.seconds_left), 0.2 * left + 5)

    def test_nothing_is_said_of_too_few_passes(self):
        said = verdicts(saw_teeth(84, 84, 84))
        self.assertEqual({Verdict.UNKNOWN}, set(said))

    def test_a_fall_that_only_sampling_shows_does_not_deceive(self):
        """Passes of 4 s seen each 5 s fall for four samples, then jump."""
        samples = saw_teeth(*[32] * 60)
        said = verdicts(samples)
        self.assertNotIn(Verdict.CONVERGING, said)
        first = said.index(Verdict.NOT_CONVERGING)
        self.assertLess(samples[first].at, 90)
        self.assertEqual({Verdict.NOT_CONVERGING}, set(said[first:]))

    def test_passes_as_long_as_samples_do_not_deceive(self):
        """Neither a high nor a low is seen for a long while."""
        for size in (39.6, 40, 40.4, 19.9, 13.4):
            said = verdicts(saw_teeth(*[size] * 60))
            self.assertIs(Verdict.NOT_CONVERGING, said[-1], size)

    def test_uneven_short_passes_are_recognised_later(self):
        sizes = [10 + (number * 7) % 5 for number in range(200)]
        said = verdicts(saw_teeth(*sizes))
        self.assertIs(Verdict.NOT_CONVERGING, said[-1])

    def test_a_late_migration_that_hovers_is_left_alone(self):
        """Its passes nearly fit in the downtime that Nova permits."""
        sizes = [*shrinking(100, 0.8), *[2.5] * 300]
        said = verdicts(saw_teeth(*sizes))
        self.assertNotIn(Verdict.NOT_CONVERGING, said)
        self.assertIs(Verdict.CONVERGING, said[-1])

    def test_rare_looks_do_not_make_passes_short(self):
        """What fits in a downtime is the same, however seldom one asks."""
        for sent in (80, 240):
            endless = verdicts(saw_teeth(*[10] * 600, sent=sent))
            self.assertNotIn(Verdict.CONVERGING, endless)
            late = verdicts(saw_teeth(*[2.5] * 2400, sent=sent))
            self.assertIs(Verdict.CONVERGING, late[-1])

    def test_a_wider_link_changes_the_verdict(self):
        said = verdicts(saw_teeth(*[84] * 10, *shrinking(70, 0.8)))
        self.assertIn(Verdict.NOT_CONVERGING, said)
        self.assertIs(Verdict.CONVERGING, said[-1])

    def test_a_narrower_link_changes_the_verdict(self):
        sizes = [*shrinking(150, 0.9)[:8], *[70] * 30]
        said = verdicts(saw_teeth(*sizes))
        self.assertIn(Verdict.CONVERGING, said)
        self.assertIs(Verdict.NOT_CONVERGING, said[-1])

    def test_a_link_that_is_shared_for_a_while_condemns_nothing(self):
        """At half the rate passes grow; that says little, then and later."""
        whole, half = shrinking(150, 0.93)[:6], shrinking(220, 0.99)[:3]
        samples = saw_teeth(*whole, *half, *shrinking(140, 0.93))
        began = 192 + sum(whole)
        late = 0.0
        for number, look in enumerate(samples):
            sent = look.memory_processed / MIB
            if began < sent < began + sum(half):
                late += (sent - samples[number - 1].memory_processed / MIB) / 8
            samples[number] = dataclasses.replace(look, at=look.at + late)
        said = verdicts(samples)
        self.assertNotIn(Verdict.NOT_CONVERGING, said)
        self.assertIs(Verdict.CONVERGING, said[-1])

    def test_an_endless_one_stays_so_when_its_link_is_shared(self):
        samples = [
            dataclasses.replace(look, at=look.at + max(0, look.at - 150))
            for look in saw_teeth(*[84] * 30)
        ]
        said = verdicts(samples)
        first = said.index(Verdict.NOT_CONVERGING)
        self.assertLess(samples[first].at, 90)
        self.assertEqual({Verdict.NOT_CONVERGING}, set(said[first:]))

    def test_zero_pages_hide_the_size_of_the_second_pass(self):
        """It counts for nothing, or the third would seem to be larger."""
        first = [seen(5, 30, 120), seen(10, 60, 60)]
        # 40 MiB of these 60 are zero; passes of 100, 93 and 86 MiB follow
        later = [
            seen(at, processed, end - processed)
            for at, processed, end in (
                (15, 100, 180),
                (20, 140, 180),
                (25, 190, 273),
                (30, 230, 273),
                (35, 280, 359),
                (40, 320, 359),
            )
        ]
        self.assertNotIn(Verdict.NOT_CONVERGING, verdicts([*first, *later]))

    def test_what_has_only_fallen_is_not_condemned(self):
        samples = [
            seen(look * 5, look * 40, 190 - look * 8) for look in range(1, 23)
        ]
        said = verdicts(samples)
        self.assertNotIn(Verdict.NOT_CONVERGING, said)
        self.assertIn(Verdict.CONVERGING, said)

    def test_a_guest_that_dirties_all_that_is_sent_never_ends(self):
        """Even if what remains stands still and no pass is to be seen."""
        samples = [seen(look * 5, look * 40, 120) for look in range(1, 50)]
        self.assertIs(Verdict.NOT_CONVERGING, verdicts(samples)[-1])

    def test_a_copy_that_begins_again_is_judged_anew(self):
        endless = saw_teeth(*[84] * 8)
        again = [
            dataclasses.replace(look, at=look.at + 1000)
            for look in endless[:3]
        ]
        self.assertIs(
            Verdict.UNKNOWN, progress.judge([*endless, *again]).verdict
        )


class RatesTest(base.BaseTestCase):
    def test_a_pause_lasts_until_the_rest_is_sent(self):
        samples = saw_teeth(*[84] * 8)
        judged = progress.judge(samples)
        left = samples[-1].memory_remaining
        self.assertAlmostEqual(8 * MIB, judged.transfer_rate, delta=10)
        self.assertAlmostEqual(
            left / MIB / 8, judged.predicted_pause_seconds, places=2
        )
        self.assertIsNone(judged.seconds_left)

    def test_the_dirty_rate_is_that_of_whole_passes(self):
        level = progress.judge(saw_teeth(*[84] * 12))
        self.assertAlmostEqual(8, level.dirty_rate / MIB, delta=0.1)
        falling = progress.judge(saw_teeth(*shrinking(150, 0.9)[:8]))
        self.assertAlmostEqual(7.2, falling.dirty_rate / MIB, delta=0.2)

    def test_the_low_point_is_just_before_a_pass_ends(self):
        samples = saw_teeth(*[110] * 12)
        lows = [
            look.memory_remaining / MIB
            for number, look in enumerate(samples, 1)
            if progress.judge(samples[:number]).is_low_point
        ]
        self.assertLess(max(lows), 40)
        self.assertGreater(len(lows), 3)

    def test_a_low_point_passes(self):
        samples = saw_teeth(*[84] * 12)
        while not progress.judge(samples).is_low_point:
            samples.pop()
        later = dataclasses.replace(samples[-1], at=samples[-1].at + 30)
        self.assertFalse(progress.judge([*samples, later]).is_low_point)

    def test_no_time_gives_no_rate(self):
        samples = [
            dataclasses.replace(look, at=0.0)
            for look in saw_teeth(*shrinking(150, 0.9))
        ]
        judged = progress.judge(samples)
        self.assertIsNone(judged.transfer_rate)
        self.assertIs(Verdict.CONVERGING, judged.verdict)
        self.assertIsNone(judged.seconds_left)


class HistoryTest(base.BaseTestCase):
    def test_values_that_repeat_are_no_samples(self):
        samples = saw_teeth(*[84] * 8)
        often = [
            dataclasses.replace(look, at=look.at + late)
            for look in samples
            for late in (0, 1, 2)
        ]
        for number in range(1, len(samples)):
            once = progress.judge(samples[:number])
            judged = progress.judge(often[: 3 * number - 2])
            self.assertEqual(once, judged)

    def test_the_last_sample_is_kept_though_it_repeats(self):
        first = seen(5, 40, 150)
        last = dataclasses.replace(first, at=9.0)
        middle = dataclasses.replace(first, at=7.0)
        self.assertEqual(
            (first, last), progress.distinct([first, middle, last])
        )
        self.assertEqual((), progress.distinct([]))

    def test_a_long_history_stays_short(self):
        history: tuple[progress.Sample, ...] = ()
        for look in saw_teeth(*[30] * 600):
            history = progress.distinct((*history, look))
            self.assertLessEqual(len(history), progress.KEPT)

    def test_passes_of_many_minutes_are_remembered(self):
        """Their ends are kept, though not what was between."""
        samples = saw_teeth(*[3000] * 12, first=5000)
        self.assertGreater(len(samples), 8 * progress.KEPT)
        self.assertIs(Verdict.NOT_CONVERGING, verdicts(samples)[-1])

    def test_silence_is_no_progress(self):
        samples = saw_teeth(*shrinking(150, 0.9)[:12])
        self.assertIs(Verdict.CONVERGING, progress.judge(samples).verdict)
        later = dataclasses.replace(samples[-1], at=samples[-1].at + 60)
        judged = progress.judge([*samples, later])
        self.assertIs(Verdict.UNKNOWN, judged.verdict)
        self.assertIn('60 s', judged.reason)
        self.assertIsNone(judged.seconds_left)

    def test_silence_does_not_lift_a_condemnation(self):
        samples = saw_teeth(*[84] * 12)
        later = dataclasses.replace(samples[-1], at=samples[-1].at + 60)
        judged = progress.judge([*samples, later])
        self.assertIs(Verdict.NOT_CONVERGING, judged.verdict)


class DiskTest(base.BaseTestCase):
    @staticmethod
    def copying(at: float, left: float, **values: Any) -> progress.Sample:
        """Make a sample of disks of a GiB, in MiB."""
        return sample(
            at,
            disk_total=1024 * MIB,
            disk_processed=round(1024 - left) * MIB,
            disk_remaining=round(left * MIB),
            **values,
        )

    def test_disks_go_first(self):
        samples = [self.copying(5 * n, 1024 - 40 * n) for n in range(1, 10)]
        self.assertIs(Verdict.UNKNOWN, progress.judge(samples[:3]).verdict)
        judged = progress.judge(samples)
        self.assertIs(Verdict.CONVERGING, judged.verdict)
        self.assertIsNone(judged.seconds_left)  # memory is to follow
        self.assertEqual(664 * MIB, judged.disk_remaining)
        self.assertAlmostEqual(8 * MIB, judged.transfer_rate)

    def test_memory_that_waits_is_counted(self):
        samples = [
            self.copying(
                5 * n,
                1024 - 40 * n,
                memory_total=192 * MIB,
                memory_processed=0,
                memory_remaining=192 * MIB,
            )
            for n in range(1, 10)
        ]
        judged = progress.judge(samples)
        self.assertAlmostEqual((664 + 192) / 8, judged.seconds_left)

    def test_disks_written_as_fast_as_copied_are_not_judged(self):
        samples = [
            dataclasses.replace(
                self.copying(5 * n, 500), disk_processed=40 * n * MIB
            )
            for n in range(1, 10)
        ]
        self.assertIs(Verdict.UNKNOWN, progress.judge(samples).verdict)

    def test_memory_is_judged_once_it_moves(self):
        """The mirror of the disks goes on, and may have a little to do."""
        disk = [self.copying(5 * n, 1024 - 40 * n) for n in range(1, 10)]
        memory = [
            dataclasses.replace(
                look,
                at=look.at + 50,
                disk_total=1024 * MIB,
                disk_processed=1000 * MIB + number,
                disk_remaining=number % 3,
            )
            for number, look in enumerate(saw_teeth(*[84] * 8))
        ]
        judged = progress.judge([*disk, *memory])
        self.assertIs(Verdict.NOT_CONVERGING, judged.verdict)

    def test_figures_come_after_the_disks(self):
        done = self.copying(200, 0)
        self.assertIs(Verdict.UNKNOWN, progress.judge([done]).verdict)


class TraceTest(base.BaseTestCase):
    """Simulated traces, looked at as a client of Nova does."""

    def replayed(self, name: str) -> list[dict[str, Any]]:
        path = TRACES / f'simulated-{name}.jsonl'
        return list(replay.replay(replay.read(str(path), self.fail)))

    def test_endless_ones_are_recognised(self):
        for name, seconds in (
            ('endless', 90),
            ('endless-aliased', 90),
            ('endless-short-passes', 90),
            ('endless-after-minutes', 120),
        ):
            said = self.replayed(name)
            condemned = [
                line['at']
                for line in said
                if line['verdict'] == 'not-converging'
            ]
            self.assertLess(condemned[0], seconds, name)
            self.assertGreater(condemned[0], 30, name)
            after = {
                line['verdict'] for line in said if line['at'] >= condemned[0]
            }
            self.assertEqual({'not-converging'}, after, name)

    def test_those_that_end_are_left_alone(self):
        for name in ('slow', 'slower', 'late', 'soon', 'quick', 'with-disk'):
            said = [line['verdict'] for line in self.replayed(name)]
            self.assertNotIn('not-converging', said, name)
            self.assertEqual('converging', said[-1], name)

    def test_slow_ones_are_called_converging(self):
        for name in ('slow', 'slower', 'late'):
            said = [line['verdict'] for line in self.replayed(name)]
            self.assertGreater(said.count('converging'), len(said) / 2, name)


class ReplayTest(base.BaseTestCase):
    def run_on(self, text: str) -> tuple[int, list[Any], str]:
        """Replay a file; return the exit code and both outputs."""
        with tempfile.NamedTemporaryFile('w', suffix='.jsonl') as file:
            file.write(text)
            file.flush()
            with (
                mock.patch('sys.stdout', io.StringIO()) as out,
                mock.patch('sys.stderr', io.StringIO()) as err,
            ):
                code = replay.main([file.name])
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        return code, lines, err.getvalue().replace(file.name, 'FILE')

    def test_one_line_comes_out_for_each(self):
        code, lines, _ = self.run_on(
            '{"at": 0, "status": "queued"}\n\n{"at": 2.5, "status": null}\n'
            '{"at": 3, "status": "completed", "memory_total_bytes": null}\n'
        )
        self.assertEqual(0, code)
        nothing = {'seconds_left': None, 'predicted_pause_seconds': None}
        self.assertEqual(
            [
                {'at': 0, 'verdict': 'unknown', **nothing},
                {'at': 2.5, 'verdict': 'unknown', **nothing},
                {
                    'at': 3,
                    'verdict': 'converging',
                    'seconds_left': 0.0,
                    'predicted_pause_seconds': None,
                },
            ],
            lines,
        )

    def test_odd_figures_are_unknown_figures(self):
        odd = '["x", true, -1, NaN, Infinity, 1e400, ' + '9' * 400 + ', {}]'
        for value in json.loads(odd):
            names = [f'memory_{what}_bytes' for what in ('total', 'remaining')]
            figures = dict.fromkeys([*names, 'disk_remaining_bytes'], value)
            line = json.dumps({'at': 1, 'status': 7, **figures})
            code, lines, _ = self.run_on(line)
            self.assertEqual(0, code)
            self.assertEqual('unknown', lines[0]['verdict'])

    def test_a_bad_line_is_named_and_left_out(self):
        for bad, why in (
            ('{"at": 1', 'delimiter'),
            ('[1]', 'not a JSON object'),
            ('{"status": "running"}', '"at" is not a number'),
            ('{"at": true}', '"at" is not a number'),
            ('{"at": NaN}', '"at" is not a number'),
            ('[' * 100000, 'recursion'),
        ):
            text = '{"at": 0}\n' + bad + '\n{"at": 5}\n'
            code, lines, complaint = self.run_on(text)
            self.assertEqual(2, code)
            self.assertEqual([0, 5], [line['at'] for line in lines])
            self.assertIn('FILE:2: ', complaint)
            self.assertIn(why, complaint)
            self.assertEqual(1, complaint.count('\n'))

    def test_a_missing_file_is_named(self):
        with mock.patch('sys.stderr', io.StringIO()) as err:
            self.assertEqual(2, replay.main(['/nonexistent.jsonl']))
            self.assertIn('/nonexistent.jsonl', err.getvalue())
            self.assertEqual(2, replay.main([]))
