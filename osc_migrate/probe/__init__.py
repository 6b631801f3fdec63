# SPDX-License-Identifier: Apache-2.0
"""Ask hosts themselves, through the operator's own ``ssh``.

Optional evidence for what no API tells: how much is free in one NUMA cell,
which libvirt and which machine types a host has, how guests are pinned. Only
commands that read are run (:mod:`osc_migrate.probe.commands`); what a host
does not answer stays unknown, with the reason.
"""

from osc_migrate.probe.choice import concerned
from osc_migrate.probe.ssh import Ssh
from osc_migrate.probe.ssh import with_probes

__all__ = ['Ssh', 'concerned', 'with_probes']
