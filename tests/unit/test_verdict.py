# SPDX-License-Identifier: Apache-2.0
"""The verdict on a server, and what is asked of which pair."""

from oslotest import base

from osc_migrate import checks
from osc_migrate import model
from osc_migrate import scrutiny
from osc_migrate import testing
from osc_migrate import verdict
from osc_migrate.verdict import Verdict

LIVE, COLD = model.MigrationType.LIVE, model.MigrationType.COLD
HOSTS = ('compute-2', 'compute-3', 'compute-4')


def saying(**drafts: checks.Draft) -> list[checks.Check]:
    """Return a check for each destination, ``own`` one of the server.

    ``compute_2_cold`` speaks of compute-2 when the server moves cold, and
    ``own_live`` of the server when it moves live.
    """
    made = []
    for name, draft in drafts.items():
        place = name.removesuffix('_live').removesuffix('_cold')
        wanted = [
            member
            for member in (LIVE, COLD)
            if not name.endswith(('live', 'cold')) or name.endswith(member)
        ]

        def find(candidate, place=place, wanted=wanted, draft=draft):
            host = candidate.destination
            if candidate.migration_type in wanted and (
                place == 'own' or host.name == place.replace('_', '-')
            ):
                yield draft

        kind = checks.destination_check
        if place == 'own':
            kind = checks.server_check
        made.append(kind(name.replace('_', '-'))(find))
    return made


def looking(
    *chosen: checks.Check,
    to: tuple[str, ...] = (),
    ignored: tuple[str, ...] = (),
    ways: tuple[model.MigrationType, ...] = (LIVE, COLD),
) -> scrutiny.Scrutiny:
    """Look with these checks alone."""
    return scrutiny.Scrutiny(
        checks=chosen,
        ways=ways,
        to=frozenset(to),
        ignored=frozenset(ignored),
        include_disabled=False,
    )


def judged(**drafts: checks.Draft) -> verdict.ServerReport:
    """Judge a server of which this is found."""
    snapshot = testing.snapshot([testing.server()])
    report = verdict.preflight(snapshot, looking=looking(*saying(**drafts)))
    return report.servers[0]


class JudgeTest(base.BaseTestCase):
    def assertJudged(
        self,
        expected: tuple[str, Verdict],
        destinations: tuple[str, ...],
        reasons: tuple[str, ...],
        **drafts: checks.Draft,
    ) -> None:
        entry = judged(**drafts)
        self.assertEqual(expected, (entry.method, entry.verdict))
        self.assertEqual(destinations, entry.destinations)
        self.assertEqual(reasons, entry.reasons)

    def test_nothing_in_the_way(self):
        self.assertJudged(('live', Verdict.OK), HOSTS, ())

    def test_what_is_worth_knowing_weighs_nothing(self):
        self.assertJudged(
            ('live', Verdict.OK),
            HOSTS,
            (),
            own=checks.info('i'),
            compute_2=checks.info('i'),
        )

    def test_a_warning_of_the_server(self):
        self.assertJudged(
            ('live', Verdict.WARNING), HOSTS, ('own',), own=checks.warning('w')
        )

    def test_something_unknown_of_the_server(self):
        self.assertJudged(
            ('live', Verdict.UNKNOWN), HOSTS, ('own',), own=checks.unknown('u')
        )

    def test_one_good_destination_is_enough(self):
        """What is against the others does not count."""
        self.assertJudged(
            ('live', Verdict.OK),
            ('compute-2', 'compute-4'),
            (),
            compute_2=checks.unknown('u'),
            compute_3=checks.error('e'),
        )

    def test_the_best_destination_decides(self):
        self.assertJudged(
            ('live', Verdict.WARNING),
            HOSTS,
            ('compute-3',),
            compute_2=checks.unknown('u'),
            compute_3=checks.warning('w'),
            compute_4=checks.unknown('u'),
        )

    def test_cold_when_it_does_not_move_live(self):
        """It is a warning at least, and says what forbids the live one."""
        self.assertJudged(
            ('cold', Verdict.WARNING),
            HOSTS,
            ('own-live',),
            own_live=checks.error('e'),
        )

    def test_cold_when_no_destination_takes_it_live(self):
        drafts = {
            f'compute_{number}_live': checks.error('e') for number in (2, 3, 4)
        }
        self.assertJudged(
            ('cold', Verdict.WARNING),
            HOSTS,
            ('compute-2-live', 'compute-3-live', 'compute-4-live'),
            **drafts,
        )

    def test_cold_may_be_unknown(self):
        self.assertJudged(
            ('cold', Verdict.UNKNOWN),
            HOSTS,
            ('own-live', 'own-cold'),
            own_live=checks.error('e'),
            own_cold=checks.unknown('u'),
        )

    def test_blocked_in_every_way(self):
        self.assertJudged(
            ('none', Verdict.BLOCKED),
            (),
            ('own-live', 'own-cold'),
            own_live=checks.error('e'),
            own_cold=checks.error('e'),
        )

    def test_blocked_on_every_host(self):
        drafts = {f'compute_{n}': checks.error('e') for n in (2, 3, 4)}
        self.assertJudged(
            ('none', Verdict.BLOCKED),
            (),
            ('compute-2', 'compute-3', 'compute-4'),
            **drafts,
        )

    def test_what_passes_by_itself_is_waited_for(self):
        self.assertJudged(
            ('wait', Verdict.BLOCKED), (), ('own',), own=checks.wait('w')
        )

    def test_one_way_that_passes_is_enough_to_wait(self):
        self.assertJudged(
            ('wait', Verdict.BLOCKED),
            (),
            ('own-live', 'own-cold'),
            own_live=checks.error('e'),
            own_cold=checks.wait('w'),
        )

    def test_a_lasting_error_beside_it_is_not_waited_for(self):
        self.assertJudged(
            ('none', Verdict.BLOCKED),
            (),
            ('own-live', 'own', 'own-cold'),
            own_live=checks.error('e'),
            own_cold=checks.error('e'),
            own=checks.wait('w'),
        )

    def test_a_cloud_of_one_host_has_no_destination(self):
        """Nor does a server whose own host alone was named."""
        one = testing.snapshot([testing.server()], [testing.host('compute-1')])
        named = testing.snapshot([testing.server()])
        for snapshot, to in ((one, ()), (named, ('compute-1',))):
            report = verdict.preflight(snapshot, looking=looking(to=to))
            [entry] = report.servers
            self.assertEqual(
                (Verdict.BLOCKED, ('destination-none',), ()),
                (entry.verdict, entry.reasons, entry.destinations),
            )

    def test_hosts_that_nobody_tells_of(self):
        """Nova knows them, so nothing forbids a move; where to is unknown."""
        snapshot = testing.snapshot([testing.server()], [])
        report = verdict.preflight(snapshot, looking=looking())
        [entry] = report.servers
        self.assertEqual(
            ('live', Verdict.UNKNOWN, ('destination-none',), ()),
            (entry.method, entry.verdict, entry.reasons, entry.destinations),
        )
        report = verdict.preflight(
            snapshot, looking=looking(*saying(own=checks.error('e')))
        )
        self.assertEqual(Verdict.BLOCKED, report.servers[0].verdict)

    def test_all_findings_are_kept(self):
        entry = judged(
            own=checks.info('a'),
            compute_2=checks.error('b'),
            compute_3_cold=checks.info('c'),
        )
        self.assertEqual(
            [
                ('a', None, 'live'),
                ('a', None, 'cold'),
                ('b', 'compute-2', 'live'),
                ('b', 'compute-2', 'cold'),
                ('c', 'compute-3', 'cold'),
            ],
            [
                (f.message, f.destination, f.migration_type)
                for f in entry.all_findings()
            ],
        )
        self.assertEqual(HOSTS, tuple(entry.pairs))

    def test_an_ignored_error_does_not_stop(self):
        snapshot = testing.snapshot([testing.server()])
        for draft in ('own', 'compute_2'):
            how = looking(
                *saying(**{draft: checks.error('e')}),
                ignored=(draft.replace('_', '-'),),
                to=('compute-2',),
            )
            [entry] = verdict.preflight(snapshot, looking=how).servers
            self.assertEqual(Verdict.WARNING, entry.verdict)


