# SPDX-License-Identifier: Apache-2.0
"""Draw the pictures of the documentation from recorded migrations.

``python tools/draw_pictures.py`` draws them all. In the cloud that
``OS_CLOUD`` names, a lab for example, ``... record watch SECONDS`` records
what a watch shows after some time, and ``... record drain SECONDS`` drains
compute-1 and records what is shown then. ``lab/demo.yaml`` is made for that,
with ``max_concurrent_live_migrations: 4``, or Nova lets one wait for another.
"""

from collections.abc import Callable
import dataclasses
import io
import json
import pathlib
import re
import sys
import time

from rich import console

from osc_migrate import cloud
from osc_migrate import drain
from osc_migrate import executor
from osc_migrate import limits
from osc_migrate import live_table
from osc_migrate import past
from osc_migrate import serial
from osc_migrate import task as tasks
from osc_migrate import watch

ROOT = pathlib.Path(__file__).parents[1]
HOST = 'compute-1'
Reporter = Callable[[tasks.Task], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Where the recording is, and what is typed to see it."""

    name: str
    recording: str
    title: str
    command: str
    footer: str = ''

    @property
    def recorded(self) -> pathlib.Path:
        """Return the file of the recording."""
        return ROOT / 'tests' / 'unit' / 'recorded' / self.recording

    @property
    def drawn(self) -> pathlib.Path:
        """Return the file of the picture."""
        return ROOT / 'doc' / 'source' / '_static' / f'{self.name}.svg'


WATCH = Picture(
    name='watch',
    recording='tasks.json',
    title='Migrations',
    command='openstack server migration watch --all',
    footer='arrows, j, k, number: select   a: abort   f: force-complete   '
    'q: quit',
)
DRAIN = Picture(
    name='drain',
    recording='drain.json',
    title=f'Draining {HOST}',
    command=f'openstack compute drain {HOST}',
)


def record(picture: Picture, seconds: float) -> None:
    """Keep every task as it was last shown after some seconds."""
    import openstack

    shown: dict[str, tasks.Task] = {}
    end = time.monotonic() + seconds

    def report(task: tasks.Task) -> None:
        if time.monotonic() < end:
            shown[task.server_id] = task

    follow = {'watch': _watch, 'drain': _drain}[picture.name]
    follow(cloud.Cloud(openstack.connect().session), seconds, report)
    document = {
        'now': end,
        'tasks': [serial.to_json(task) for task in shown.values()],
    }
    picture.recorded.write_text(json.dumps(document, indent=1) + '\n')


def _watch(reached: cloud.Cloud, seconds: float, report: Reporter) -> None:
    watching = watch.Watch(reached, policy=watch.policy(), reporters=[report])
    watching.run(
        past.Wanted(is_everything=True), timeout=seconds, until=lambda: False
    )


def _drain(reached: cloud.Cloud, _: float, report: Reporter) -> None:
    emptying = drain.Drain(reached, HOST)
    plan = emptying.plan()
    emptying.close(user='admin', reason='new memory')
    runner = executor.Executor(
        reached,
        limits=limits.Limits(total=8, per_source=4, per_destination=2),
        reporters=[report],
        choose=emptying.choose,
    )
    emptying.run(plan, runner)


def recorded(picture: Picture) -> tuple[float, list[tasks.Task]]:
    """Return the moment of a recording, and the tasks."""
    document = json.loads(picture.recorded.read_text())
    # what a task did not have then has its default
    defaults = {
        field.name: serial.to_json(field.default)
        for field in dataclasses.fields(tasks.Task)
        if field.default is not dataclasses.MISSING
    }
    return document['now'], [
        serial.from_json(tasks.Task, defaults | task)
        for task in document['tasks']
    ]


def draw(picture: Picture, path: pathlib.Path) -> None:
    """Write a picture."""
    now, shown = recorded(picture)
    terminal = console.Console(
        record=True,
        width=100,
        file=io.StringIO(),
        force_terminal=True,
        color_system='truecolor',
    )
    selected = live_table.ordered(shown)[0].server_id
    terminal.print(
        live_table.draw(
            picture.title,
            shown,
            now=now,
            size=(100, 24),
            selected=selected if picture.footer else None,
            footer=picture.footer,
        )
    )
    drawing = terminal.export_svg(
        title=picture.command, unique_id=picture.name
    )
    # a reader of the documentation fetches nothing from elsewhere
    drawing = re.sub(r'\s*@font-face \{.*?\}', '', drawing, flags=re.DOTALL)
    path.parent.mkdir(exist_ok=True)
    path.write_text(drawing)


def main() -> None:
    """Record one if asked to, and draw all."""
    pictures = {picture.name: picture for picture in (WATCH, DRAIN)}
    if sys.argv[1:2] == ['record']:
        record(pictures[sys.argv[2]], float(sys.argv[3]))
    for picture in pictures.values():
        draw(picture, picture.drawn)


if __name__ == '__main__':
    main()
