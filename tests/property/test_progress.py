# SPDX-License-Identifier: Apache-2.0
"""What holds of the judgement of any migration."""

import dataclasses
import itertools
import json
import math

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from osc_migrate import progress
from osc_migrate.progress import Verdict
from tests import replay

MIB = 2**20
FIGURES = [
    field.name
    for field in dataclasses.fields(progress.Sample)
    if field.type == int | None or 'int' in str(field.type)
]
STATUSES = (
    'accepted',
    'queued',
    'preparing',
    'running',
    'running (post-copy)',
    'post-migrating',
    'completed',
    'failed',
    'error',
    'cancelled',
    '',
)
ANY_SAMPLE = st.builds(
    progress.Sample,
    at=st.floats(-1e6, 1e9),
    status=st.sampled_from(STATUSES),
    **dict.fromkeys(
        FIGURES, st.none() | st.integers(0, 5) | st.integers(0, 2**50)
    ),
)
UNEVEN = st.lists(st.floats(0.9, 1.1), min_size=8, max_size=8)


def seen(at: float, processed: float, remaining: float) -> progress.Sample:
    """Make a sample of memory, in MiB."""
    return progress.Sample(
        at=at,
        status='running',
        memory_total=256 * MIB,
        memory_processed=round(processed * MIB),
        memory_remaining=round(remaining * MIB),
        disk_total=0,
        disk_processed=0,
        disk_remaining=0,
    )


def saw_teeth(
    sizes: list[float], sent: float, uneven: list[float]
) -> list[progress.Sample]:
    """Send 256 MiB and such passes, 10 MiB/s, looking now and then."""
    ends = list(itertools.accumulate((256, *sizes)))
    samples = []
    position = 0.0
    for factor in itertools.cycle(uneven):
        position += sent * factor
        end = next((end for end in ends if end > position), None)
        if end is None:
            return samples
        samples.append(seen(position / 10, position, end - position))
    return samples


def judged(samples: list[progress.Sample]) -> list[progress.Progress]:
    """Judge after each sample, as one who watches does."""
    history: tuple[progress.Sample, ...] = ()
    said = []
    for sample in samples:
        history = progress.distinct((*history, sample))
        said.append(progress.judge(history))
    return said


@st.composite
def shrinking(draw: st.DrawFn) -> list[progress.Sample]:
    """Draw a migration whose passes shrink steadily until it ends."""
    ratio = draw(st.floats(0.5, 0.95))
    size = draw(st.floats(60, 256))
    sizes = []
    while size > 2:
        sizes.append(size)
        size *= ratio
    sent = draw(st.floats(20, 60))
    return saw_teeth(sizes, sent, draw(UNEVEN))


@st.composite
def level(draw: st.DrawFn) -> list[progress.Sample]:
    """Draw one whose passes stay as they are, or grow."""
    ratio = draw(st.just(1.0) | st.floats(1.0, 1.05))
    sent = draw(st.floats(20, 60))
    size = sent * draw(st.floats(0.4 if ratio == 1.0 else 1.0, 4))
    sizes = []
    while len(sizes) < 12 or sum(sizes) < 48 * sent:
        sizes.append(size)
        size = min(256, size * ratio)
    return saw_teeth(sizes, sent, draw(UNEVEN))


class AnyTraceTest(base.BaseTestCase):
    @hypothesis.given(st.lists(ANY_SAMPLE, max_size=150))
    def test_anything_is_judged(self, samples):
        for said in judged(samples):
            self.assertTrue(said.reason)
            for seconds in (said.seconds_left, said.predicted_pause_seconds):
                if seconds is not None:
                    self.assertGreaterEqual(seconds, 0)
                    self.assertTrue(math.isfinite(seconds))

    @hypothesis.given(st.lists(ANY_SAMPLE, max_size=150))
    def test_a_history_keeps_the_end_and_stays_short(self, samples):
        kept = progress.distinct(samples)
        self.assertLessEqual(len(kept), progress.KEPT)
        self.assertEqual(samples[-1:], list(kept[-1:]))
        self.assertEqual(kept, progress.distinct(kept))

    @hypothesis.given(
        st.lists(
            st.fixed_dictionaries(
                {'at': st.floats(-1e15, 1e15)},
                optional={
                    f'{name}_bytes': st.none()
                    | st.text()
                    | st.integers()
                    | st.floats()
                    | st.lists(st.none())
                    for name in FIGURES
                }
                | {'status': st.none() | st.text() | st.integers()},
            )
        )
    )
    def test_any_object_can_be_replayed(self, lines):
        samples = [replay.sample(line) for line in lines]
        said = list(replay.replay(samples))
        self.assertEqual(len(lines), len(said))
        json.dumps(said, allow_nan=False)


