# SPDX-License-Identifier: Apache-2.0
"""When the moves of a plan would begin and how long they would take. Pure.

A guess made before anything is known of the links, for a dry run: every move
needs what it needs over a free link of 1 Gbit/s, and those that are under way
share the links of their hosts equally.
"""

from collections.abc import Iterable, Sequence
import dataclasses

from osc_migrate import fit
from osc_migrate import limits as limits_module
from osc_migrate import model
from osc_migrate import planner

# seconds that are lost by counting with fractions
_TINY = 1e-6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """When a move is expected; times in seconds from the beginning.

    ``round`` counts from 1: a move of round 2 begins when one of round 1 has
    ended. ``start`` and ``duration`` are ``None`` for evacuations, as what a
    server is rebuilt from is not known.
    """

    move: model.Move
    round: int
    start: float | None
    duration: float | None


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class _Moving:
    """A move under way in the made-up time."""

    move: model.Move
    load: limits_module.Load
    round: int
    start: float
    left: float


def foresee(
    plan: planner.Plan, limits: limits_module.Limits
) -> tuple[Slot, ...]:
    """Return the slots of the moves of a plan, in its order."""
    servers = {entry.server.id: entry.server for entry in plan.report.servers}
    waiting = [
        _Moving(
            move=move,
            load=_load(plan, move),
            round=0,
            start=0.0,
            left=max(
                fit.expected_seconds(
                    servers[move.server_id], move.migration_type
                ),
                _TINY,
            ),
        )
        for move in plan.moves
    ]
    ends: dict[str, float] = {}
    order = tuple(waiting)
    active: list[_Moving] = []
    now, number = 0.0, 1
    while waiting or active:
        _begin(waiting, active, limits, now=now, number=number)
        speeds = [_speed(one, active) for one in active]
        step = min(
            one.left / speed for one, speed in zip(active, speeds, strict=True)
        )
        now += step
        for one, speed in zip(active, speeds, strict=True):
            one.left -= step * speed
        over = [one for one in active if one.left <= _TINY]
        ends |= {one.move.server_id: now for one in over}
        active = [one for one in active if one.left > _TINY]
        number = 1 + max(one.round for one in over)
    return tuple(_slot(one, ends[one.move.server_id]) for one in order)


def end(slots: Iterable[Slot]) -> float | None:
    """Return when the last move ends, in seconds; ``None`` if unknown."""
    ends = [
        None
        if slot.start is None or slot.duration is None
        else slot.start + slot.duration
        for slot in slots
    ]
    known = [one for one in ends if one is not None]
    return max(known, default=0.0) if len(known) == len(ends) else None


def _load(plan: planner.Plan, move: model.Move) -> limits_module.Load:
    return limits_module.Load(
        source=move.source,
        destination=move.destination,
        weight=1,
        groups=plan.apart.get(move.server_id, frozenset()),
    )


def _begin(
    waiting: list[_Moving],
    active: list[_Moving],
    limits: limits_module.Limits,
    *,
    now: float,
    number: int,
) -> None:
    """Begin what the limits allow, in the order of the plan."""
    for one in tuple(waiting):
        busy = [other.load for other in active]
        if len(busy) >= limits.total:
            return
        # told apart first, as it is far quicker for a thousand that wait
        if _count(one.load.source, busy) >= limits.per_source:
            continue
        if limits.allow(one.load, busy):
            one.start, one.round = now, number
            waiting.remove(one)
            active.append(one)


def _count(source: str | None, loads: Sequence[limits_module.Load]) -> int:
    return sum(load.source == source for load in loads)


def _speed(one: _Moving, active: Sequence[_Moving]) -> float:
    """Return the share of a link that a move has."""
    leaving = [
        other for other in active if other.load.source == one.load.source
    ]
    there = one.load.destination
    arriving = [
        other
        for other in active
        if there is not None and other.load.destination == there
    ]
    return 1 / max(len(leaving), len(arriving), 1)


def _slot(one: _Moving, end: float) -> Slot:
    is_known = one.move.migration_type is not model.MigrationType.EVACUATE
    return Slot(
        move=one.move,
        round=one.round,
        start=one.start if is_known else None,
        duration=end - one.start if is_known else None,
    )
