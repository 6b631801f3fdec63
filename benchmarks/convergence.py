# SPDX-License-Identifier: Apache-2.0
"""How often the convergence judgement is wrong, and how early it comes.

Beside it, on the same simulated migrations: a timer (what Nova tried as its
progress timeout and dropped) and the rule of KubeVirt's stall detector, once
with what a client of Nova sees and once told of each pass as it begins, which
only the hypervisor can know. Run it as

    python benchmarks/convergence.py [--migrations 1000] [--seed 1]
"""

import argparse
import collections
import collections.abc
import dataclasses
import itertools
import json
import math
import pathlib
import statistics
import sys
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from benchmarks import precopy
from osc_migrate import progress

Lines = list[dict[str, Any]]
Judgements = list[tuple[float, progress.Verdict]]
Make = collections.abc.Callable[[int], precopy.Case]

CONVERGING = progress.Verdict.CONVERGING
CONDEMNED = progress.Verdict.NOT_CONVERGING
TIMER_SECONDS = 150  # Nova's live_migration_progress_timeout, as it was
STALL_SECONDS, STALL_MARGIN = 40, 0.04  # KubeVirt's defaults
IN_TIME = 90
WEIGHTY = 2.5  # seconds of a pass; shorter ones are hard to measure
SETTLED = 60  # seconds after the link was shared until it does not matter


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A simulated migration and what a client saw of it."""

    case: precopy.Case
    copy: precopy.Copy
    lines: Lines

    @property
    def kind(self) -> str:
        """Whether it ends, never ends, or does so for reasons of its own."""
        if self.case.has_auto_converge:
            return 'auto-converge'
        if self.case.ends() != (self.copy.end is not None):
            return 'by chance'
        return 'ends' if self.copy.end is not None else 'never ends'


def ours(run: Run) -> Judgements:
    """Judge with osc_migrate.progress, keeping a history as a watch does."""
    history: tuple[progress.Sample, ...] = ()
    judgements = []
    for line in run.lines:
        values = {
            name: line[f'{name}_bytes']
            for name in progress.Sample.__dataclass_fields__
            if f'{name}_bytes' in line
        }
        sample = progress.Sample(
            at=line['at'], status=line['status'], **values
        )
        history = progress.distinct((*history, sample))
        judgements.append((line['at'], progress.judge(history).verdict))
    return judgements


def timer(run: Run) -> Judgements:
    """Condemn when the least that ever remained is some time old."""
    judgements: Judgements = []
    least, since = None, 0.0
    for line in run.lines:
        left = _left(line)
        if left is not None and (least is None or left < least):
            least, since = left, line['at']
        is_stuck = least is not None and line['at'] - since > TIMER_SECONDS
        judgements.append((line['at'], CONDEMNED if is_stuck else CONVERGING))
    return judgements


def stall_of_samples(run: Run) -> Judgements:
    """Apply KubeVirt's rule to what a client sees."""
    seen = [(line['at'], _left(line)) for line in run.lines]
    known = [(at, left) for at, left in seen if left is not None]
    return _stall(known)


def stall_of_passes(run: Run) -> Judgements:
    """Apply KubeVirt's rule to what each pass begins with."""
    return _stall([(at, left) for at, left in run.copy.passes])


def _left(line: dict[str, Any]) -> int | None:
    if not (line['memory_total_bytes'] or line['disk_total_bytes']):
        return None
    return int(line['memory_remaining_bytes'] + line['disk_remaining_bytes'])


def _stall(seen: collections.abc.Sequence[tuple[float, float]]) -> Judgements:
    """Condemn when no less remains than at the best moment before a window.

    It acts when about the least so far is reached again, or a window later.
    """
    judgements: Judgements = []
    waiting = collections.deque(seen)
    outside = least = math.inf
    stalled_since = None
    acts = False
    for at, left in seen:
        while at - waiting[0][0] >= STALL_SECONDS:
            outside = min(outside, waiting.popleft()[1])
        least = min(least, left)
        is_stalled = outside * (1 - STALL_MARGIN) <= left < math.inf
        if stalled_since is None and is_stalled and outside < math.inf:
            stalled_since = at
        if stalled_since is not None:
            acts = acts or (
                left <= least * (1 + STALL_MARGIN)
                or at - stalled_since >= STALL_SECONDS
            )
        judgements.append((at, CONDEMNED if acts else CONVERGING))
    return judgements


