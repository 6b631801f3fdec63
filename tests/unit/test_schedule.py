# SPDX-License-Identifier: Apache-2.0
"""When moves are expected to begin, and how long they take."""

import dataclasses
from typing import Any

from oslotest import base

from osc_migrate import limits
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import schedule
from osc_migrate import testing

# MiB that a link of 1 Gbit/s carries in ten seconds
TEN = 1190


class ScheduleTest(base.BaseTestCase):
    def foresee(
        self, *memory: int, how: Any = None, **at_once: int
    ) -> tuple[schedule.Slot, ...]:
        """Plan servers of some MiB, named in that order."""
        servers = [
            testing.server(f's{number}', flavor=testing.flavor(ram=ram))
            for number, ram in enumerate(memory)
        ]
        plan = planner.plan(
            testing.snapshot(servers), 'compute-1', order='name'
        )
        if how:
            plan = how(plan)
        return schedule.foresee(plan, limits.Limits(**at_once))

    def times(self, slots: tuple[schedule.Slot, ...]) -> list[Any]:
        """Return round, start and duration of each slot, in whole seconds."""
        return [
            (slot.round, round(slot.start or 0), round(slot.duration or 0))
            for slot in slots
        ]

    def test_nothing(self) -> None:
        """No moves, no time."""
        self.assertEqual((), self.foresee())
        self.assertEqual(0, schedule.end(()))

    def test_one_after_the_other(self) -> None:
        """Each has the link for itself, and a round of its own."""
        slots = self.foresee(TEN, 2 * TEN, per_source=1)
        self.assertEqual([(1, 0, 10), (2, 10, 20)], self.times(slots))
        self.assertEqual(30, round(schedule.end(slots) or 0))

    def test_together(self) -> None:
        """Two share the link of their host, and the third takes its turn."""
        slots = self.foresee(TEN, 2 * TEN, TEN, per_source=2)
        self.assertEqual(
            [(1, 0, 20), (1, 0, 40), (2, 20, 20)], self.times(slots)
        )

    def test_limits(self) -> None:
        """In all, and for each destination."""
        slots = self.foresee(TEN, TEN, total=1, per_source=9)
        self.assertEqual([1, 2], [slot.round for slot in slots])

        def to_one_host(plan: planner.Plan) -> planner.Plan:
            moves = [
                dataclasses.replace(move, destination='compute-3')
                for move in plan.moves
            ]
            return dataclasses.replace(plan, moves=tuple(moves))

        slots = self.foresee(
            TEN, TEN, how=to_one_host, per_source=9, per_destination=1
        )
        self.assertEqual([1, 2], [slot.round for slot in slots])

    def test_rivals(self) -> None:
        """Members of a group do not go where Nova chooses at one time."""

        def rivals(plan: planner.Plan) -> planner.Plan:
            moves = [
                dataclasses.replace(move, destination=None)
                for move in plan.moves
            ]
            apart = {move.server_id: frozenset({'web'}) for move in moves}
            return dataclasses.replace(plan, moves=tuple(moves), apart=apart)

        slots = self.foresee(TEN, TEN, how=rivals)
        self.assertEqual([(1, 0, 10), (2, 10, 10)], self.times(slots))

    def test_an_evacuation_is_not_guessed(self) -> None:
        """What a server is rebuilt from is not known."""

        def evacuated(plan: planner.Plan) -> planner.Plan:
            way = model.MigrationType.EVACUATE
            moves = [
                dataclasses.replace(move, migration_type=way)
                for move in plan.moves
            ]
            return dataclasses.replace(plan, moves=tuple(moves))

        (slot,) = self.foresee(TEN, how=evacuated)
        self.assertEqual(
            (1, None, None), (slot.round, slot.start, slot.duration)
        )
        self.assertIsNone(schedule.end([slot]))

    def test_many(self) -> None:
        """All of them have their time, two in each round."""
        slots = self.foresee(*[TEN] * 100, per_source=2)
        self.assertEqual(1000, round(schedule.end(slots) or 0))
        self.assertEqual(50, max(slot.round for slot in slots))
