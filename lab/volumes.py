# SPDX-License-Identifier: Apache-2.0
"""Cinder in one process: its API, scheduler and one volume service.

``python -m lab.volumes DESCRIPTOR --config-file FILE``. The three speak
through memory; the volumes are rows in a database, with nothing behind them.
"""

import sys
import threading

from lab import sqlite
from lab import web


def main() -> None:
    """Run Cinder until the process is ended."""
    descriptor = int(sys.argv.pop(1))
    sys.argv[0] = 'cinder'
    sqlite.tune()
    from cinder import monkey_patch

    monkey_patch.patch(backend='threading')
    # Both register options that must stand before the files are read.
    from cinder.cmd import scheduler  # noqa: F401
    from cinder.cmd import volume  # noqa: F401
    from cinder.wsgi import api

    _start_services()
    web.serve(api.application, descriptor)


def _start_services() -> None:
    from cinder import service
    from cinder.common import constants
    import os_brick
    from oslo_config import cfg

    reporting = threading.Lock()

    class Service(service.Service):
        def report_state(self) -> None:
            # Cinder remembers only one service in a process.
            with reporting:
                service.Service.service_id = self.origin_service_id
                super().report_state()

    os_brick.setup(cfg.CONF)
    (backend,) = cfg.CONF.enabled_backends
    Service.create(
        host=f'{cfg.CONF.host}@{backend}',
        service_name=backend,
        binary=constants.VOLUME_BINARY,
        coordination=True,
    ).start()
    # It sleeps for a minute, in case that other volume services report, but
    # schedules from the first report on.
    scheduler = Service.create(binary=constants.SCHEDULER_BINARY)
    threading.Thread(target=scheduler.start, daemon=True).start()


if __name__ == '__main__':
    main()