@dataclasses.dataclass
class Score:
    """What became of a detector's judgements, one run after the other."""

    ends: int = 0
    wrong: int = 0
    wrong_or_shared: int = 0
    never_ends: int = 0
    missed: int = 0
    soon: int = 0
    quick: int = 0
    quick_in_time: int = 0
    auto_converge: int = 0
    auto_converge_condemned: int = 0
    seconds: list[float] = dataclasses.field(default_factory=list)
    praised: list[float] = dataclasses.field(default_factory=list)
    changes: list[int] = dataclasses.field(default_factory=list)

    def count(self, run: Run, judgements: Judgements) -> None:
        """Add one run."""
        running = [(at, verdict) for at, verdict in judgements if at >= 0]
        condemned = [at for at, verdict in running if verdict is CONDEMNED]
        if run.kind == 'auto-converge':
            if run.copy.end is not None:
                self.auto_converge += 1
                self.auto_converge_condemned += bool(condemned)
        elif run.kind == 'ends':
            self._count_end(run, condemned)
        elif run.kind == 'never ends':
            self._count_endless(run, running, condemned)

    def _count_end(self, run: Run, condemned: list[float]) -> None:
        self.ends += 1
        alone = [at for at in condemned if not _is_hopeless(run.case, at)]
        self.wrong += bool(alone)
        self.wrong_or_shared += bool(condemned)

    def _count_endless(
        self, run: Run, running: Judgements, condemned: list[float]
    ) -> None:
        case = run.case
        self.never_ends += 1
        self.missed += not condemned
        first = condemned[0] if condemned else math.inf
        self.soon += first <= IN_TIME
        pass_seconds = case.settles_at(case.bandwidth)
        fits = case.first_pass + 5 * pass_seconds + 10 <= IN_TIME
        if fits and pass_seconds >= WEIGHTY:
            self.quick += 1
            self.quick_in_time += first <= IN_TIME
        if condemned:
            self.seconds.append(first)
        after = [
            verdict
            for at, verdict in running
            if at > case.first_pass + 4 * case.save_interval
        ]
        if after:
            self.praised.append(after.count(CONVERGING) / len(after))
            pairs = itertools.pairwise(after)
            self.changes.append(sum(a is not b for a, b in pairs))

    def row(self) -> dict[str, Any]:
        """Return the figures of a table's row."""
        points = statistics.quantiles(self.seconds or [0, 0], n=10)
        praised = 100 * statistics.fmean(self.praised or [0])
        return {
            'condemned_though_it_ends': _share(self.wrong, self.ends),
            'condemned_while_shared_too': _share(
                self.wrong_or_shared, self.ends
            ),
            'condemned_before_auto_converge': _share(
                self.auto_converge_condemned, self.auto_converge
            ),
            'missed': _share(self.missed, self.never_ends),
            'recognised_10_percent': round(points[0]),
            'recognised_50_percent': round(points[4]),
            'recognised_90_percent': round(points[8]),
            'within_90_s': _share(self.soon, self.never_ends),
            'within_90_s_where_possible': _share(
                self.quick_in_time, self.quick
            ),
            'called_converging': f'{praised:.1f} % of the time',
            'changes': round(statistics.fmean(self.changes or [0]), 1),
        }


def _is_hopeless(case: precopy.Case, at: float) -> bool:
    """Whether the link is shared, so that it would not end at these rates."""
    since = at - case.shared_from
    is_shared = 0 <= since <= case.shared_seconds + SETTLED
    return is_shared and not case.ends(is_shared=True)


def simulate(
    make: Make, count: int, seed: int
) -> collections.abc.Iterator[Run]:
    """Yield that many migrations, watched for up to half an hour each."""
    for number in range(seed * 1_000_000, seed * 1_000_000 + count):
        case = make(number)
        passes = 30 * case.first_pass
        copy = precopy.Copy(case, min(800 * case.gib, max(3600.0, passes)))
        watched = min(1800.0, max(600.0, 12 * case.first_pass))
        yield Run(case=case, copy=copy, lines=precopy.trace(copy, watched))


DETECTORS: dict[str, collections.abc.Callable[[Run], Judgements]] = {
    'osc_migrate': ours,
    'timer, 150 s': timer,
    'KubeVirt rule': stall_of_samples,
    'same, told of passes': stall_of_passes,
}


def measure(make: Make, count: int, seed: int) -> dict[str, Any]:
    """Judge that many migrations with each detector."""
    scores = {detector: Score() for detector in DETECTORS}
    kinds: collections.Counter[str] = collections.Counter()
    looks, spent = 0, 0.0
    for run in simulate(make, count, seed):
        kinds[run.kind] += 1
        for detector, judge in DETECTORS.items():
            began = time.process_time()
            judgements = judge(run)
            if judge is ours:
                spent += time.process_time() - began
                looks += len(judgements)
            scores[detector].count(run, judgements)
    return {
        'migrations': count,
        'kinds': dict(kinds),
        'milliseconds_a_look': round(1000 * spent / looks, 3),
        'detectors': {name: score.row() for name, score in scores.items()},
    }


COLUMNS = {
    'condemned_though_it_ends': 'ends, but condemned',
    'condemned_while_shared_too': '... or while another copies',
    'condemned_before_auto_converge': '... before auto-converge helps',
    'missed': 'never ends, but missed',
    'recognised_10_percent': 'recognised after, s:      10 %',
    'recognised_50_percent': '                          50 %',
    'recognised_90_percent': '                          90 %',
    'within_90_s': 'within 90 s: all',
    'within_90_s_where_possible': f'... if 5 passes of {WEIGHTY} s fit',
    'called_converging': 'never ends, called converging',
    'changes': 'changes of verdict',
}


def show(name: str, measured: dict[str, Any]) -> None:
    """Print a table: a column a detector."""
    kinds = ', '.join(f'{n} {kind}' for kind, n in measured['kinds'].items())
    print(f'{name}: {measured["migrations"]} migrations, {kinds}')
    detectors = measured['detectors']
    print(' ' * 31 + ''.join(f'{title:>21}' for title in detectors))
    for key, title in COLUMNS.items():
        cells = (f'{row[key]:>21}' for row in detectors.values())
        print(f'{title:<31}{"".join(cells)}')
    print(f'osc_migrate: {measured["milliseconds_a_look"]} ms a look\n')


def _share(part: int, whole: int) -> str:
    return f'{part} ({100 * part / whole:.1f} %)' if whole else '-'


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--migrations', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--json', metavar='FILE')
    options = parser.parse_args()
    tables = {}
    for name, make in (
        ('mixed', precopy.mixed),
        ('small guests, slow link', precopy.slow_link),
    ):
        tables[name] = measure(make, options.migrations, options.seed)
        show(name, tables[name])
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(tables, indent=1))


if __name__ == '__main__':
    main()
