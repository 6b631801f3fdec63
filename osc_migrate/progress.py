# SPDX-License-Identifier: Apache-2.0
"""Whether a live migration will end, how fast it goes and how long it takes.

What a reader must know: only the sizes of the passes decide, see ``passes``.
Level, it never ends; falling, it does. A low remaining alone says nothing.
Pure: no clock, no I/O.
"""

import collections.abc
import dataclasses
import enum
import itertools
import math
import operator
import statistics

from osc_migrate import passes

KEPT, RECENT = 96, 32  # samples of a history; those that stay complete
FALLS = 4  # falls of remaining in a row that count in the first pass
LONG_FALL = 8  # and afterwards, where sampling can feign some
WINDOW = 10  # samples that a rate and a low point are taken from
FEWEST, FEW, MOST = 3, 4, 16  # sizes that a trend is drawn through
BRIEF = 0.125  # of what is sent from sample to sample: it fits in a downtime
REFRESH = 5.5  # seconds from one to the next that Nova has, at most
BRIEFLY = 8  # samples that show nothing larger
SHORT = 0.3  # of it: passes this short are hard to measure
SILENCE = 6  # usual times between samples without a new one

BEFORE = ('accepted', 'queued', 'pre-migrating', 'preparing')
FAILED = ('failed', 'error', 'cancelled')
COPIED = ('post-migrating', 'finished', 'completed', 'confirmed', 'done')


class Verdict(enum.StrEnum):
    """Whether a migration ends at the present rates."""

    UNKNOWN = 'unknown'
    CONVERGING = 'converging'
    NOT_CONVERGING = 'not-converging'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What Nova showed of a migration at a moment: seconds and bytes."""

    at: float
    memory_total: int | None
    memory_processed: int | None
    memory_remaining: int | None
    disk_total: int | None
    disk_processed: int | None
    disk_remaining: int | None
    status: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The judgement of a migration: seconds, bytes and bytes a second.

    ``predicted_pause_seconds`` is how long the guest stands if it is forced
    to complete now; ``is_low_point`` says that it hardly gets shorter.
    ``dirty_rate`` is what the guest dirties while a pass is sent. Amounts
    are the last ones known.
    """

    verdict: Verdict
    reason: str
    transfer_rate: float | None = None
    dirty_rate: float | None = None
    seconds_left: float | None = None
    predicted_pause_seconds: float | None = None
    memory_remaining: int | None = None
    memory_total: int | None = None
    disk_remaining: int | None = None
    disk_total: int | None = None
    is_low_point: bool = False


_shown = operator.attrgetter(
    *(field.name for field in dataclasses.fields(Sample)[1:])
)


def distinct(
    samples: collections.abc.Sequence[Sample],
) -> tuple[Sample, ...]:
    """Return the samples that tell something new, and the last one.

    A history that goes through this with each new sample stays short: where
    it grows long, older samples from the midst of a pass are left out.
    """
    kept: list[Sample] = []
    for sample in samples:
        if not kept or _shown(sample) != _shown(kept[-1]):
            kept.append(sample)
    if samples and kept[-1] is not samples[-1]:
        kept.append(samples[-1])
    if len(kept) <= KEPT:
        return tuple(kept)
    thin = kept[:1]
    for sample, following in itertools.pairwise(kept[1 : 1 - RECENT]):
        three = _moments((thin[-1], sample, following), 'memory')
        pairs = itertools.pairwise(three)
        if len(three) < 3 or not all(passes.is_same(*pair) for pair in pairs):
            thin.append(sample)
    return (*thin, *kept[-RECENT:])[-KEPT:]


def judge(samples: collections.abc.Sequence[Sample]) -> Progress:
    """Judge a migration by what was seen of it, oldest first.

    A migration that was copied counts as converging with nothing left, one
    that failed as unknown.
    """
    kept = distinct(samples)
    if not kept:
        return Progress(verdict=Verdict.UNKNOWN, reason='nothing seen yet')
    last = kept[-1]
    memory, disk = _moments(kept, 'memory'), _moments(kept, 'disk')
    seen = Progress(
        verdict=Verdict.UNKNOWN,
        reason=f'no figures yet, it is {last.status}',
        memory_remaining=memory[-1].remaining if memory else None,
        memory_total=memory[-1].total if memory else None,
        disk_remaining=disk[-1].remaining if disk else None,
        disk_total=disk[-1].total if disk else None,
    )
    if last.status in COPIED:
        return _converging(seen, 'all is copied', 0.0)
    if last.status in FAILED:
        return _unknown(seen, f'it is {last.status}')
    if last.status in BEFORE:
        return seen
    if _is_copying_disk(last, memory, disk):
        return _judge_disk(seen, memory, disk)
    return _judge_copy(seen, memory, last) if memory else seen


