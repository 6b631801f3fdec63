# SPDX-License-Identifier: Apache-2.0
"""Read the body of a server into the model.

What an older microversion or a lesser role leaves out becomes ``None``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from osc_migrate import model
from osc_migrate import resources
from osc_migrate.cloud import details as details_module
from osc_migrate.cloud import storage


def server(
    known: Mapping[str, Any],
    *,
    groups: Iterable[model.ServerGroup] | None,
    ports: tuple[model.Port, ...] | None,
    details: details_module.Details,
    allocations: Mapping[str, Mapping[str, int]] | None,
) -> model.Server:
    """Read a server as ``GET /servers/detail`` shows it.

    For one that boots from a volume, the image's properties are those that
    Cinder kept when it made the root volume of the image.
    """
    volumes = tuple(
        storage.volume(
            attached['id'], known['id'], details.volumes.get(attached['id'])
        )
        for attached in known.get('os-extended-volumes:volumes_attached', ())
    )
    mine = (
        None
        if groups is None
        else tuple(g.id for g in groups if known['id'] in g.members)
    )
    return model.Server(
        **_identity(known),
        **_state(known),
        **_placing(known),
        **_image_and_request(known, volumes, ports, details),
        volumes=volumes,
        ports=ports,
        shares=details.shares.get(known['id']),
        topology=details.topologies.get(known['id']),
        allocations=allocations,
        groups=mine,
    )


def _identity(known: Mapping[str, Any]) -> dict[str, Any]:
    """Read whose server it is, and what its owner says of it."""
    return {
        'id': known['id'],
        'name': known['name'],
        'project_id': known['tenant_id'],
        'user_id': known.get('user_id'),
        'created': known['created'],
        'launched_at': known.get('OS-SRV-USG:launched_at'),
        'metadata': known.get('metadata') or {},
        'tags': tuple(known['tags']) if 'tags' in known else None,
        'config_drive': bool(known.get('config_drive')),
        'root_device_name': known.get('OS-EXT-SRV-ATTR:root_device_name'),
    }


def _state(known: Mapping[str, Any]) -> dict[str, Any]:
    """Read how it is, and what is being done to it."""
    return {
        'status': known['status'],
        'vm_state': known.get('OS-EXT-STS:vm_state'),
        'task_state': known.get('OS-EXT-STS:task_state'),
        'power_state': known.get('OS-EXT-STS:power_state'),
        'locked': known.get('locked'),
        'locked_reason': known.get('locked_reason'),
        'fault': (known.get('fault') or {}).get('message'),
    }


def _placing(known: Mapping[str, Any]) -> dict[str, Any]:
    """Read where it is, and what binds it there."""
    node = 'OS-EXT-SRV-ATTR:hypervisor_hostname'
    return {
        'host': known.get('OS-EXT-SRV-ATTR:host'),
        'hypervisor_hostname': known.get(node),
        'host_status': known.get('host_status'),
        'availability_zone': known.get('OS-EXT-AZ:availability_zone'),
        'pinned_availability_zone': _pinned(known),
        'scheduler_hints': known.get('scheduler_hints'),
    }


def _image_and_request(
    known: Mapping[str, Any],
    volumes: Iterable[model.Volume],
    ports: Iterable[model.Port] | None,
    details: details_module.Details,
) -> dict[str, Any]:
    """Read flavor and image, and work out what they ask of Placement."""
    flavor = _flavor(known['flavor'])
    image = known['image']['id'] if known.get('image') else ''
    properties, traits = _image(known, volumes, details)
    return {
        'flavor': flavor,
        'image': image,
        'image_properties': properties,
        'image_traits': traits,
        'request': resources.request(
            flavor,
            image_properties=properties or {},
            image_traits=traits or (),
            is_volume_backed=image == '',
            ports=ports or (),
        ),
    }


def _image(
    known: Mapping[str, Any],
    volumes: Iterable[model.Volume],
    details: details_module.Details,
) -> tuple[Mapping[str, Any] | None, frozenset[str] | None]:
    """Return properties and required traits of the image of a server."""
    if known.get('image'):
        image = known['image']
        return image.get('properties'), details.image_traits.get(image['id'])
    root = known.get('OS-EXT-SRV-ATTR:root_device_name')
    for volume in volumes:
        if volume.device == root and volume.image_metadata is not None:
            kept = volume.image_metadata
            return kept, storage.required_traits(kept)
    return {}, frozenset()


def _pinned(known: Mapping[str, Any]) -> str | None:
    if 'pinned_availability_zone' not in known:
        return None
    return known['pinned_availability_zone'] or ''


def _flavor(known: Mapping[str, Any]) -> model.Flavor:
    return model.Flavor(
        original_name=known['original_name'],
        vcpus=known['vcpus'],
        ram=known['ram'],
        disk=known['disk'],
        ephemeral=known['ephemeral'],
        swap=known['swap'],
        extra_specs=known.get('extra_specs'),
    )
