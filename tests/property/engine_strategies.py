# SPDX-License-Identifier: Apache-2.0
"""Made-up clouds, and all that goes wrong in them, for the engine's tests."""

import dataclasses
from typing import Any

import hypothesis.strategies as st

from osc_migrate import drain
from osc_migrate import limits
from osc_migrate import task
from tests.property import matter
from tests.property import nova
from tests.property import others

HOSTS = ('compute-1', 'compute-2', 'compute-3', 'compute-4')
# short, as the made-up migrations are
DEADLINES = task.Deadlines(
    asked=60,
    busy=90,
    queued=600,
    preparing=60,
    running_per_gib=20,
    cold=120,
    finishing=60,
    confirming=60,
    aborting=30,
    resetting=30,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A server as it is before the drain."""

    ram: int
    vm_state: str
    group: str
    trips: tuple[matter.Trip, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cloud, how it is drained, and what goes wrong.

    ``faults`` and the numbers of ``acts`` count requests; an act with no
    number happens after so many seconds.
    """

    seeds: tuple[Seed, ...]
    leaves_error: bool
    per_source: int
    confirms_after: float
    faults: dict[int, str]
    acts: tuple[others.Act, ...]
    refusals: dict[int, int]
    limits: limits.Limits
    policy: task.Policy
    options: drain.Options


def trips(troubles: st.SearchStrategy[matter.Trip]) -> st.SearchStrategy:
    """Make the tries of one server; what follows goes well."""
    return st.lists(troubles, max_size=3).map(tuple)


GOOD_TRIPS = st.builds(
    matter.Trip,
    lag=st.sampled_from([0.0, 0.5, 25.0]),
    seconds=st.sampled_from([1.0, 8.0, 35.0]),
    tail=st.sampled_from([0.0, 0.2, 12.0]),
)
BAD_TRIPS = st.builds(
    matter.Trip,
    lag=st.sampled_from([0.0, 0.5, 25.0]),
    seconds=st.sampled_from([1.0, 8.0, 35.0]),
    tail=st.sampled_from([0.0, 0.2, 12.0]),
    fails_at=st.sampled_from(['', '', 'scheduler', 'check', 'copy', 'end']),
    is_endless=st.booleans(),
    ignores_abort=st.sampled_from([False, False, False, True]),
)
LIMITS = st.builds(
    limits.Limits,
    total=st.integers(1, 4),
    per_source=st.integers(1, 4),
    per_destination=st.integers(1, 3),
)
POLICIES = st.builds(
    task.Policy,
    on_stall=st.sampled_from(
        [task.OnStall.ABORT, task.OnStall.FORCE_COMPLETE]
    ),
    max_pause=st.sampled_from([0.1, 100.0]),
    allow_cold=st.booleans(),
    reset_state=st.sampled_from([True, True, True, False]),
    tries=st.integers(1, 3),
    deadlines=st.just(DEADLINES),
)
FAULTS = st.dictionaries(
    st.integers(1, 150), st.sampled_from(nova.FAULTS), max_size=5
)


def seeds(
    made: st.SearchStrategy, states: tuple[str, ...]
) -> st.SearchStrategy:
    """Make servers that the host has before the drain."""
    return st.lists(
        st.builds(
            Seed,
            ram=st.sampled_from([512, 2048]),
            vm_state=st.sampled_from(states),
            group=st.sampled_from(['', '', 'web']),
            trips=made,
        ),
        min_size=1,
        max_size=6,
    ).map(_grouped)


def _grouped(made: list[Seed]) -> tuple[Seed, ...]:
    """Leave two members in a group, which have two hosts too many."""
    left = 2
    grouped = []
    for seed in made:
        if seed.group and not left:
            seed = dataclasses.replace(seed, group='')
        left -= bool(seed.group)
        grouped.append(seed)
    return tuple(grouped)


ACTS = st.lists(
    st.builds(
        others.Act,
        kind=st.sampled_from(others.KINDS),
        which=st.integers(0, 5),
        number=st.none() | st.integers(1, 100),
        seconds=st.floats(0, 120),
    ),
    max_size=4,
).map(tuple)


def _options(case: Case) -> Case:
    """Allow in the plan what the policy allows."""
    options = dataclasses.replace(
        case.options, allow_cold=case.policy.allow_cold
    )
    return dataclasses.replace(case, options=options)


ANY_CASES = st.builds(
    Case,
    seeds=seeds(
        trips(BAD_TRIPS), ('active', 'active', 'paused', 'stopped', 'error')
    ),
    leaves_error=st.booleans(),
    per_source=st.integers(1, 2),
    confirms_after=st.sampled_from([0.0, 0.0, 3.0]),
    faults=FAULTS,
    acts=ACTS,
    refusals=st.dictionaries(
        st.integers(0, 5), st.sampled_from([400, 403, 409, 500]), max_size=1
    ),
    limits=LIMITS,
    policy=POLICIES,
    options=st.builds(drain.Options, is_scheduled=st.booleans()),
).map(_options)

# nothing that is not overcome in the end
KIND_CASES = st.builds(
    Case,
    seeds=seeds(trips(GOOD_TRIPS), ('active', 'active', 'paused', 'stopped')),
    leaves_error=st.booleans(),
    per_source=st.integers(1, 2),
    confirms_after=st.sampled_from([0.0, 0.0, 3.0]),
    faults=FAULTS,
    acts=st.just(()),
    refusals=st.just({}),
    limits=LIMITS,
    policy=POLICIES,
    options=st.builds(drain.Options, is_scheduled=st.booleans()),
).map(_options)


def _case(tries: dict[str, tuple[matter.Trip, ...]], **changes: Any) -> Case:
    """Make a cloud by hand: the states of its servers, how each try goes."""
    values: dict[str, Any] = {
        'seeds': tuple(
            Seed(ram=512, vm_state=text.split()[0], group='', trips=made)
            for text, made in tries.items()
        ),
        'leaves_error': True,
        'per_source': 2,
        'confirms_after': 0.0,
        'faults': {},
        'acts': (),
        'refusals': {},
        'limits': limits.Limits(total=2, per_source=2, per_destination=1),
        'policy': task.Policy(allow_cold=True, deadlines=DEADLINES),
        'options': drain.Options(allow_cold=True),
        **changes,
    }
    return Case(**values)


ALL_KINDS = _case(
    {
        'active': (matter.Trip(lag=25.0),),
        'paused': (),
        'stopped 1': (),
        'stopped 2': (matter.Trip(lag=25.0, tail=12.0),),
    }
)
ALL_TROUBLES = _case(
    {
        'active 1': (matter.Trip(fails_at='check'),),
        'active 2': (matter.Trip(fails_at='copy'),),
        'active 3': (matter.Trip(is_endless=True),) * 2,
        'active 4': (matter.Trip(fails_at='end'),),
        'stopped 1': (matter.Trip(fails_at='scheduler'),),
        'stopped 2': (matter.Trip(fails_at='end'),),
        'error': (),
    }
)