def _judge_copy(
    seen: Progress, memory: list[passes.Moment], last: Sample
) -> Progress:
    """Judge a copy of memory that has shown figures."""
    measured = _measured(seen, memory, last.at)
    if 'post-copy' in last.status:
        left = measured.predicted_pause_seconds
        return _converging(seen, 'post-copy always ends', left)
    progress = _judge_memory(measured, memory)
    silence = last.at - memory[-1].at
    if (
        progress.verdict is Verdict.CONVERGING
        and silence > SILENCE * _usual_gap(memory)
    ):
        return _unknown(progress, f'no new figures for {silence:.0f} s')
    return progress


def _moments(
    samples: collections.abc.Sequence[Sample], kind: str
) -> list[passes.Moment]:
    """Return the known and new figures since the copy last began."""
    names = [f'{kind}_{what}' for what in ('total', 'processed', 'remaining')]
    figures = operator.attrgetter(*names)
    moments: list[passes.Moment] = []
    shown = None
    for sample in samples:
        total, processed, remaining = figures(sample)
        if not total or processed is None or remaining is None:
            continue
        if shown == (processed, remaining) or processed == remaining == 0:
            continue
        shown = (processed, remaining)
        if moments and processed < moments[-1].processed:
            moments.clear()
        moments.append(passes.Moment(sample.at, total, *shown))
    return moments


def _unknown(seen: Progress, reason: str) -> Progress:
    return dataclasses.replace(
        seen, verdict=Verdict.UNKNOWN, reason=reason, seconds_left=None
    )


def _converging(
    seen: Progress, reason: str, seconds_left: float | None
) -> Progress:
    return dataclasses.replace(
        seen,
        verdict=Verdict.CONVERGING,
        reason=reason,
        seconds_left=seconds_left,
    )


def _measured(
    seen: Progress, moments: list[passes.Moment], now: float
) -> Progress:
    """Add the rate, and what a pause would cost now."""
    rate = _rate(moments)
    if rate is None:
        return seen
    left = moments[-1].remaining
    age = now - moments[-1].at
    window = [moment.remaining for moment in moments[-WINDOW:]]
    lower = sum(remaining < left for remaining in window)
    return dataclasses.replace(
        seen,
        transfer_rate=rate,
        predicted_pause_seconds=left / rate,
        is_low_point=len(window) > FALLS
        and lower <= len(window) // 5
        and age <= left / rate <= _usual_gap(moments),
    )


def _rate(moments: list[passes.Moment]) -> float | None:
    """Return the bytes sent a second, if any were."""
    first, last = moments[-WINDOW:][0], moments[-1]
    seconds, sent = last.at - first.at, passes.sent(first, last)
    rate = sent / seconds if seconds > 0 else 0.0
    return rate if rate > 0 else None


def _usual_gap(moments: list[passes.Moment]) -> float:
    pairs = itertools.pairwise(moments[-WINDOW:])
    gaps = [after.at - before.at for before, after in pairs]
    usual = statistics.median(gaps) if gaps else 0.0
    return usual if usual > 0 else math.inf


def _is_copying_disk(
    last: Sample, memory: list[passes.Moment], disk: list[passes.Moment]
) -> bool:
    """Whether memory waits for the disks, which go first."""
    if not disk or not last.disk_remaining:
        return False
    waits_since = memory[-1].at if len(memory) > 1 else -math.inf
    return len(disk) == 1 or disk[-2].at > waits_since


def _judge_disk(
    seen: Progress, memory: list[passes.Moment], disk: list[passes.Moment]
) -> Progress:
    rate, recent = _rate(disk), disk[-FALLS - 1 :]
    seen = dataclasses.replace(seen, transfer_rate=rate)
    reason = f'disks go first, {_amount(disk[-1].remaining)} left'
    if len(recent) <= FALLS or recent[-1].remaining >= recent[0].remaining:
        return _unknown(seen, reason)
    if not (memory and rate):
        return _converging(seen, reason, None)
    left = disk[-1].remaining + memory[-1].remaining
    return _converging(seen, reason, left / rate)


