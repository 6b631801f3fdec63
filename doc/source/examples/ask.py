# SPDX-License-Identifier: Apache-2.0
"""Which servers can leave compute-1, and what would become of the rest?"""

import osc_migrate
from osc_migrate import serial

snapshot = serial.load_snapshot('cloud.json')

report = osc_migrate.preflight(snapshot, host='compute-1')
for entry in report.servers:
    print(f'{entry.server.name}: {entry.verdict}, {entry.method}')

plan = osc_migrate.plan(snapshot, host='compute-1', order='name')
for move in plan.moves:
    name = snapshot.servers[move.server_id].name
    print(f'{name} -> {move.destination}')
    snapshot = snapshot.after(move)

for server, findings in plan.stranded.items():
    print(f'{server.name} stays: {findings[0].message}')
print(sorted(server.name for server in snapshot.servers_on('compute-1')))
