# SPDX-License-Identifier: Apache-2.0
"""What programs read is as the documented schemas say, and nothing more."""

import io
import json
from typing import Any

from cliff import columns as column_types
from oslotest import base

from osc_migrate import drain
from osc_migrate import fit
from osc_migrate import leftovers
from osc_migrate import limits
from osc_migrate import outcome
from osc_migrate import planner
from osc_migrate import report
from osc_migrate import serial
from osc_migrate import summary
from osc_migrate import task as tasks
from osc_migrate import testing
from osc_migrate import topology
from osc_migrate.osc import closing
from osc_migrate.osc import preflight
from osc_migrate.osc import rows
from osc_migrate.osc import voice as voices
from tests import example_cloud
from tests import schemas
from tests.unit import test_report
from tests.unit import test_topology
from tools import write_snapshot_schema

HOST = 'compute-1'


class FormatTest(base.BaseTestCase):
    """Documents of values that the commands would write."""

    def setUp(self):
        super().setUp()
        self.snapshot = example_cloud.snapshot()
        self.plan = planner.plan(self.snapshot, HOST)

    def listed(self, listing: Any) -> list[dict[str, Any]]:
        """Return a listing as cliff writes it with ``-f json``."""
        columns, found = listing
        return [
            {
                name: (
                    value.machine_readable()
                    if isinstance(value, column_types.FormattableColumn)
                    else value
                )
                for name, value in zip(columns, row, strict=True)
            }
            for row in found
        ]

    def test_snapshot(self):
        """A saved snapshot, with all that it may hold."""
        schemas.check(
            'snapshot',
            {
                'format': serial.FORMAT,
                'version': serial.VERSION,
                'snapshot': serial.to_json(self.snapshot),
            },
        )

    def test_the_schema_of_snapshots_is_that_of_the_model(self):
        """A change of the model is a change of the format."""
        self.assertEqual(
            write_snapshot_schema.text(),
            write_snapshot_schema.PATH.read_text(),
            'run: tox -e venv -- python -m tools.write_snapshot_schema; '
            'and is serial.VERSION to be raised?',
        )

    def test_report(self):
        """A report of all verdicts, with and without a plan that fits."""
        large = testing.flavor(ram=40000)
        squeezed = testing.snapshot(
            [testing.server(name, flavor=large) for name in ('a', 'b')],
            [testing.host(HOST), testing.host('compute-2')],
        )
        for snapshot in (self.snapshot, squeezed):
            plan = planner.plan(snapshot, HOST)
            judged = fit.judge(plan)
            self.assertEqual(snapshot is not squeezed, judged.is_complete)
            schemas.check('report', fit.document(plan, snapshot, judged))

    def test_preflight(self):
        """The rows of each view."""
        found = self.plan.report
        for name, listing in (
            ('default', preflight._servers(self.plan, is_long=False)),
            ('long', preflight._servers(self.plan, is_long=True)),
            ('matrix', preflight._matrix(found)),
            ('findings', preflight._findings(found)),
            ('list-checks', preflight._checks()),
        ):
            listed = self.listed(listing)
            self.assertNotEqual([], listed)
            schemas.check('preflight', listed, part=name)

    def test_moves(self):
        """The rows of a plan, and of moves that have ended or have not."""
        ended = [
            test_report.task(phase, record=test_report.record())
            for phase in tasks.Phase
        ]
        left = leftovers.Leftover(
            kind='allocation',
            id='consumer',
            name='',
            message='holds resources',
            remedy='',
            is_expected=False,
        )
        for found in (
            rows.planned(self.plan, limits.Limits(), 'json'),
            rows.listing(rows.ended(ended), 'json'),
            rows.listing(rows.left([left], HOST, ()), 'json'),
        ):
            schemas.check('moves', self.listed(found))

    def test_what_a_move_changed(self):
        """As a column of the rows of a drain, and as lines."""
        place = test_topology.place(test_topology.cell(), pagesize_kb=2048)
        one = topology.compare(
            testing.identifier('web'), 'web', before=place, after=place
        )
        load = test_topology.load(None, 9)
        proof = topology.Proof(comparisons=(one,), loads=(load,))
        ended = rows.ended([test_report.task(tasks.Phase.DONE)])
        ended.append((one.server_id, *ended[0][1:]))
        listed = rows.compared(rows.listing(ended, 'json'), proof, 'json')
        schemas.check('moves', self.listed(listed))
        columns, found = rows.compared(
            rows.listing(ended, 'table'), proof, 'table'
        )
        self.assertEqual('Topology', columns[-1])
        cells = [column.human_readable() for *_, column in found]
        self.assertEqual(['', 'same'], cells)
        nothing = topology.Proof(comparisons=(), loads=())
        table = rows.listing(ended, 'table')
        self.assertEqual(table, rows.compared(table, nothing, 'table'))
        stream = io.StringIO()
        voice = voices.Voice()
        voice.logs = [report.JsonLines(stream)]
        closing.prove(proof, voice)
        voice.say('compute-2 is enabled, as it was before', 'reservation')
        said = {'server_id': one.server_id, 'server': 'web', 'has': one.shape}
        voice.write('topology', **said)
        written = [json.loads(line) for line in stream.getvalue().splitlines()]
        self.assertEqual(
            ['note', 'comparison', 'load', 'reservation', 'topology'],
            [line['event'] for line in written],
        )
        for line in written:
            schemas.check('event', line)

    def test_events(self):
        """Each kind of line, of recorded migrations and of each phase."""
        stream = io.StringIO()
        lines = report.JsonLines(stream, clock=lambda: 100.0)
        for phase in tasks.Phase:
            for seen in (None, test_report.progress()):
                task = test_report.task(phase, progress=seen)
                lines(task)
                one = outcome.of_task(task, 100.0)
                lines.write('summary', summary.document(one))
        lines(test_report.task(started=None, record=None))
        lines.note('Nova answers again')
        self.write_all(lines)
        written = stream.getvalue().splitlines()
        self.assertGreater(len(written), 40)
        for line in written:
            schemas.check('event', json.loads(line))

    def write_all(self, lines: report.JsonLines) -> None:
        """Write down what a drain says of its host."""
        voice = voices.Voice()
        voice.logs = [lines]
        left = leftovers.Leftover(
            kind='server',
            id='s',
            name='web',
            message='is ACTIVE',
            remedy='',
            is_expected=False,
        )
        for is_interrupted in (False, True):
            result = drain.Result(
                host=HOST,
                tasks=(test_report.task(tasks.Phase.DONE),),
                stranded={},
                leftovers=(left,),
                is_interrupted=is_interrupted,
            )
            closing.conclude(result, voice)
        voice.say('is disabled', 'disabled', host=HOST, request_id='req-1')
        for event in ('stays', 'joined', 'reopened', 'interrupted', 'left'):
            voice.say('a sentence', event)
        voice.write('failed', text='why', exit_code=1)
        voice.say('Nothing was changed.', 'refused', exit_code=4)
