# SPDX-License-Identifier: Apache-2.0
"""The live table as text: on 80 and 200 columns, without colour."""

import dataclasses
from importlib import metadata
import io
import pathlib
import re
from typing import Any
import unittest

import fixtures
from oslotest import base
from rich import console

from osc_migrate import live_table
from osc_migrate.osc import keys
from osc_migrate.progress import Verdict
from osc_migrate.task import Action
from osc_migrate.task import Phase
from osc_migrate.task import Task
from tests.unit.test_report import ended
from tests.unit.test_report import progress
from tests.unit.test_report import record
from tests.unit.test_report import task
from tools import draw_pictures


def drawn(
    tasks: list[Task], columns: int = 80, lines: int = 24, **options: Any
) -> list[str]:
    """Draw tasks without colour; return the lines."""
    stream = io.StringIO()
    plain = console.Console(file=stream, width=columns, no_color=True)
    plain.print(
        live_table.draw(
            'Migrations', tasks, now=60, size=(columns, lines), **options
        )
    )
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def numbered(count: int, phase: Phase, first: int = 1) -> list[Task]:
    """Build equal tasks of servers web-1, web-2 ..."""
    model = task(phase)
    return [
        task(
            phase,
            name=f'web-{number}',
            move=type(model.move)(
                server_id=f'id-{number}',
                source='compute-1',
                destination='compute-2',
                migration_type=model.move.migration_type,
            ),
        )
        for number in range(first, first + count)
    ]


class DrawingTest(base.BaseTestCase):
    def test_80_columns(self):
        """A copy has a bar, and a second line with its figures."""
        lines = drawn(
            [
                task(progress=progress()),
                task(Phase.QUEUED, name='next'),
                ended(Phase.DONE, 'completed'),
            ]
        )
        self.assertEqual(
            'Migrations: 1 running, 1 queued, 1 completed', lines[0]
        )
        self.assertEqual(
            ['Server', 'Type', 'Phase', 'From', '->', 'To', 'Done'],
            lines[1].split(),
        )
        self.assertRegex(
            lines[2],
            '^ *web +live +running +compute-1 -> compute-2 ━+╸? +75 %$',
        )
        self.assertEqual(
            'converges in about 40 s, 1.0 GiB of 4.0 GiB left, 100 MiB/s, '
            '20 s / 50 s',
            lines[3].strip(),
        )
        self.assertRegex(
            lines[4], 'next +live +queued +compute-1 -> compute-2 20 s'
        )
        self.assertEqual(5, len(lines))
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_200_columns(self):
        """With room all of a copy stands on one line."""
        endless = progress(
            verdict=Verdict.NOT_CONVERGING, disk_total=2**34, disk_remaining=0
        )
        lines = drawn(
            [task(progress=endless, reason='passes do not shrink')],
            columns=200,
        )
        self.assertEqual(3, len(lines))
        self.assertRegex(
            lines[2],
            'web +live +running +compute-1 -> compute-2 +20 s +50 s +━+╸? +'
            '95 % +1.0 GiB of 4.0 GiB +0 MiB of 16.0 GiB +100 MiB/s +will '
            'not converge at this rate; pa',
        )
        self.assertLessEqual(max(map(len, lines)), 200)

    def test_200_migrations(self):
        """What runs comes first; what has no room is counted."""
        tasks = [*numbered(196, Phase.QUEUED, 5), *numbered(4, Phase.RUNNING)]
        lines = drawn(tasks)
        self.assertEqual(22, len(lines))
        for number, line in enumerate(lines[2:6], 1):
            self.assertRegex(line, f'web-{number} +live +running')
        self.assertRegex(lines[6], 'web-5 +live +queued')
        self.assertEqual('and 181 more: 181 queued', lines[-1])

    def test_trouble_comes_before_the_queue(self):
        """What failed keeps a row, with its reason; what is done has none."""
        lines = drawn(
            [
                *numbered(2, Phase.QUEUED),
                ended(Phase.FAILED, 'error', name='bad', reason='no room'),
                ended(Phase.DONE, 'completed', name='good'),
            ]
        )
        self.assertRegex(lines[2], 'bad +live +error')
        self.assertEqual('no room', lines[3].strip())
        self.assertNotIn('good', ''.join(lines))

    def test_selection_is_seen_without_colour(self):
        """Rows have numbers, and a mark stands before the selected one."""
        tasks = numbered(12, Phase.QUEUED)
        lines = drawn(tasks, selected='id-2', footer='abort it? [y/N]')
        self.assertRegex(lines[2], '^ 1 +web-1')
        self.assertRegex(lines[3], '^>2 +web-2')
        self.assertRegex(lines[13], '^ 12 +web-12')
        self.assertEqual('abort it? [y/N]', lines[-1])

    def test_any_width(self):
        """No width breaks it, whatever the names."""
        tasks = [
            task(progress=progress(), name='x' * 70, reason='why ' * 40),
            *numbered(3, Phase.PREPARING),
        ]
        for columns in range(40, 240, 7):
            for lines in (drawn(tasks, columns), drawn(tasks, columns, 5)):
                self.assertLessEqual(max(map(len, lines)), columns)

    def test_a_question_is_seen_to_its_end(self):
        """Rows make room for a footer of several lines."""
        rack = 'compute-rack{}-node07.example.org'
        model = task(progress=progress())
        tasks = [
            task(
                progress=progress(),
                name=f'database-{number}',
                move=dataclasses.replace(
                    model.move,
                    server_id=f'id-{number}',
                    source=rack.format(12),
                    destination=rack.format(13),
                ),
                record=record(dest_compute=rack.format(13)),
            )
            for number in range(40)
        ]
        question = f'{keys.consequence(Action.ABORT, tasks[0])} [y/N]'
        for footer in (keys.HELP, question, f'{question} {question}'):
            for columns in (80, 200):
                lines = drawn(tasks, columns, selected='id-3', footer=footer)
                self.assertIn(len(lines), (22, 23))
                self.assertLessEqual(max(map(len, lines)), columns)
                self.assertEqual(footer[-5:], lines[-1][-5:])
        narrow, wide = (drawn(tasks, columns)[2] for columns in (80, 200))
        self.assertIn(' compu…ode07 -> compu…node07 ', narrow)
        self.assertIn(' compute-rack12-node07 -> compute-rack13-node07 ', wide)

    def test_both_hosts_are_told(self):
        """A domain of both is dropped first, then the middle of a name."""
        model = task()
        for source, target, width, said in (
            ('a.example.org', 'b.example.org', 30, 'a.{0} -> b.{0}'),
            ('a.example.org', 'b.example.org', 29, 'a -> b'),
            ('a.example.org', 'b.example.net', 24, 'a.ex…e.org -> b.ex…e.net'),
            ('compute-rack12-node07', 'b', 20, 'compute…-node07 -> b'),
            ('a', 'compute-rack12-node07', 20, 'a -> compute…-node07'),
            ('compute-rack12-node07', None, 11, 'co…e07 -> ?'),
            ('compute-1', 'compute-2', 0, '… -> …'),
        ):
            move = dataclasses.replace(
                model.move, source=source, destination=target
            )
            self.assertEqual(
                said.format('example.org'),
                live_table._where(task(move=move, record=None), width),
            )

    def test_every_phase_can_be_drawn(self):
        """A phase that the table does not know would vanish from it."""
        counted = {Phase.PENDING, Phase.DONE, Phase.SKIPPED}
        for phase in set(Phase) - counted:
            self.assertRegex(drawn([task(phase)])[2], '^ *web +')


