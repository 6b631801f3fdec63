# SPDX-License-Identifier: Apache-2.0
"""What drain and undrain list, and which options override a finding."""

from oslotest import base

from osc_migrate import checks
from osc_migrate import leftovers
from osc_migrate import limits
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import report
from osc_migrate import testing
from osc_migrate.osc import options
from osc_migrate.osc import rows
from osc_migrate.task import Phase
from tests.unit import scenes


def finding(check: str, *, is_transient: bool = False) -> checks.Finding:
    """Build an error of a check."""
    return checks.Finding(
        check=check,
        severity=checks.Severity.ERROR,
        message='is in the way',
        remedy='repair it',
        evidence={},
        is_transient=is_transient,
        server='s',
        destination=None,
        migration_type=model.MigrationType.LIVE,
    )


class OverrideTest(base.BaseTestCase):
    def test_each_class_of_trouble_has_its_option(self) -> None:
        """What Nova refuses in any case can only be left behind."""
        for check, option in (
            ('server-downtime', '--allow-cold'),
            ('server-source-down', '--evacuate --fenced'),
            ('server-state', '--partial'),
            ('server-error', '--partial'),
            ('server-resize', '--partial'),
            ('destination-none', '--partial'),
            ('destination-room', '--ignore-check destination-room'),
            ('cpu-features', '--ignore-check cpu-features'),
        ):
            self.assertEqual(option, options.overriding(finding(check)))
        passing = finding('server-task', is_transient=True)
        self.assertEqual('', options.overriding(passing))

    def test_every_check_has_one(self) -> None:
        """Also those of others."""
        for check in checks.load():
            self.assertIn('--', options.overriding(finding(check.id)))

    def test_it_is_named_in_the_finding(self) -> None:
        """Beside the remedy."""
        server = testing.server('web')
        found = {server: (finding('cpu-features'),)}
        (line,) = report.stranded(found, options.overriding)
        self.assertIn(
            '-> repair it; override: --ignore-check cpu-features', line
        )
        (line,) = report.stranded(found)
        self.assertNotIn('override', line)


class RowsTest(base.BaseTestCase):
    def test_how_moves_ended(self) -> None:
        """A program also reads the remedy and the ids of requests."""
        task = scenes.task(
            Phase.FAILED, reason='r', remedy='m', request_ids=('a', 'b', 'a')
        )
        listed = rows.ended([task])
        names, (row,) = rows.listing(listed, 'json')
        read = dict(zip(names, row, strict=True))
        self.assertEqual('failed', read['Result'])
        self.assertEqual('m', read['Next Step'])
        self.assertEqual(['a', 'b'], read['Request IDs'].machine_readable())
        names, (row,) = rows.listing(listed, 'table')
        self.assertEqual(rows.COLUMNS, names)
        self.assertEqual(len(names), len(row))

    def test_who_stays(self) -> None:
        """With the reasons, not only the names of the checks."""
        server = testing.server('web')
        ((*_, result, reason, remedy, _),) = rows.staying(
            {server: (finding('cpu-features'),)}
        )
        self.assertEqual('stays', result)
        self.assertEqual('is in the way [cpu-features]', reason)
        self.assertEqual('repair it', remedy)

    def test_what_else_is_left(self) -> None:
        """What is listed already is not listed twice."""
        found = [
            leftovers.Leftover(
                kind=kind,
                id=kind,
                name='n',
                message='m',
                remedy='',
                is_expected=False,
            )
            for kind in ('server', 'allocation')
        ]
        known = [rows.row('server', 'web', result='failed')]
        (row,) = rows.left(found, 'compute-1', known)
        self.assertIn('allocation left', row)

    def test_plan(self) -> None:
        """When and how long: words for people, numbers for programs."""
        plan = planner.plan(
            testing.snapshot([testing.server('a'), testing.server('b')]),
            'compute-1',
        )
        at_once = limits.Limits(per_source=1)
        names, (_, second) = rows.planned(plan, at_once, 'table')
        self.assertEqual(('Round', 'Start', 'Duration'), names[:3])
        self.assertEqual(
            (2, '4 s', '4 s'),
            (second[0], *[one.human_readable() for one in second[1:3]]),
        )
        names, (first, _) = rows.planned(plan, at_once, 'json')
        read = dict(zip(names, first, strict=True))
        self.assertEqual(1, read['Round'])
        self.assertEqual(4.3, read['Duration'].machine_readable())
        nothing = rows.Seconds(None)
        self.assertEqual(
            ('', None), (nothing.human_readable(), nothing.machine_readable())
        )
