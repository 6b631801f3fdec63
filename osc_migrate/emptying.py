# SPDX-License-Identifier: Apache-2.0
"""The values of a drain: how a host is to be emptied, and how that ended."""

from collections.abc import Mapping
import dataclasses

from osc_migrate import leftovers
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import selection as selection_module
from osc_migrate.checks import Finding
from osc_migrate.task import Phase
from osc_migrate.task import Task


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to drain.

    ``to`` restricts the destinations; with ``is_scheduled`` Nova chooses
    among them all. ``ignore`` holds ids of checks that only warn. With
    ``is_fenced`` the caller vouches that the host is off, or its servers
    would run twice on the same disks once they are evacuated. With
    ``is_reserved`` the one destination of ``to`` is kept for this drain.
    """

    method: str = 'auto'
    allow_cold: bool = False
    to: frozenset[str] = frozenset()
    is_scheduled: bool = False
    is_fenced: bool = False
    is_reserved: bool = False
    order: str = 'largest'
    ignore: frozenset[str] = frozenset()
    selection: selection_module.Selection = dataclasses.field(
        default_factory=selection_module.Selection
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a drain ended.

    ``stranded`` are the servers that were not tried, with the findings that
    forbid it. ``is_interrupted`` says that moves were not begun, and
    ``is_reopened`` that it was because somebody had enabled the host.
    ``is_everything`` is false if only chosen servers were meant.
    """

    host: str
    tasks: tuple[Task, ...]
    stranded: Mapping[model.Server, tuple[Finding, ...]]
    leftovers: tuple[leftovers.Leftover, ...]
    is_interrupted: bool
    is_reopened: bool = False
    is_everything: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left that will not go by itself."""
        return all(left.is_expected for left in self.leftovers)

    @property
    def is_clean(self) -> bool:
        """Whether no server was broken on its way, here or elsewhere."""
        bad = (Phase.FAILED, Phase.STUCK)
        return all(task.phase not in bad for task in self.tasks)


def is_leaving(plan: planner.Plan, limit: int | None) -> bool:
    """Whether a plan leaves servers that are meant.

    :param limit: how many servers may move; the rest is not meant if these
        can, now or when they are not busy any more
    """
    lasting = planner.lasting(plan)
    possible = len(plan.moves) + len(plan.stranded) - len(lasting)
    return bool(lasting) and (limit is None or possible < limit)