class PictureTest(base.BaseTestCase):
    """The picture in the documentation, from what a real Nova showed."""

    def test_recorded_migrations(self):
        """Nine migrations: one ends, one never does, two failed ..."""
        now, tasks = draw_pictures.recorded(draw_pictures.WATCH)
        plain = console.Console(
            file=io.StringIO(), width=100, no_color=True, record=True
        )
        plain.print(
            live_table.draw('Migrations', tasks, now=now, size=(100, 24))
        )
        text = plain.export_text()
        for wanted in (
            'database live running .* 49 %',
            'will not converge at this rate, 521 MiB of 1.0 GiB left, '
            '119 MiB/s, > 1 min 12 s / 1 min 21 s; pa',
            'converges in about 48 s, 1.6 GiB of 4.0 GiB left, 35 MiB/s',
            'batch +cold +migrating',
            'cache +live +error',
            'mail +live +failed .*\n +compute_pre_live_migration on comp',
            'web-4 +live +queued +compute-1 -> compute-3 1 min 19 s',
        ):
            self.assertRegex(text, wanted)

    @unittest.skipIf(
        metadata.version('rich').startswith('13.'),
        'rich 13 writes a picture in other words',
    )
    def test_the_pictures_are_drawn_from_them(self):
        """The words in the documentation are those that are drawn now."""
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'svg')
        for picture in (draw_pictures.WATCH, draw_pictures.DRAIN):
            draw_pictures.draw(picture, path)
            words = [
                ''.join(re.findall('>([^<>]+)</text>', drawn.read_text()))
                for drawn in (path, picture.drawn)
            ]
            self.assertEqual(*words)
            self.assertNotIn('url("http', picture.drawn.read_text())


class LiveTableTest(base.BaseTestCase):
    def test_follows_the_size_of_the_terminal(self):
        """The next drawing fits a terminal that was resized."""
        stream = io.StringIO()
        plain = console.Console(file=stream, width=200, height=24)
        table = live_table.LiveTable(
            'Migrations', clock=lambda: 60, console=plain
        )
        table(task(progress=progress()))
        plain.print(table._drawn())
        plain.width = 80
        plain.print(table._drawn())
        wide, narrow = stream.getvalue().split('Migrations: 1 running')[1:]
        self.assertIn('Memory left', wide)
        self.assertNotIn('Memory left', narrow)

    def test_what_was_said_stays(self):
        """A note stands above the table; the last table is left there."""
        stream = io.StringIO()
        plain = console.Console(file=stream, width=80, no_color=True)
        with live_table.LiveTable(
            'Migrations', clock=lambda: 60, console=plain
        ) as table:
            table(task(progress=progress()))
            table.note('abort of [web]: accepted')
            self.assertEqual(['web'], [one.name for one in table.shown()])
        self.assertIn('abort of [web]: accepted', stream.getvalue())
        self.assertIn('1 running', stream.getvalue())
