# SPDX-License-Identifier: Apache-2.0
"""Checks of disks, volumes and shares: what must be copied or attached.

Whether hosts share storage (``images_type``, ``instances_path``) is in no
API, so what a move copies is an upper bound.
"""

from collections.abc import Iterator

from osc_migrate import checks
from osc_migrate import model

# MiB per second that a link of 1 Gbit/s carries at best
_MIB_PER_SECOND = 119
# cinder.volume.api.API._attachment_reserve
_ATTACHABLE = ('in-use', 'reserved', 'available', 'downloading')
_VIRTIO_FS = 'COMPUTE_STORAGE_VIRTIO_FS'
_FILE_BACKED = 'COMPUTE_MEM_BACKING_FILE'
_OWNER = 'OWNER_NOVA'


@checks.server_check('disk-copy')
def copy(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Local disks are copied unless the hosts share their storage.

    A live migration copies the root, ephemeral and swap disks along with
    the memory (block migration), a cold one copies all but swap by ssh from
    host to host while the guest is off (``migrate_disk_and_power_off`` in
    ``nova/virt/libvirt/driver.py``, which needs ssh even for volumes). An
    evacuation makes them anew from the image: what was in them is lost.
    Volumes are never copied. The time is for a link of 1 Gbit/s that nobody
    else uses.

    What to do: allow for the time, or move fewer at once (``--parallel``).
    """
    size = _local_gigabytes(candidate)
    if size == 0 and candidate.server.is_volume_backed:
        return
    amount = f'{size} GB of local disks' if size else 'local disks'
    show = 'openstack server show {server} -c image -c flavor'
    if candidate.migration_type is model.MigrationType.EVACUATE:
        yield checks.warning(
            f'loses what is in its {amount}, unless the storage of the hosts '
            'is shared',
            show,
            disk_gb=size,
        )
    elif size == 0:
        yield checks.info(
            'has local disks of the size of its image, to be copied unless '
            'storage is shared',
            show,
        )
    else:
        seconds = size * 1024 // _MIB_PER_SECOND
        yield checks.info(
            f'has {amount}, to be copied unless storage is shared '
            f'({_duration(seconds)} at 1 Gbit/s)',
            show,
            disk_gb=size,
            seconds=seconds,
        )


@checks.server_check('disk-config-drive')
def config_drive(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A config drive is not copied by a live migration without shared storage.

    It is a read-only disk, and QEMU copies none of these
    (``_live_migration_copy_disk_paths`` in ``nova/virt/libvirt/driver.py``);
    since 2025.1 Nova does not copy it either, but makes an empty file in its
    place. The guest keeps running, and may find the drive blank when it
    looks again. A cold migration writes the drive anew, and so does a hard
    reboot. With RBD or a shared ``instances_path`` nothing is lost.

    What to do: reboot the guest hard after the move if it needs the drive, or
    move it cold.
    """
    if candidate.server.config_drive and candidate.is_live:
        yield checks.warning(
            'has a config drive, which may be blank after it has moved '
            'between hosts without shared storage',
            'openstack server reboot --hard {server}',
        )


@checks.server_check('memory-persistent')
def persistent_memory(
    candidate: checks.Candidate,
) -> Iterator[checks.Draft]:
    """What is in persistent memory moves live only.

    A live migration copies it like all memory. A cold migration and an
    evacuation give the guest other namespaces (``hw:pmem``) and copy nothing
    into them; those of the source are wiped when the migration is confirmed
    (``_cleanup_vpmems`` in ``nova/virt/libvirt/driver.py``).

    What to do: move it live, or save the data first.
    """
    labels = (candidate.server.flavor.extra_specs or {}).get('hw:pmem')
    if labels and not candidate.is_live:
        yield checks.warning(
            f'loses what is in its persistent memory ({labels})',
            'openstack server show {server} -c flavor',
            pmem=labels,
        )


@checks.server_check('volume-state')
def volumes(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Every volume must be ready to be attached on another host.

    Nova makes a second attachment for the destination; Cinder refuses that
    while a volume is in error or busy with something else
    (``attachment_create`` in ``cinder/volume/api.py``). A live migration
    then ends where it began, a cold one leaves the server in ERROR.

    What to do: wait for one that is busy; put one in error right first
    (``openstack volume show``).
    """
    for volume in candidate.server.volumes:
        show = f'openstack volume show {volume.id}'
        evidence = {'volume': volume.id, 'status': volume.status}
        if volume.status is None:
            yield checks.unknown(
                f'the state of its volume {volume.id} is unknown: Cinder '
                'does not tell',
                show,
                **evidence,
            )
        elif 'error' in volume.status:
            yield checks.error(
                f'its volume {volume.id} is {volume.status}', show, **evidence
            )
        elif volume.status not in _ATTACHABLE:
            yield checks.wait(
                f'its volume {volume.id} is busy: {volume.status}',
                show,
                **evidence,
            )
        elif volume.migration_status not in (None, 'success', 'error'):
            yield checks.wait(
                f'its volume {volume.id} is being migrated itself '
                f'({volume.migration_status})',
                show,
                **evidence,
            )


@checks.server_check('volume-encrypted')
def encrypted(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The key of an encrypted volume is read with the caller's rights.

    The destination fetches it from the key manager with the token of whoever
    asked for the migration (``_attach_encryptor`` in
    ``nova/virt/libvirt/driver.py``). By Barbican's own policy an administrator
    of another project may not read it.

    What to do: ask the owner to let the caller read the key (``openstack acl
    user add``), or to move the server.
    """
    server, caller = candidate.server, candidate.snapshot.user_id
    if caller is not None and caller == server.user_id:
        return
    found = [volume.id for volume in server.volumes if volume.encrypted]
    if found:
        yield checks.unknown(
            f'has {len(found)} encrypted volumes; whether the key manager '
            'gives their keys to the caller is not known',
            f'openstack volume show {found[0]}; openstack acl get '
            '<secret of its encryption_key_id>',
            volumes=found,
        )


@checks.server_check('volume-multiattach')
def multiattach(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A volume that several servers share moves along like any other.

    Nova does not look at it, and Cinder lets the destination attach it
    (``_attachment_reserve`` in ``cinder/volume/api.py``). Who writes to it
    from two hosts is for its file system to sort out.

    What to do: nothing.
    """
    found = [v.id for v in candidate.server.volumes if v.multiattach]
    if found:
        yield checks.info(
            f'has {len(found)} volumes that other servers may use too',
            f'openstack volume show {found[0]}',
            volumes=found,
        )


@checks.server_check('share-mapping')
def shares(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A server with a share of Manila does not move live.

    Nova refuses a live migration and an evacuation whatever the status of the
    share, and a cold migration until every nova-compute is of 2026.2
    (``block_shares_not_supported`` and ``resize`` in ``nova/compute/api.py``).

    What to do: stop the server and detach the share first.
    """
    server = candidate.server
    if server.shares is None and _may_have_shares(candidate):
        yield checks.unknown(
            'whether it has shares is unknown: Nova tells from microversion '
            '2.97 on',
            'openstack server show {server}',
        )
    if not server.shares:
        return
    listed = ', '.join(server.shares)
    remedy = (
        'openstack server stop {server}, then detach: DELETE '
        f'/servers/{{server}}/shares/{server.shares[0]}'
    )
    if candidate.migration_type is not model.MigrationType.COLD:
        way = 'live' if candidate.is_live else 'by evacuation'
        yield checks.error(
            f'has shares ({listed}), with which it does not move {way}',
            remedy,
            shares=list(server.shares),
        )
    elif not _all_hosts_are_new(candidate):
        yield checks.unknown(
            f'has shares ({listed}), with which it moves cold only if every '
            'nova-compute is of 2026.2 or newer',
            remedy,
            shares=list(server.shares),
        )


def _local_gigabytes(candidate: checks.Candidate) -> int:
    """Return the size of the disks that are copied or made anew."""
    flavor = candidate.server.flavor
    size = flavor.ephemeral
    if not candidate.server.is_volume_backed:
        size += flavor.disk
    if candidate.migration_type is not model.MigrationType.COLD:
        size += -(-flavor.swap // 1024)
    return size


def _may_have_shares(candidate: checks.Candidate) -> bool:
    """Whether Nova would attach a share there (``check_shares_supported``)."""
    traits = candidate.source.traits if candidate.source else None
    if not traits or _VIRTIO_FS not in traits:
        return False
    specs = candidate.server.flavor.extra_specs or {}
    return _FILE_BACKED in traits or 'hw:mem_page_size' in specs


def _all_hosts_are_new(candidate: checks.Candidate) -> bool:
    """Whether the trait that came with 2026.2 is on every host."""
    return all(
        _OWNER in (host.traits or ())
        for host in candidate.snapshot.hosts.values()
    )


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f'{seconds} s'
    if seconds < 7200:
        return f'{seconds // 60} min'
    return f'{seconds // 3600} h'
