# SPDX-License-Identifier: Apache-2.0
"""Move two servers at a time off compute-1, and print what happens."""

import openstack

import osc_migrate
from osc_migrate import report

session = openstack.connect().session
cloud = osc_migrate.Cloud(session)
snapshot = cloud.snapshot(host='compute-1')
plan = osc_migrate.plan(snapshot, host='compute-1', method='live')
executor = osc_migrate.Executor(
    cloud,
    limits=osc_migrate.Limits(total=2, per_source=2, per_destination=1),
    reporters=[],
)
for task in executor.run(plan):
    print(report.line(task))