class LikenessTest(base.BaseTestCase):
    def run_counting(self, alike: object, *servers: model.Server) -> list[str]:
        """Return the destinations that a check was really asked about."""
        seen: list[str] = []

        def find(candidate: checks.Candidate):
            seen.append(candidate.destination.name)
            yield checks.info('for {server}', 'move {server} {destination}')

        check = checks.destination_check('some-check', alike=alike)(find)
        report = verdict.preflight(
            testing.snapshot(servers), looking=looking(check, ways=(LIVE,))
        )
        for entry in report.servers:
            for name, found in entry.pairs.items():
                expected = f'move {entry.server.id} {name}'
                remedies = [finding.remedy for finding in found]
                if seen:
                    self.assertEqual([expected], remedies)
        return seen

    SERVERS = (
        testing.server('one'),
        testing.server('two'),
        testing.server('away', host='compute-2'),
    )

    def test_servers_that_are_alike_are_asked_once(self):
        """Each host is asked about, also the one that some are on."""
        seen = self.run_counting(lambda _: 'all', *self.SERVERS)
        self.assertEqual(['compute-1', *HOSTS], seen)

    def test_servers_that_are_not_are_asked_one_by_one(self):
        seen = self.run_counting(lambda c: c.server.name, *self.SERVERS)
        self.assertEqual(3 * 4, len(seen))

    def test_a_check_that_is_not_concerned_is_not_asked(self):
        self.assertEqual([], self.run_counting(lambda _: None, *self.SERVERS))

    def test_two_checks_of_one_name_are_still_two(self):
        one, two = (
            checks.as_check(function)
            for function in (
                _named('check-me', checks.info('one')),
                _named('check-me', checks.info('two')),
            )
        )
        report = verdict.preflight(
            testing.snapshot([testing.server()]),
            looking=looking(one, two, to=('compute-2',), ways=(LIVE,)),
        )
        self.assertEqual(
            ['one', 'two'],
            [f.message for f in report.servers[0].all_findings()],
        )


def _named(name: str, draft: checks.Draft) -> checks.Function:
    def find(_: checks.Candidate):
        yield draft

    find.__name__ = name
    return find