class TraceTest(base.BaseTestCase):
    @hypothesis.given(shrinking())
    def test_falling_peaks_converge(self, samples):
        said = [progress.verdict for progress in judged(samples)]
        self.assertNotIn(Verdict.NOT_CONVERGING, said)
        if len(said) > 24:  # others end before they can be known
            self.assertIn(Verdict.CONVERGING, said)

    @hypothesis.given(level())
    def test_level_peaks_do_not(self, samples):
        said = [progress.verdict for progress in judged(samples)]
        self.assertIs(Verdict.NOT_CONVERGING, said[-1])

    @hypothesis.given(level())
    def test_few_samples_say_nothing(self, samples):
        """Of the passes after the first; and no doom before three."""
        for number, said in enumerate(judged(samples)[:4]):
            self.assertIs(Verdict.UNKNOWN, said.verdict, number)
        first = [look for look in samples if look.memory_processed < 2**28]
        for said in judged(samples[: len(first) + 2]):
            self.assertIsNot(Verdict.NOT_CONVERGING, said.verdict)

    @hypothesis.given(
        st.lists(st.floats(0.1, 10), min_size=6, max_size=60),
        st.floats(0, 0.5),
    )
    def test_what_only_falls_converges(self, falls, dirtied):
        """However unsteadily, and with zero pages or without."""
        left, processed = sum(falls) + 1, 0.0
        samples = []
        for number, fall in enumerate(falls):
            left -= fall
            processed += fall * dirtied * 2
            samples.append(seen(5 * number, processed + 1, left))
        said = [progress.verdict for progress in judged(samples)]
        self.assertIs(Verdict.CONVERGING, said[-1])

    @hypothesis.given(
        st.lists(
            st.tuples(st.floats(0.1, 10), st.floats(0, 50)),
            min_size=1,
            max_size=60,
        )
    )
    def test_what_only_falls_is_never_condemned(self, looks):
        """Whatever is dirtied meanwhile."""
        left, processed = sum(fall for fall, _ in looks) + 1, 0.0
        samples = []
        for number, (fall, dirtied) in enumerate(looks):
            left -= fall
            processed += fall + dirtied
            samples.append(seen(5 * number, processed, left))
        said = [progress.verdict for progress in judged(samples)]
        self.assertNotIn(Verdict.NOT_CONVERGING, said)

    @hypothesis.given(
        shrinking() | level(),
        st.sampled_from((0.125, 0.5, 4, 1024)),
        st.sampled_from((1, 2, 64)),
    )
    def test_scaling_scales_the_answer(self, samples, seconds, amounts):
        scaled = [
            dataclasses.replace(
                sample,
                at=sample.at * seconds,
                **{name: getattr(sample, name) * amounts for name in FIGURES},
            )
            for sample in samples
        ]
        pairs = zip(judged(samples), judged(scaled), strict=True)
        for before, after in pairs:
            self.assertIs(before.verdict, after.verdict)
            self.assertEqual(before.is_low_point, after.is_low_point)
            for name, factor in (
                ('seconds_left', seconds),
                ('predicted_pause_seconds', seconds),
                ('transfer_rate', amounts / seconds),
                ('dirty_rate', amounts / seconds),
            ):
                old, new = getattr(before, name), getattr(after, name)
                if old is None:
                    self.assertIsNone(new)
                else:
                    self.assertTrue(math.isclose(old * factor, new))

    @hypothesis.given(shrinking() | level(), st.data())
    def test_asking_more_often_changes_nothing(self, samples, data):
        often = []
        for look in samples:
            count = data.draw(st.integers(0, 2))
            late = [
                dataclasses.replace(look, at=look.at + 0.1 * number)
                for number in range(1, count + 1)
            ]
            often += [look, *late]
        self.assertIs(
            progress.judge(samples).verdict, progress.judge(often).verdict
        )