def _judge_memory(seen: Progress, moments: list[passes.Moment]) -> Progress:
    """Judge by the sizes of the passes, as far as they are known."""
    if len(moments) <= FEWEST:
        return _unknown(seen, f'only {len(moments)} different figures yet')
    falls = _falls(moments)
    steps = passes.find_steps(moments)
    if not steps:
        return _judge_first_pass(seen, moments[-1], falls)
    only_falls = falls == len(moments) - 1
    sizes = passes.measure(moments, steps)
    recent = moments[-BRIEFLY:]
    sent = passes.sent(recent[0], recent[-1]) / (len(recent) - 1)
    most = max(moment.remaining for moment in recent)
    if (
        most <= BRIEF * sent * _share_of_refresh(recent)
        and len(recent) == BRIEFLY
        and not passes.is_exact(sizes, steps)
    ):
        reason = f'passes are short by now, at most {_amount(most)}'
        return _converging(seen, reason, None)
    needed = FEW if sizes and sizes[-1].size < SHORT * sent else FEWEST
    if len(sizes) < needed and not (only_falls and falls >= LONG_FALL):
        return _unknown(seen, f'only {len(sizes)} passes are measured yet')
    if len(sizes) < needed:
        return _converging(seen, 'what remains has only fallen', None)
    now = steps[-1].before
    few = passes.draw_trend(sizes[-FEW:], now)
    many = passes.draw_trend(sizes[-MOST:], now)
    judged = _judge_trends(seen, few, many, only_falls=only_falls)
    if judged.verdict is Verdict.NOT_CONVERGING and not passes.stay_level(
        moments, sizes[-MOST:], steps
    ):
        return _unknown(judged, f'{judged.reason}, but the rate has changed')
    return judged


def _share_of_refresh(moments: list[passes.Moment]) -> float:
    """Return Nova's interval, as a share of ours if that is longer."""
    usual = (moments[-1].at - moments[0].at) / (len(moments) - 1)
    return REFRESH / usual if usual > REFRESH else 1.0


def _judge_first_pass(
    seen: Progress, last: passes.Moment, falls: int
) -> Progress:
    reason = f'the first pass has {_amount(last.remaining)} left'
    if falls < FALLS:
        return _unknown(seen, reason)
    return _converging(seen, reason, seen.predicted_pause_seconds)


def _judge_trends(
    seen: Progress,
    few: passes.Trend,
    many: passes.Trend,
    *,
    only_falls: bool,
) -> Progress:
    """Judge by a line through the last few sizes and one through many."""
    rate, left = seen.transfer_rate, seen.predicted_pause_seconds
    passed = f'passes of {_amount(few.size)}, {100 * few.slope:+.1f} % each'
    if rate:
        dirty_rate = max(0.0, rate * (1 + many.slope))
        seen = dataclasses.replace(seen, dirty_rate=dirty_rate)
    if many.is_level and (few.is_falling or only_falls):
        return _unknown(seen, f'{passed}, but level before')
    if many.is_level:
        return dataclasses.replace(
            seen, verdict=Verdict.NOT_CONVERGING, reason=f'{passed}: level'
        )
    falling = [trend for trend in (many, few) if trend.is_falling]
    if falling and few.slope < -passes.FALLING / 2:
        if rate and left is not None:
            left += falling[0].following / rate
        return _converging(seen, f'{passed}: they shrink', left)
    if only_falls:
        return _converging(seen, 'what remains has only fallen', None)
    return _unknown(seen, f'{passed}: not sure yet')


def _falls(moments: list[passes.Moment]) -> int:
    """Count the falls of remaining up to now, without a rise."""
    pairs = itertools.pairwise(reversed(moments))
    falls = (after.remaining < before.remaining for after, before in pairs)
    return sum(1 for _ in itertools.takewhile(bool, falls))


def _amount(size: float) -> str:
    unit, name = (2**30, 'GiB') if size >= 10 * 2**30 else (2**20, 'MiB')
    return f'{size / unit:.0f} {name}'
