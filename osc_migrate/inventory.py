# SPDX-License-Identifier: Apache-2.0
"""What Placement counts: requests, providers, and how one fits the other.

A group with a suffix is served by one provider; of the group without one,
each resource class is. Providers here are always one tree, the root first.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestGroup:
    """What one group of a resource request asks of one provider."""

    resources: Mapping[str, int]
    required_traits: frozenset[str]
    forbidden_traits: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """What Nova's scheduler will ask Placement for a server.

    ``groups`` maps the suffix of a group to it; ``''`` is the unsuffixed
    one, which any providers of a tree may serve together. ``root_required``
    are traits of the root provider; one that starts with ``!`` is forbidden.
    ``same_subtree`` are the suffixes that must lie in one branch of the tree.
    See :mod:`osc_migrate.resources`.
    """

    groups: Mapping[str, RequestGroup]
    group_policy: str | None
    root_required: frozenset[str]
    same_subtree: tuple[tuple[str, ...], ...]

    @property
    def total(self) -> dict[str, int]:
        """Return the sum of all groups by resource class."""
        total: dict[str, int] = {}
        for group in self.groups.values():
            for resource_class, amount in group.resources.items():
                total[resource_class] = total.get(resource_class, 0) + amount
        return total

    @property
    def required_traits(self) -> frozenset[str]:
        """Return the traits that the tree must have somewhere."""
        return frozenset().union(
            (name for name in self.root_required if name[0] != '!'),
            *(group.required_traits for group in self.groups.values()),
        )

    @property
    def forbidden_traits(self) -> frozenset[str]:
        """Return the traits that the root provider must not have."""
        forbidden = {name[1:] for name in self.root_required if name[0] == '!'}
        plain = self.groups.get('')
        return frozenset(forbidden).union(
            plain.forbidden_traits if plain else ()
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One resource class of a provider.

    ``capacity`` is ``(total - reserved) * allocation_ratio`` rounded down,
    as Placement counts it. The other attributes of the inventory are not in
    Placement's summaries and often unknown.
    """

    capacity: int
    used: int
    max_unit: int | None

    @property
    def free(self) -> int:
        """What is left, never below zero."""
        return max(0, self.capacity - self.used)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResourceProvider:
    """A resource provider of a host's tree; the root has no parent."""

    id: str
    parent_id: str | None
    resources: Mapping[str, Room]
    traits: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What no provider of a tree has enough of for one group.

    ``free`` and ``max_unit`` are those of the provider that has most of it
    left among those with the group's traits.
    """

    suffix: str
    resource_class: str
    needed: int
    free: int
    max_unit: int | None


# by the id of a provider and resource class
Allotment = dict[str, dict[str, int]]


def allot(
    providers: Sequence[ResourceProvider], request: ResourceRequest
) -> tuple[Allotment, list[Shortage]]:
    """Say which provider would serve what, and what none can.

    Each piece goes to the provider that has most of it left. What falls
    short is in the allotment too if a provider offers it at all.
    """
    allotment: Allotment = {}
    shortages: list[Shortage] = []
    apart: set[str] = set()
    for suffix, group in request.groups.items():
        if not suffix:
            for name, amount in group.resources.items():
                _, short = _serve('', {name: amount}, providers, allotment)
                shortages += short
            continue
        able = (
            provider
            for provider in providers
            if group.required_traits <= provider.traits
            and not group.forbidden_traits & provider.traits
            and provider.id not in apart
        )
        chosen, short = _serve(suffix, group.resources, able, allotment)
        shortages += short
        if chosen is not None and request.group_policy == 'isolate':
            apart.add(chosen)
    return allotment, shortages


def translated(
    providers: Iterable[ResourceProvider], request: ResourceRequest
) -> ResourceRequest:
    """Ask for VCPU instead of PCPU where no provider has any PCPU.

    Nova's scheduler asks Placement this way too, unless the option
    ``[workarounds]disable_fallback_pcpu_query`` is set.
    """
    plain = request.groups.get('')
    if plain is None or 'PCPU' not in plain.resources:
        return request
    if any('PCPU' in provider.resources for provider in providers):
        return request
    amounts = dict(plain.resources)
    amounts['VCPU'] = amounts.pop('PCPU') + amounts.get('VCPU', 0)
    shared = dataclasses.replace(plain, resources=amounts)
    return dataclasses.replace(request, groups={**request.groups, '': shared})


def charged(
    providers: Iterable[ResourceProvider],
    amounts: Mapping[str, Mapping[str, int]],
    sign: int,
) -> tuple[ResourceProvider, ...]:
    """Return the providers with amounts added to what is used of them.

    :param sign: 1 to add it, -1 to take it away
    """
    return tuple(
        _used(provider, amounts[provider.id], sign)
        if provider.id in amounts
        else provider
        for provider in providers
    )


def _used(
    provider: ResourceProvider, amounts: Mapping[str, int], sign: int
) -> ResourceProvider:
    resources = dict(provider.resources)
    for name in amounts.keys() & resources.keys():
        room = resources[name]
        used = max(0, room.used + sign * amounts[name])
        resources[name] = dataclasses.replace(room, used=used)
    return dataclasses.replace(provider, resources=resources)


def _serve(
    suffix: str,
    piece: Mapping[str, int],
    providers: Iterable[ResourceProvider],
    allotment: Allotment,
) -> tuple[str | None, list[Shortage]]:
    """Give one piece to the best provider; return its id and what lacks."""
    best: ResourceProvider | None = None
    most = 0
    for provider in providers:
        slack: int | None = None
        for name, amount in piece.items():
            if name not in provider.resources:
                slack = None
                break
            spare = _left(provider, name, allotment) - amount
            slack = spare if slack is None else min(slack, spare)
        if slack is not None and (best is None or slack > most):
            best, most = provider, slack
    if best is None:
        return None, [
            _shortage(suffix, *item, 0, None) for item in piece.items()
        ]
    short = []
    if most < 0:
        for name, amount in piece.items():
            free = _left(best, name, allotment)
            if amount > free:
                unit = best.resources[name].max_unit
                short.append(_shortage(suffix, name, amount, free, unit))
    taken = allotment.setdefault(best.id, {})
    for name, amount in piece.items():
        taken[name] = taken.get(name, 0) + amount
    return best.id, short


def _left(provider: ResourceProvider, name: str, allotment: Allotment) -> int:
    """Return how much of a class one server may still have of a provider."""
    room = provider.resources[name]
    free = room.capacity - room.used
    taken = allotment.get(provider.id)
    if taken is not None:
        free -= taken.get(name, 0)
    if room.max_unit is not None and room.max_unit < free:
        free = room.max_unit
    return free if free > 0 else 0


def _shortage(
    suffix: str, name: str, needed: int, free: int, max_unit: int | None
) -> Shortage:
    return Shortage(
        suffix=suffix,
        resource_class=name,
        needed=needed,
        free=free,
        max_unit=max_unit,
    )
