# SPDX-License-Identifier: Apache-2.0
"""What holds for the findings of every check, whatever the cloud."""

import collections
import dataclasses
import json

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from osc_migrate import checks
from osc_migrate import model
from osc_migrate import verdict
from osc_migrate.checks import Severity
from tests.property import strategies

CLOUDS = strategies.odd_clouds()
CHECKS = [
    check for check in checks.load() if check.scope is checks.Scope.DESTINATION
]


class FindingTest(base.BaseTestCase):
    @hypothesis.given(
        snapshot=CLOUDS, method=st.sampled_from(['auto', 'evacuate'])
    )
    def test_findings_can_be_shown(self, snapshot, method):
        """No check fails, no placeholder is left, evidence is JSON."""
        report = verdict.preflight(snapshot, method=method)
        for entry in report.servers:
            for finding in entry.all_findings():
                self.assertNotIn('this check failed', finding.message)
                self.assertNotRegex(finding.remedy, r'\{(server|dest)')
                self.assertNotIn('None', finding.remedy)
                json.dumps(finding.evidence)

    @hypothesis.given(
        snapshot=CLOUDS, method=st.sampled_from(['auto', 'evacuate'])
    )
    def test_a_verdict_is_what_its_findings_say(self, snapshot, method):
        for entry in verdict.preflight(snapshot, method=method).servers:
            by_way = collections.defaultdict(list)
            for finding in entry.all_findings():
                by_way[finding.migration_type].append(finding)
            if entry.method in ('none', 'wait'):
                self.assertEqual((), entry.destinations)
                continue
            found = by_way[model.MigrationType(entry.method)]
            self.assertNotEqual((), entry.destinations)
            for name in entry.destinations:
                against = [
                    finding
                    for finding in found
                    if finding.destination in (None, name)
                    and finding.severity is Severity.ERROR
                ]
                self.assertEqual([], against)


class LikenessTest(base.BaseTestCase):
    """Servers that are alike to a check get the same answers from it."""

    @hypothesis.given(data=st.data(), snapshot=CLOUDS)
    def test_alike_servers_have_the_same_findings(self, data, snapshot):
        hypothesis.assume(snapshot.servers)
        one = data.draw(st.sampled_from(list(snapshot.servers.values())))
        other = data.draw(strategies.oddities(one))
        ways = [data.draw(st.sampled_from(model.MigrationType)) for _ in '12']
        for check in CHECKS:
            self.compare(check, (one, other), ways, snapshot)

    def compare(self, check, servers, ways, snapshot):
        """Ask a check about two servers and every destination."""
        pairs = [
            checks.Candidate(
                server=server,
                destination=None,
                migration_type=way,
                snapshot=snapshot,
            )
            for server, way in zip(servers, ways, strict=True)
        ]
        keys = [checks.likeness(check, pair) for pair in pairs]
        for host in snapshot.hosts.values():
            ours, theirs = (
                list(check(dataclasses.replace(pair, destination=host)))
                for pair in pairs
            )
            if keys[0] is None:
                self.assertEqual([], ours, check.id)
            elif keys[0] == keys[1]:
                self.assertEqual(ours, theirs, check.id)
