# SPDX-License-Identifier: Apache-2.0
"""The framework: how checks are loaded, run and told."""

import importlib
import pathlib
import pkgutil
from unittest import mock

from oslotest import base
from stevedore import extension

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import testing
from osc_migrate.checks import Severity
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE
from tests.unit.checks.base import candidate


def registered() -> dict[str, checks.Check]:
    """Return every check of the package, by the name of its object."""
    found = {}
    for module in pkgutil.iter_modules(checks.__path__, 'osc_migrate.checks.'):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, checks.Check):
                found[f'{module.name}:{name}'] = value
    return found


class CatalogueTest(base.BaseTestCase):
    def test_entry_points_name_every_check_by_its_id(self):
        """A check that is not in setup.cfg would never run."""
        setup = pathlib.Path(__file__).parents[3] / 'setup.cfg'
        section = setup.read_text().partition('osc_migrate.checks =\n')[2]
        lines = [line.split() for line in section.splitlines() if line]
        self.assertEqual(
            {check.id: place for place, check in registered().items()},
            {check_id: place for check_id, _, place in lines},
        )
        self.assertEqual(sorted(lines), lines)

    def test_what_is_installed_is_loaded_in_order(self):
        loaded = [check.id for check in checks.load()]
        self.assertEqual(sorted(loaded), loaded)
        self.assertIn('server-state', loaded)

    def test_an_id_is_a_subject_and_a_condition(self):
        for check in registered().values():
            self.assertRegex(check.id, '^[a-z]+(-[a-z]+)+$')

    def test_the_documentation_says_what_why_where_and_what_to_do(self):
        """The body names the file of Nova, Neutron or Cinder that decides."""
        for check in registered().values():
            summary, empty, *body = check.documentation.splitlines()
            self.assertEqual(check.summary, summary)
            self.assertTrue(summary.endswith('.') and not empty, check.id)
            self.assertGreater(len(body), 1, check.id)
            self.assertNotRegex('\n'.join(body), '^    ', check.id)
            self.assertRegex(
                ' '.join(body),
                r'``(nova|neutron|cinder)/[\w/]+\.py``',
                check.id,
            )
            self.assertRegex('\n'.join(body), r'\nWhat to do: \S', check.id)

    def test_an_undocumented_function_has_an_empty_summary(self):
        def silent(_: checks.Candidate):
            yield from ()

        check = checks.as_check(silent)
        self.assertEqual('', check.summary)


class OrdinaryServerTest(base.BaseTestCase):
    """The rule of the catalogue: no noise on the row of a plain server."""

    def severities(self, way: str) -> dict[str, Severity]:
        source = testing.host('compute-1', state='down')
        pair = candidate(way=way, source=source if way is EVACUATE else None)
        return {
            finding.check: finding.severity
            for finding in checks.examine(registered().values(), pair)
        }

    def test_it_moves_live_with_nothing_to_say(self):
        self.assertEqual({'disk-copy': Severity.INFO}, self.severities(LIVE))

    def test_it_moves_cold_but_is_powered_off(self):
        self.assertEqual(
            {'disk-copy': Severity.INFO, 'server-downtime': Severity.WARNING},
            self.severities(COLD),
        )

    def test_it_is_evacuated_but_loses_its_disks(self):
        self.assertEqual(
            {
                'disk-copy': Severity.WARNING,
                'server-downtime': Severity.WARNING,
            },
            self.severities(EVACUATE),
        )


