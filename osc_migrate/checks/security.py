# SPDX-License-Identifier: Apache-2.0
"""Checks of what is sealed to its host: vTPM, encrypted memory, firmware.

Flavor and image may both ask for it; the properties of the image are known
from microversion 2.98 on.
"""

from collections.abc import Iterator

from osc_migrate import checks
from osc_migrate import model


@checks.server_check('vtpm-secret')
def vtpm(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Who keeps the secret of a vTPM decides whether its server moves.

    An evacuation is refused. Live, only ``hw:tpm_secret_security=host`` moves,
    if every nova-compute of the cell is of 2026.1 or newer and libvirt has the
    secret, which it has after a start or a hard reboot
    (``reject_legacy_vtpm_live_migration`` in ``nova/compute/api.py``). Cold,
    the destination reads it from the key manager as the caller, unless it is
    kept for the ``deployment``; if it may not, the server ends in ERROR
    (``_get_or_create_secret_for_vtpm`` in ``nova/virt/libvirt/driver.py``).

    What to do: move it cold as its owner.
    """
    security = candidate.wish.tpm_secret_security
    if security is None:
        return
    way, evidence = candidate.migration_type, {'tpm_secret_security': security}
    if way is model.MigrationType.EVACUATE:
        yield checks.error(
            'has a vTPM, with which Nova does not evacuate', **evidence
        )
    elif way is model.MigrationType.COLD:
        if security != 'deployment':
            yield from _cold_vtpm(candidate, security)
    elif security != 'host':
        yield checks.error(
            f'has a vTPM whose secret is kept by the {security}; only one '
            'kept by the host moves live',
            'move it cold as its owner: openstack server migrate {server}',
            **evidence,
        )
    else:
        yield checks.unknown(
            'has a vTPM whose secret is kept by the host; it moves live if '
            'every nova-compute is of 2026.1 or newer and libvirt has the '
            'secret',
            f'on {candidate.server.host}: virsh secret-list; if it is not '
            'there: openstack server reboot --hard {server}',
            **evidence,
        )


@checks.server_check('memory-encryption')
def memory_encryption(
    candidate: checks.Candidate,
) -> Iterator[checks.Draft]:
    """A guest with encrypted memory (SEV, SNP, TDX) does not move live.

    Nova refuses it (``reject_mem_enc_instances`` in ``nova/compute/api.py``):
    the keys are in the processor.

    What to do: move it cold.
    """
    if not candidate.is_live:
        return
    wish = candidate.wish
    held = candidate.server.allocations or {}
    has_context = any('MEM_ENCRYPTION_CONTEXT' in a for a in held.values())
    if wish.is_encrypted or has_context:
        kind = wish.encryption_model
        yield checks.error(
            f'has encrypted memory ({kind}), which cannot move live',
            'openstack server migrate {server}',
            mem_encryption_model=kind,
        )


@checks.server_check('firmware-uefi')
def firmware(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """UEFI firmware is chosen anew when a server moves cold.

    Since 2026.1 libvirt chooses the firmware; a live migration and a hard
    reboot keep the file that was chosen, a cold migration may take another
    build of it (``_configure_guest_by_virt_type`` and
    ``_copy_guest_firmware_elements`` in ``nova/virt/libvirt/driver.py``).

    What to do: move it live, or see that both hosts have the same firmware
    installed.
    """
    is_cold = candidate.migration_type is model.MigrationType.COLD
    if is_cold and candidate.wish('firmware_type') == 'uefi':
        yield checks.warning(
            'boots by UEFI; a cold migration may give it another build of '
            'the firmware',
            'compare the firmware packages of the hosts, for example: '
            'dpkg -l ovmf',
        )


@checks.server_check('image-properties')
def image_properties(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """What the image asks for is known from microversion 2.98 on.

    An older Nova does not show the properties that a server keeps of its
    image (``nova/api/openstack/compute/views/servers.py``), so a vTPM,
    encrypted memory, dedicated CPUs or UEFI that the image asks for cannot
    be seen; those of the flavor can.

    What to do: look at the image (``openstack image show``), or use a Nova of
    2025.1 or newer.
    """
    if candidate.server.image_properties is None:
        yield checks.info(
            'what its image asks for is unknown: Nova tells from '
            'microversion 2.98 on',
            f'openstack image show {candidate.server.image}',
        )


def _cold_vtpm(
    candidate: checks.Candidate, security: str
) -> Iterator[checks.Draft]:
    """Say whether the destination will get the secret."""
    caller, owner = candidate.snapshot.user_id, candidate.server.user_id
    if caller is not None and caller == owner:
        return
    evidence = {'tpm_secret_security': security, 'owner': owner}
    # a manager sees the servers of his own project only
    is_admin = 'admin' in candidate.snapshot.roles
    if caller is None or owner is None or not is_admin:
        yield checks.unknown(
            f'has a vTPM whose secret is kept by the {security}; whether '
            'the key manager gives it to the caller is not known',
            'openstack secret list',
            **evidence,
        )
    else:
        yield checks.error(
            f'has a vTPM whose secret is kept by the {security}; the key '
            'manager gives it to the owner, not to the caller, and the '
            'server would end in ERROR',
            f'let the user {owner} be manager and migrate it, or, if '
            'Barbican lets the caller read it, say --ignore-check '
            'vtpm-secret',
            **evidence,
        )
