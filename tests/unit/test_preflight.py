# SPDX-License-Identifier: Apache-2.0
"""Preflight: how to look, at which servers, with every check."""

import dataclasses

from oslotest import base

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import scrutiny
from osc_migrate import testing
from osc_migrate import verdict
from osc_migrate.checks import Severity
from osc_migrate.verdict import Verdict

LIVE, COLD = model.MigrationType.LIVE, model.MigrationType.COLD
HOSTS = ('compute-2', 'compute-3', 'compute-4')


class ScrutinyTest(base.BaseTestCase):
    SNAPSHOT = testing.snapshot(
        [testing.server()],
        [
            testing.host('compute-1'),
            testing.host('compute-2'),
            testing.host('compute-3', status='disabled'),
            testing.host('compute-4', state='down'),
        ],
    )

    def destinations(self, **how: object) -> list[str]:
        looking = scrutiny.begin(self.SNAPSHOT, **how)
        return [h.name for h in looking.destinations(self.SNAPSHOT)]

    def test_enabled_hosts_are_destinations(self):
        """A dead one too: its finding says why it is none."""
        self.assertEqual(
            ['compute-1', 'compute-2', 'compute-4'], self.destinations()
        )

    def test_disabled_ones_if_asked_for(self):
        self.assertEqual(
            ['compute-1', 'compute-2', 'compute-3', 'compute-4'],
            self.destinations(include_disabled=True),
        )
        self.assertEqual(['compute-3'], self.destinations(to='compute-3'))
        self.assertEqual(
            ['compute-2', 'compute-3'],
            self.destinations(to=['compute-3', 'compute-2']),
        )

    def test_a_stopped_server_moves_cold_unless_told_otherwise(self):
        stopped = testing.server(vm_state='stopped')
        for method, ways in (
            ('auto', (COLD,)),
            ('live', (LIVE,)),
            ('cold', (COLD,)),
            ('evacuate', (model.MigrationType.EVACUATE,)),
        ):
            looking = scrutiny.begin(self.SNAPSHOT, method=method)
            self.assertEqual(ways, looking.ways_for(stopped))
        looking = scrutiny.begin(self.SNAPSHOT)
        self.assertEqual((LIVE, COLD), looking.ways_for(testing.server()))

    def test_what_makes_no_sense_is_refused(self):
        for how, text in (
            ({'method': 'warm'}, "The method 'warm' is none of auto, live"),
            ({'ignore': 'nonsense'}, "There is no check 'nonsense'"),
            ({'to': 'compute-9'}, 'No nova-compute service is named'),
            ({'to': 'compute-.*'}, "'compute-.*'"),
        ):
            error = self.assertRaises(
                exceptions.InvalidInput,
                scrutiny.begin,
                self.SNAPSHOT,
                **how,
            )
            self.assertIn(text, str(error))

    def test_checks_of_others_run_beside_ours(self):
        def on_a_friday(_: checks.Candidate):
            yield checks.error('not on a Friday')

        report = verdict.preflight(self.SNAPSHOT, checks=[on_a_friday])
        [entry] = report.servers
        self.assertIn('on-a-friday', entry.reasons)
        report = verdict.preflight(
            self.SNAPSHOT, checks=[on_a_friday], ignore='on-a-friday'
        )
        self.assertEqual(Verdict.WARNING, report.servers[0].verdict)


class PreflightTest(base.BaseTestCase):
    """With every check of the catalogue."""

    def test_an_ordinary_server_is_ok(self):
        report = verdict.preflight(testing.snapshot([testing.server()]))
        [entry] = report.servers
        self.assertEqual(
            ('live', Verdict.OK, HOSTS, ()),
            (entry.method, entry.verdict, entry.destinations, entry.reasons),
        )
        self.assertTrue(report.is_clear)
        severities = {f.severity for f in entry.all_findings()}
        self.assertNotIn(Severity.UNKNOWN, severities)

    def test_servers_are_those_of_the_hosts_in_order(self):
        servers = [
            testing.server('c'),
            testing.server('b', host='compute-2'),
            testing.server('a', host='compute-3'),
        ]
        snapshot = testing.snapshot(servers)
        for host, expected in (
            ((), ['a', 'b', 'c']),
            ('compute-1', ['c']),
            (['compute-1', 'compute-2'], ['b', 'c']),
            ('compute-4', []),
        ):
            report = verdict.preflight(snapshot, host)
            names = [entry.server.name for entry in report.servers]
            self.assertEqual(expected, names)
        report = verdict.preflight(snapshot, 'compute-1', ['a', 'b'])
        names = [entry.server.name for entry in report.servers]
        self.assertEqual(['a', 'b', 'c'], names)
        self.assertRaises(
            exceptions.HostNotFound, verdict.preflight, snapshot, 'compute'
        )

    def test_what_was_not_told_is_said_once(self):
        gap = model.Gap(subject='groups', reason='403', remedy='ask')
        snapshot = dataclasses.replace(testing.snapshot(), gaps=(gap,))
        self.assertEqual((gap,), verdict.preflight(snapshot).gaps)
