# SPDX-License-Identifier: Apache-2.0
"""Check of the machine type: the board that QEMU gives a guest.

In no API. A probe of both hosts tells which one the guest has, and which
ones the destination can make.
"""

from collections.abc import Hashable, Iterator

from osc_migrate import checks


def _machine(candidate: checks.Candidate) -> Hashable:
    return _wanted(candidate)


@checks.destination_check('machine-type', alike=_machine)
def machine_type(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must know the machine type of the guest.

    A guest that moves live keeps its versioned machine type, such as
    ``pc-q35-7.2``; a QEMU that is older, or so new that it has dropped that
    one, cannot run it, and libvirt refuses in the middle of the migration.
    Moved cold, it gets what ``hw_machine_type`` of its image says
    (``get_machine_type`` in ``nova/virt/libvirt/utils.py``). Known
    only with ``--probe ssh``; without a probe the check says nothing.

    What to do: choose a destination with a QEMU that has this machine type,
    or move it cold.
    """
    destination = candidate.destination
    assert destination is not None
    wanted = _wanted(candidate)
    probe = candidate.snapshot.probes.get(destination.name)
    if wanted is None or probe is None or not probe.machine_types:
        return
    if wanted not in probe.machine_types:
        family = wanted.rpartition('-')[0] or wanted
        yield checks.error(
            f'does not know the machine type {wanted} of the guest',
            'choose a destination with another QEMU, or set hw_machine_type '
            'of its image without a version; on {destination}: virsh '
            'capabilities',
            machine_type=wanted,
            known=sorted(
                name for name in probe.machine_types if name.startswith(family)
            ),
        )


def _wanted(candidate: checks.Candidate) -> str | None:
    guest = candidate.guest
    asked = (candidate.server.image_properties or {}).get('hw_machine_type')
    if candidate.is_live and guest is not None and guest.machine_type:
        return guest.machine_type
    return str(asked) if asked else None