class LoadTest(base.BaseTestCase):
    def loading(self, *found: tuple[str, object]):
        """Pretend that these entry points are installed."""
        manager = extension.ExtensionManager.make_test_instance(
            [
                extension.Extension(name, None, plugin, None)
                for name, plugin in found
            ]
        )
        return mock.patch.object(
            checks.extension, 'ExtensionManager', return_value=manager
        )

    def assertFails(self, text: str, *found: tuple[str, object]) -> None:
        with self.loading(*found):
            error = self.assertRaises(exceptions.CheckFailed, checks.load)
        self.assertIn(text, str(error))

    def test_checks_come_in_the_order_of_their_ids(self):
        made = [
            checks.server_check(check_id)(lambda _: iter(()))
            for check_id in ('b-second', 'a-first')
        ]
        with self.loading(*((check.id, check) for check in made)):
            self.assertEqual(made[::-1], list(checks.load()))

    def test_what_is_no_check_is_refused(self):
        self.assertFails('server_check', ('a-function', lambda _: iter(())))

    def test_an_entry_point_must_be_named_as_the_id(self):
        check = checks.server_check('right-name')(lambda _: iter(()))
        self.assertFails('must be named right-name', ('wrong-name', check))

    def test_an_id_is_used_once(self):
        check = checks.server_check('one-id')(lambda _: iter(()))
        self.assertFails('two checks', ('one-id', check), ('one-id', check))

    def test_one_that_cannot_be_imported_stops_everything(self):
        """Stevedore would log it and check less than was asked."""

        def broken(*_: object, on_load_failure_callback, **__: object):
            entry_point = mock.Mock()
            entry_point.name = 'broken-check'
            on_load_failure_callback(None, entry_point, ImportError('gone'))

        with mock.patch.object(checks.extension, 'ExtensionManager', broken):
            error = self.assertRaises(exceptions.CheckFailed, checks.load)
        self.assertEqual('broken-check', error.check)
        self.assertIn('gone', str(error))


class RunTest(base.BaseTestCase):
    def test_a_plain_function_is_a_check_named_after_it(self):
        def _no_fridays(_: checks.Candidate):
            yield checks.error('it is Friday')

        check = checks.as_check(_no_fridays)
        self.assertEqual('no-fridays', check.id)
        self.assertEqual(checks.Scope.DESTINATION, check.scope)
        self.assertEqual(
            ['it is Friday'], [d.message for d in check(candidate())]
        )
        self.assertIs(check, checks.as_check(check))

    def test_one_that_raises_is_what_it_found(self):
        @checks.server_check('third-party')
        def fail(_: checks.Candidate):
            """Fail."""
            yield checks.info('first')
            raise KeyError('x')

        found = checks.examine([fail], candidate())
        self.assertEqual([Severity.UNKNOWN], [f.severity for f in found])
        self.assertIn("failed: KeyError: 'x'", found[0].message)
        self.assertIn('--ignore-check third-party', found[0].remedy)

    def test_an_ignored_error_is_a_warning_still(self):
        @checks.server_check('some-error')
        def find(_: checks.Candidate):
            """Find one of each."""
            yield checks.error('an error')
            yield checks.unknown('unknown')
            yield checks.info('worth knowing')

        found = checks.examine(
            [find], candidate(), ignored=frozenset({'some-error'})
        )
        self.assertEqual(
            [Severity.WARNING, Severity.WARNING, Severity.INFO],
            [finding.severity for finding in found],
        )

    def test_a_finding_says_whom_it_is_about(self):
        pair = candidate(way=COLD)
        draft = checks.wait('busy', 'move {server} to {destination}', n=1)
        found = checks.finding('some-check', draft, pair)
        self.assertEqual(f'move {pair.server.id} to compute-2', found.remedy)
        self.assertEqual(
            ('some-check', pair.server.id, 'compute-2', COLD, {'n': 1}, True),
            (
                found.check,
                found.server,
                found.destination,
                found.migration_type,
                found.evidence,
                found.is_transient,
            ),
        )

    def test_servers_are_unlike_unless_a_check_says_so(self):
        check = checks.destination_check('some-check')(lambda _: iter(()))
        one = candidate(testing.server('one'))
        self.assertEqual(
            checks.likeness(check, one), checks.likeness(check, one)
        )
        for other in (
            candidate(testing.server('other')),
            candidate(testing.server('one'), way=COLD),
        ):
            self.assertNotEqual(
                checks.likeness(check, one), checks.likeness(check, other)
            )

    def test_a_likeness_that_fails_makes_servers_unlike(self):
        def raising(_: checks.Candidate) -> object:
            raise ValueError

        pair = candidate()
        for alike in (raising, lambda _: {'not': 'hashable'}):
            check = checks.destination_check('some-check', alike=alike)(
                lambda _: iter(())
            )
            self.assertEqual(
                (pair.server.id, LIVE), checks.likeness(check, pair)
            )

    def test_severities_are_words(self):
        self.assertEqual(
            ['info', 'warning', 'unknown', 'error'], list(map(str, Severity))
        )
