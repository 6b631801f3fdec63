# SPDX-License-Identifier: Apache-2.0
"""A volume driver for Cinder that stores nothing.

Every call succeeds at once; what Nova and Cinder write about volumes and
attachments in their databases is real.
"""

from typing import Any

from cinder.volume import driver

CAPACITY_GB = 1000000


class SimulatedDriver(driver.VolumeDriver):
    """Volumes that are only spoken of."""

    VERSION = '1.0'

    def _do_nothing(self, *arguments: Any, **options: Any) -> None:
        """Succeed."""

    do_setup = check_for_setup_error = _do_nothing
    create_volume = delete_volume = extend_volume = _do_nothing
    create_volume_from_snapshot = create_cloned_volume = _do_nothing
    copy_image_to_volume = _do_nothing
    create_snapshot = delete_snapshot = _do_nothing
    ensure_export = create_export = remove_export = _do_nothing
    terminate_connection = _do_nothing

    def clone_image(
        self, *_: Any, **options: Any
    ) -> tuple[dict[str, Any], bool]:
        """Say that the image was cloned, so that no byte is copied."""
        return {}, True

    def initialize_connection(
        self, volume: Any, connector: Any, **options: Any
    ) -> dict[str, Any]:
        """Tell Nova how to reach a volume."""
        data = {'volume_id': volume.id, 'target_lun': 1, 'access_mode': 'rw'}
        return {'driver_volume_type': 'fake', 'data': data}

    def _update_volume_stats(self) -> None:
        self._stats = {
            'volume_backend_name': 'simulated',
            'vendor_name': 'lab',
            'driver_version': self.VERSION,
            'storage_protocol': 'fake',
            'total_capacity_gb': CAPACITY_GB,
            'free_capacity_gb': CAPACITY_GB,
            'reserved_percentage': 0,
            'multiattach': True,
        }
