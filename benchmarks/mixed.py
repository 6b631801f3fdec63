# SPDX-License-Identifier: Apache-2.0
"""A host with 25 servers as hosts have them, some of which make trouble."""

import time

from lab import api as apis
from lab import topology

SCENARIO = """
flavors:
  small: {ram: 512, disk: 1}
server_groups:
  web: {policy: anti-affinity}
servers:
  - {count: 9, name: plain, flavor: small, host: compute-1, dirty_mb_s: 10}
  - {count: 2, name: paused, flavor: small, host: compute-1, status: PAUSED}
  - {count: 2, name: stopped, flavor: small, host: compute-1, status: SHUTOFF}
  - {name: from-volume, flavor: small, host: compute-1, volume_backed: true}
  - {name: web-1, flavor: small, host: compute-1, group: web}
  - {name: web-2, flavor: small, host: compute-2, group: web}
  - {name: locked, flavor: small, host: compute-1, locked: true}
  # writes faster than the link sends: only forced, or cold, or not at all
  - {name: endless, flavor: small, host: compute-1, dirty_mb_s: 1000}
  - {name: fails-before, flavor: small, host: compute-1,
     live: {fails_at: pre}}
  - {name: fails-while, flavor: small, host: compute-1,
     live: {fails_at: running}}
  - {name: fails-after, flavor: small, host: compute-1,
     live: {fails_at: post-destination}}
  - {name: broken, flavor: small, host: compute-1, status: ERROR}
  - {name: busy, flavor: small, host: compute-1}
  - {name: doomed, flavor: small, host: compute-1}
  - {name: unconfirmed, flavor: small, host: compute-1,
     status: VERIFY_RESIZE}
"""

# seconds after the start of a race
_DELETED = 10.0
_READY = 60.0


def happens(api: apis.Api) -> None:
    """Do what owners do while their host is emptied; takes a minute.

    One more server is being built as it begins, one is busy for a minute, one
    is deleted.
    """
    listed = api.compute('GET', '/servers/detail?all_tenants=1')['servers']
    servers = {server['name']: server for server in listed}
    busy, doomed = servers['busy']['id'], servers['doomed']['id']
    topology.set_task(busy, 'image_uploading')
    flavors = api.compute('GET', '/flavors')['flavors']
    (small,) = [one['id'] for one in flavors if one['name'] == 'small']
    wanted = {
        'name': 'created',
        'flavorRef': small,
        'imageRef': servers['doomed']['image']['id'],
        'networks': 'none',
        'host': servers['doomed']['OS-EXT-SRV-ATTR:host'],
    }
    api.compute('POST', '/servers', {'server': wanted})
    time.sleep(_DELETED)
    api.compute('DELETE', f'/servers/{doomed}')
    time.sleep(_READY - _DELETED)
    topology.set_task(busy, None)
