# SPDX-License-Identifier: Apache-2.0
"""Nova's processes: one parent imports Nova once, the others are its forks.

``python -m lab.zygote DESCRIPTOR NAME...`` starts the named processes, then
one more for each name that is written into the pipe ``starts``. A child runs
the stock service: ``api`` on the socket DESCRIPTOR, ``conductor-N``,
``scheduler``, and otherwise the nova-compute of the host of that name.
"""

import functools
import gc
import os
import signal
import sys
import time
import traceback

from lab import folder as folders
from lab import processes


def preload(folder: folders.Folder) -> None:
    """Import what the children will need."""
    from nova import monkey_patch

    monkey_patch.patch(backend='threading')
    # The managers read options when they are imported: how often their
    # periodic tasks run.
    from nova import config

    config.parse_args(
        ['nova', '--config-file', str(folder / 'etc' / 'nova.conf')],
        configure_db=False,
        init_rpc=False,
    )
    import nova.api.openstack.compute.routes
    import nova.api.openstack.wsgi_app
    import nova.cmd.compute
    import nova.cmd.conductor
    import nova.cmd.scheduler
    import nova.compute.manager
    import nova.conductor.manager
    import nova.conf
    import nova.image.glance
    import nova.network.neutron
    import nova.scheduler.manager

    _change_nova()
    # The children parse command lines of their own.
    nova.conf.CONF.clear()


def _change_nova() -> None:
    """Put in what is the lab's own; Nova insists on being imported before."""
    import nova.servicegroup.api
    import nova.virt

    from lab import hypervisor
    from lab import sqlite
    from lab import transport

    # Nova looks for drivers below nova.virt only.
    sys.modules['nova.virt.lab'] = nova.virt.lab = hypervisor
    # A host that was started again is up a second later, not after five.
    nova.servicegroup.api.INITIAL_REPORTING_DELAY = 1
    sqlite.tune()
    transport.register()


def _run_api(folder: folders.Folder, descriptor: int) -> None:
    version = folder.read('nova.json')['max_microversion']
    if version:
        _cap(folder, version)
    sys.argv = ['nova-api']
    from nova.wsgi import osapi_compute

    from lab import web

    web.serve(osapi_compute.application, descriptor)


def _cap(folder: folders.Folder, version: str) -> None:
    """Let the API be as old as ``version`` says, once the lab is ready.

    Before, the lab itself may use a newer one to create what the scenario
    names.
    """
    from nova.api.openstack import api_version_request as requests
    from nova.api.openstack.compute import versions

    newest = requests.max_api_version()
    capped = requests.APIVersionRequest(version)
    versions.VERSIONS['v2.1']['version'] = version
    requests.max_api_version = lambda: (
        capped if folder.ready.exists() else newest
    )


def _run_discovery(folder: folders.Folder) -> None:
    """Map the hosts to their cell as they appear, as nova-manage does."""
    from nova import config
    from nova import context
    from nova import objects
    from nova.objects import host_mapping

    config.parse_args(sys.argv)
    objects.register_all()
    missing = set(folder.read('hosts.json'))
    while missing:
        found = host_mapping.discover_hosts(context.get_admin_context())
        missing -= {mapping.host for mapping in found}
        time.sleep(0.2)


def _run(folder: folders.Folder, name: str, descriptor: int) -> None:
    if name == processes.API:
        _run_api(folder, descriptor)
        return
    files = [folder / 'etc' / 'nova.conf', folder / 'etc' / f'{name}.conf']
    sys.argv = ['nova']
    for path in files:
        if path.exists():
            sys.argv += ['--config-file', str(path)]
    if name == processes.DISCOVERY:
        _run_discovery(folder)
        return
    if name in processes.NOVA:
        from nova import service

        # One process each, without a master that forks it.
        service.serve = functools.partial(service.serve, no_fork=True)
    if name in processes.CONDUCTORS:
        from nova.cmd import conductor as command
    elif name == processes.SCHEDULER:
        from nova.cmd import scheduler as command
    else:
        from nova.cmd import compute as command
    command.main()


def _become(folder: folders.Folder, name: str, descriptor: int) -> None:
    """Turn a fork into the process ``name``; does not return."""
    try:
        processes.record(folder, name)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(folder.log(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
        if name != processes.API and descriptor >= 0:
            os.close(descriptor)
        _run(folder, name, descriptor)
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def main() -> None:
    """Start what the command line names, then what is asked for."""
    descriptor, names = int(sys.argv[1]), sys.argv[2:]
    folder = folders.current()
    preload(folder)
    # Keep the pages that are shared with the children as they are.
    gc.collect()
    gc.freeze()
    # The kernel buries the dead.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for name in names:
        if os.fork() == 0:
            _become(folder, name, descriptor)
    os.close(descriptor)
    # Open for writing as well, so that it never ends.
    with open(folder.starts, 'r+b', buffering=0) as starts:
        while name := starts.readline().decode().strip():
            if os.fork() == 0:
                _become(folder, name, -1)


if __name__ == '__main__':
    main()
