# SPDX-License-Identifier: Apache-2.0
"""Draw the picture of a watch for the documentation.

``python tools/draw_watch.py`` draws the migrations that were recorded;
``python tools/draw_watch.py record SECONDS`` records what a watch shows after
some time in the cloud that ``OS_CLOUD`` names, a lab for example.
"""

import io
import json
import pathlib
import re
import sys
import time

from rich import console

from osc_migrate import cloud
from osc_migrate import live_table
from osc_migrate import past
from osc_migrate import serial
from osc_migrate import task as tasks
from osc_migrate import watch

ROOT = pathlib.Path(__file__).parents[1]
RECORDED = ROOT / 'tests' / 'unit' / 'recorded' / 'tasks.json'
PICTURE = ROOT / 'doc' / 'source' / '_static' / 'watch.svg'


def record(seconds: float) -> None:
    """Watch for some seconds, then keep every task as it was last shown."""
    import openstack

    shown: dict[str, tasks.Task] = {}
    watching = watch.Watch(
        cloud.Cloud(openstack.connect().session),
        policy=watch.policy(),
        reporters=[lambda task: shown.update({task.server_id: task})],
    )
    watching.run(
        past.Wanted(is_everything=True), timeout=seconds, until=lambda: False
    )
    document = {
        'now': time.monotonic(),
        'tasks': [serial.to_json(task) for task in shown.values()],
    }
    RECORDED.write_text(json.dumps(document, indent=1) + '\n')


def recorded() -> tuple[float, list[tasks.Task]]:
    """Return the moment of the recording, and the tasks."""
    document = json.loads(RECORDED.read_text())
    return document['now'], [
        serial.from_json(tasks.Task, task) for task in document['tasks']
    ]


def draw(path: pathlib.Path) -> None:
    """Write the picture."""
    now, shown = recorded()
    terminal = console.Console(
        record=True,
        width=100,
        file=io.StringIO(),
        force_terminal=True,
        color_system='truecolor',
    )
    terminal.print(
        live_table.draw(
            'Migrations',
            shown,
            now=now,
            size=(100, 24),
            selected=live_table.ordered(shown)[0].server_id,
            footer='arrows, j, k, number: select   a: abort   '
            'f: force-complete   q: quit',
        )
    )
    picture = terminal.export_svg(
        title='openstack server migration watch --all', unique_id='watch'
    )
    # a reader of the documentation fetches nothing from elsewhere
    picture = re.sub(r'\s*@font-face \{.*?\}', '', picture, flags=re.DOTALL)
    path.parent.mkdir(exist_ok=True)
    path.write_text(picture)


if __name__ == '__main__':
    if sys.argv[1:2] == ['record']:
        record(float(sys.argv[2]))
    draw(PICTURE)
