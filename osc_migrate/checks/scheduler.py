# SPDX-License-Identifier: Apache-2.0
"""Checks of what else the scheduler may ask, and of what Placement counts.

Which filters a deployment has enabled is written in its nova.conf and in no
API, so what only some filters look at is unknown, and said only of servers
and hosts that carry what these filters look for.
"""

from collections.abc import Hashable, Iterator, Mapping

from osc_migrate import checks
from osc_migrate import model

# read by what every Nova has; "group" is a server group
_ORDINARY_HINTS = ('group',)
_SCOPE = 'aggregate_instance_extra_specs:'
_TENANT = 'filter_tenant_id'
_LOOK = 'in nova.conf of nova-scheduler: grep enabled_filters'
_COMPARED = ('VCPU', 'PCPU', 'MEMORY_MB')


@checks.server_check('server-hints')
def hints(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Scheduler hints of the server's request are asked again for each move.

    ``same_host``, ``different_host``, ``query`` and the like are honoured
    only if their filters are enabled, which by default they are not
    (``nova/scheduler/filters/affinity_filter.py`` and others). The
    hints are kept in the request and cannot be changed (shown from
    microversion 2.100 on).

    What to do: see which filters are enabled (``enabled_filters`` in nova.conf
    of the scheduler), and whether the hint still makes sense.
    """
    found = candidate.server.scheduler_hints or {}
    given = {
        name: value
        for name, value in found.items()
        if name not in _ORDINARY_HINTS and not name.startswith('_')
    }
    if given:
        yield checks.unknown(
            f'was made with the scheduler hints {", ".join(sorted(given))}; '
            'which destinations they leave depends on the enabled filters',
            _LOOK,
            hints=given,
        )


@checks.server_check('flavor-capabilities')
def capabilities(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Extra specs may ask for capabilities that hosts show to Nova alone.

    ``capabilities:KEY`` is compared with what nova-compute reports of its
    host, by the ComputeCapabilitiesFilter, which is enabled by default
    (``nova/scheduler/filters/compute_capabilities_filter.py``); most of it
    is in no API.

    What to do: take a host of the same make, or look into the logs of the
    scheduler if Nova finds none.
    """
    specs = candidate.server.flavor.extra_specs or {}
    asked = sorted(key for key in specs if key.startswith('capabilities:'))
    if 'hw:maxphysaddr_bits' in specs:
        asked.append('hw:maxphysaddr_bits')
    if asked:
        wanted = ', '.join(f'{key}={specs[key]}' for key in asked)
        yield checks.unknown(
            f'its flavor asks hosts for {wanted}; which hosts have that is '
            'in no API',
            'openstack server show {server} -c flavor',
            extra_specs={key: specs[key] for key in asked},
        )


def _kept(candidate: checks.Candidate) -> Hashable:
    server = candidate.server
    specs = server.flavor.extra_specs or {}
    scoped = tuple(
        item for item in specs.items() if item[0].startswith(_SCOPE)
    )
    return server.project_id, server.request.required_traits, scoped


@checks.destination_check('destination-aggregate', alike=_kept)
def aggregate(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A host aggregate may be kept for some projects, flavors or traits.

    ``filter_tenant_id`` keeps it for projects
    (AggregateMultiTenancyIsolation, or
    ``[scheduler]limit_tenants_to_placement_aggregate``), ``trait:NAME`` for
    servers that require the trait
    (``[scheduler]enable_isolated_aggregate_filtering``), and other keys for
    flavors with the same extra spec (AggregateInstanceExtraSpecsFilter).
    None of them is enabled by default (``nova/conf/scheduler.py``).

    What to do: take a host of the same aggregates, or see which filters are
    enabled (``enabled_filters`` in nova.conf of the scheduler).
    """
    destination = candidate.destination
    assert destination is not None
    aggregates = candidate.snapshot.aggregates_by_host
    for found in aggregates.get(destination.name, ()):
        foreign = _foreign(found, candidate)
        if foreign:
            yield checks.unknown(
                f'is in the aggregate {found.name}, which is kept for '
                f'{foreign}, if the filter for it is enabled',
                f'openstack aggregate show {found.name}; {_LOOK}',
                aggregate=found.name,
            )
    yield from _scoped(candidate, destination)


@checks.server_check('allocation-drift')
def drift(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """What Placement counts for a server should be what a move asks for.

    Nova works the request out anew for each move, so a difference does not
    stop one, but it makes the room of hosts wrong until then. It comes from
    interrupted migrations and from flavors that were changed in the
    database. Without any allocation Nova moves the server all the same
    (``replace_allocation_with_migration`` in
    ``nova/conductor/tasks/migrate.py``).

    What to do: ``nova-manage placement heal_allocations`` before a drain.
    """
    server = candidate.server
    held = server.allocations
    if held is None or server.vm_state not in ('active', 'paused', 'stopped'):
        return
    if not held:
        yield checks.warning(
            'has no allocation in Placement, so its host has less room than '
            'it seems',
            'nova-manage placement heal_allocations --instance {server}',
        )
        return
    has = {
        name: sum(amounts.get(name, 0) for amounts in held.values())
        for name in _COMPARED
    }
    wants = _wants(server, has)
    differing = [name for name in _COMPARED if has[name] != wants[name]]
    if differing:
        text = ', '.join(
            f'{has[name]} of {name} (a move asks for {wants[name]})'
            for name in differing
        )
        yield checks.info(
            f'holds {text} in Placement',
            'openstack resource provider allocation show {server}',
            held=has,
            request=wants,
        )


def _wants(server: model.Server, has: Mapping[str, int]) -> dict[str, int]:
    """Return what a move asks for, of what is compared."""
    total = server.request.total
    wants = {name: total.get(name, 0) for name in _COMPARED}
    if has['PCPU'] == 0 and wants['PCPU']:
        # dedicated CPUs of a host that offers none, taken from its VCPU
        wants = {**wants, 'PCPU': 0, 'VCPU': wants['VCPU'] + wants['PCPU']}
    return wants


def _foreign(
    found: model.Aggregate, candidate: checks.Candidate
) -> str | None:
    """Return whom an aggregate is kept for, if not for this server."""
    projects: set[str] = set()
    for key, value in found.metadata.items():
        if key.startswith(_TENANT):
            projects.update(part.strip() for part in value.split(','))
        elif key.startswith('trait:') and value == 'required':
            trait = key.removeprefix('trait:')
            if trait not in candidate.server.request.required_traits:
                return f'servers that require the trait {trait}'
    if projects and candidate.server.project_id not in projects:
        return f'the projects {", ".join(sorted(projects))}'
    return None


def _scoped(
    candidate: checks.Candidate, destination: model.Host
) -> Iterator[checks.Draft]:
    """Compare the flavor's aggregate_instance_extra_specs with metadata."""
    aggregates = candidate.snapshot.aggregates_by_host
    for spec, value in (candidate.server.flavor.extra_specs or {}).items():
        # operators such as "<or>" are the filter's to read
        if not spec.startswith(_SCOPE) or ' ' in value:
            continue
        key = spec.removeprefix(_SCOPE)
        offered = [
            found.metadata.get(key, '').split(',')
            for found in aggregates.get(destination.name, ())
        ]
        if not any(value in values for values in offered):
            yield checks.unknown(
                f'is in no aggregate with {key}={value}, which the flavor '
                'asks for, if AggregateInstanceExtraSpecsFilter is enabled',
                f'openstack aggregate list --long; {_LOOK}',
                metadata=key,
                wanted=value,
            )
