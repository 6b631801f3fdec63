# SPDX-License-Identifier: Apache-2.0
"""The guests of one simulated hypervisor, which outlive its nova-compute.

They are kept in ``$LAB_RUN/guests/HOST.json``, written at every change, as
real guests are kept by QEMU processes of their own.
"""

import dataclasses
import json
import pathlib
import threading


@dataclasses.dataclass(frozen=True, slots=True)
class Guest:
    """A guest: its libvirt name, Nova's power state, local disks in GiB."""

    name: str
    state: int
    disk_gb: float


class Guests(dict[str, Guest]):
    """Guests by the UUID of their server."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            kept = json.loads(path.read_text('utf-8'))
            self.update(
                {uuid: Guest(*values) for uuid, values in kept.items()}
            )

    def __setitem__(self, uuid: str, guest: Guest) -> None:
        with self._lock:
            super().__setitem__(uuid, guest)
            self._save()

    def __delitem__(self, uuid: str) -> None:
        with self._lock:
            super().__delitem__(uuid)
            self._save()

    def _save(self) -> None:
        values = {uuid: dataclasses.astuple(g) for uuid, g in self.items()}
        new = self._path.with_suffix('.new')
        new.write_text(json.dumps(values), 'utf-8')
        new.replace(self._path)
