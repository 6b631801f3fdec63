# SPDX-License-Identifier: Apache-2.0
"""The passes of pre-copy: how large they were and whether they shrink.

What a reader must know: memory is sent in passes, and what the guest dirties
during one pass is the next. Within a pass, processed + remaining stands still
(zero pages lower it); where a pass begins it rises by just what that pass has
to send. So samples that miss every high and every low tell the sizes
nevertheless. Pure, and free of units: time plays no part.
"""

import dataclasses
import itertools
import math
import statistics

SAME_PASS = 0.1  # of what was sent: growing by less begins no pass
BLOCK = 4  # samples that together tell the size of short passes
ALIKE, PARTS, OFF = 5, 4, 0.04  # what shows that passes are equal, see below
EXACT, ROUGH = 0.01, 0.2  # relative error of a size, at least
SURE = 1.3  # standard errors, more of them where sizes are few
LEVEL = 0.022  # a pass that surely shrinks by less is level
WORTHWHILE = 0.5  # but not if all of them shrink by this much together
FALLING = 0.02  # one that surely shrinks by more is falling
CHANGED = 0.65  # the share of the rate before that shows another one
LATELY, BESIDE, ASIDE = 32, 3, 5  # moments that tell it: all, on each side
AFRESH, AGAIN = 3, 8  # sizes at one rate that say enough; if it fell


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """Figures that differ from those before."""

    at: float
    total: int
    processed: int
    remaining: int


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A moment that saw new passes: what they grew by and what came before."""

    index: int
    before: int
    grown: int


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """The size of a pass, or of some short ones; the error is relative."""

    index: int
    before: float
    size: float
    error: float


@dataclasses.dataclass(frozen=True, slots=True)
class Trend:
    """A line through sizes; its slope is the growth from pass to pass."""

    slope: float
    error: float
    size: float  # of this pass
    count: int
    span: float  # bytes sent from its beginning to its end

    @property
    def is_falling(self) -> bool:
        """Whether passes shrink, even if by less than it looks."""
        return self.slope + self.error < -FALLING

    @property
    def is_level(self) -> bool:
        """Whether they do not, even if they do more than it looks."""
        sure = SURE * (1 + 2 / (self.count - 2))
        fall = sure * self.error - self.slope
        return fall < LEVEL and fall * self.span < WORTHWHILE * self.size

    @property
    def following(self) -> float:
        """What all passes after the last one send, each one smaller."""
        ratio = min(max(0.0, 1 + self.slope), 0.999)
        return self.size * ratio / (1 - ratio)


def sent(before: Moment, after: Moment) -> int:
    """Return the bytes sent in between."""
    return after.processed - before.processed


def grown(before: Moment, after: Moment) -> int:
    """Return what the passes that began in between have to send."""
    return sent(before, after) + after.remaining - before.remaining


def is_same(before: Moment, after: Moment) -> bool:
    """Whether both are of the same pass, and no zero pages were in between."""
    return abs(grown(before, after)) <= SAME_PASS * sent(before, after)


def find_steps(moments: list[Moment]) -> list[Step]:
    """Find the moments that saw a new pass."""
    steps: list[Step] = []
    total = 0
    for index, pair in enumerate(itertools.pairwise(moments), 1):
        if grown(*pair) > SAME_PASS * sent(*pair):
            steps.append(Step(index, total, grown(*pair)))
            total += steps[-1].grown
    return steps


def measure(moments: list[Moment], steps: list[Step]) -> list[Size]:
    """Tell how large passes were, as far as the steps tell."""
    if not _is_first_known(moments, steps[0]):
        steps = steps[1:]
    known = _equal_passes(moments, steps) | _single_passes(moments, steps)
    sizes: list[Size] = []
    block: list[Step] = []
    for step in steps:
        size = known.get(step.index)
        if size:
            sizes.append(Size(step.index, step.before, size, EXACT))
            block = []
            continue
        block.append(step)
        if len(block) == BLOCK:
            sizes.append(_block_size(moments, block))
            block = []
    if len(sizes) > 1 and sizes[-2].error < sizes[-1].error:
        del sizes[-1]  # one rough size says nothing beside exact ones
    return sizes


def is_exact(sizes: list[Size], steps: list[Step]) -> bool:
    """Whether the size of a pass as good as now is known exactly."""
    last = sizes[-1:]
    return any(size.error == EXACT for size in last) and (
        last[0].index >= steps[-1].index - 1
    )


def _is_first_known(moments: list[Moment], step: Step) -> bool:
    """Whether the first pass cannot end earlier than it seemed.

    Zero pages later in it would make the next pass larger than the step.
    """
    before = moments[step.index - 1]
    return (
        before.remaining <= EXACT * step.grown
        or step.grown >= 0.9 * before.total
    )


def _single_passes(
    moments: list[Moment], steps: list[Step]
) -> dict[int, float]:
    """Find steps that cannot be two passes, which gives the size of one.

    Of two, each would be about half the step; but no pass is smaller than
    what remains in it or, unless passes grow, in a later one.
    """
    sizes: dict[int, float] = {}
    for step in steps:
        later = [moment.remaining for moment in moments[step.index :][:3]]
        if 0.95 * later[0] <= step.grown < 1.9 * max(later):
            sizes[step.index] = step.grown
    return sizes


def _block_size(moments: list[Moment], block: list[Step]) -> Size:
    """Take the largest that remained: on average, most of a pass."""
    largest = max(moments[step.index].remaining for step in block)
    return Size(
        block[-1].index,
        statistics.fmean(step.before for step in block),
        max(1, largest) * (BLOCK + 1) / BLOCK,
        ROUGH,
    )


def _equal_passes(
    moments: list[Moment], steps: list[Step]
) -> dict[int, float]:
    """Find steps that are multiples of one size, that of all their passes.

    Passes about as long as the time from sample to sample, or shorter, may
    show neither highs nor lows for minutes. Their number is whole anyway.
    """
    sizes: dict[int, float] = {}
    usual, begin = 0.0, 0
    singles = _single_passes(moments, steps)
    for end in range(ALIKE, len(steps) + 1):
        alike = steps[end - ALIKE : end]
        for step in alike:
            usual = singles.get(step.index, usual)
        seen = moments[alike[0].index : alike[-1].index + 1]
        largest = max(moment.remaining for moment in seen)
        size = _common_size([step.grown for step in alike], largest, usual)
        if size is None:
            begin = end - ALIKE + 1
            continue
        usual = size
        sizes.update((step.index, size) for step in steps[begin:end])
    return sizes


def _common_size(grown: list[int], largest: int, usual: float) -> float | None:
    """Return the size that all are multiples of, the nearest to the usual."""
    sizes = []
    for parts in range(1, PARTS + 1):
        size = min(grown) / parts
        if size < 0.95 * largest:
            break
        counts = [step / size for step in grown]
        is_likely = size <= 4 * largest or abs(size - usual) < 0.1 * usual
        if is_likely and all(abs(n - round(n)) < OFF for n in counts):
            sizes.append(sum(grown) / sum(map(round, counts)))
    return min(sizes, key=lambda size: abs(size - usual), default=None)


def draw_trend(sizes: list[Size], now: float) -> Trend:
    """Draw a line through sizes, weighing them by how well they are known.

    ``now`` is what had been dirtied before this pass.
    """
    weights = [1 / (size.error * size.size) ** 2 for size in sizes]
    total = math.fsum(weights)
    rows = list(zip(weights, sizes, strict=True))
    middle = math.fsum(w * size.before for w, size in rows) / total
    level = math.fsum(w * size.size for w, size in rows) / total
    points = [(w, size.before - middle, size.size - level) for w, size in rows]
    square = math.fsum(w * x * x for w, x, _ in points)
    slope = math.fsum(w * x * y for w, x, y in points) / square
    scatter = math.fsum(w * (y - slope * x) ** 2 for w, x, y in points)
    return Trend(
        slope=slope,
        error=math.sqrt((1 + scatter) / (len(sizes) - 1) / square),
        size=max(0.0, level + slope * (now - middle)),
        count=len(sizes),
        span=sizes[-1].before - sizes[0].before,
    )


def stay_level(
    moments: list[Moment], sizes: list[Size], steps: list[Step]
) -> bool:
    """Whether level passes are so at the present rate, too.

    Passes grow where another copy takes a share of the link, and look level
    for a while when it does no longer. Both pass.
    """
    # zero pages make the first pass look slow
    index, share = _find_change(moments, steps[0].index)
    if CHANGED < share < 1 / CHANGED:
        return True
    now, is_slower = steps[-1].before, share < 1
    before = [size for size in sizes if size.index <= index]
    if is_slower and len(before) >= AGAIN and draw_trend(before, now).is_level:
        return True
    since = [size for size in sizes if size.index > index + 1]
    enough = len(since) >= (AGAIN if is_slower else AFRESH)
    return enough and draw_trend(since, now).is_level


def _find_change(moments: list[Moment], begin: int) -> tuple[int, float]:
    """Return where the rate changed most of late, and to what share."""
    change = (begin, 1.0)
    begin = max(begin, len(moments) - LATELY)
    for index in range(begin + BESIDE, len(moments) - BESIDE):
        before = _rate(moments[max(begin, index - ASIDE) : index + 1])
        after = _rate(moments[index : index + ASIDE + 1])
        if before and after:
            share = after / before
            if abs(math.log(share)) > abs(math.log(change[1])):
                change = (index, share)
    return change


def _rate(moments: list[Moment]) -> float:
    seconds = moments[-1].at - moments[0].at
    return sent(moments[0], moments[-1]) / seconds if seconds > 0 else 0.0
