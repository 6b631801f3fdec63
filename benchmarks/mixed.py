# SPDX-License-Identifier: Apache-2.0
"""A host with 25 servers as hosts have them, some of which make trouble."""

SCENARIO = """
flavors:
  small: {ram: 512, disk: 1}
server_groups:
  web: {policy: anti-affinity}
servers:
  - {count: 11, name: plain, flavor: small, host: compute-1, dirty_mb_s: 10}
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
  - {name: suspended, flavor: small, host: compute-1, status: SUSPENDED}
  - {name: unconfirmed, flavor: small, host: compute-1,
     status: VERIFY_RESIZE}
"""
