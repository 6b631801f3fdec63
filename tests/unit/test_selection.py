# SPDX-License-Identifier: Apache-2.0
"""Which servers of a host are meant."""

import dataclasses
from typing import Any

from oslotest import base

from osc_migrate import exceptions
from osc_migrate import selection
from osc_migrate import testing


def cloud():
    """Build a host with three servers, and one that is elsewhere."""
    return testing.snapshot(
        [
            testing.server(
                'web',
                project_id='p1',
                flavor=testing.flavor(original_name='small'),
                tags=('blue', 'old'),
                metadata={'tier': '1', 'owner': 'a'},
            ),
            testing.server(
                'mail',
                project_id='p2',
                flavor=testing.flavor(original_name='large'),
                tags=None,
                metadata={'tier': '1'},
            ),
            testing.server('twin', id='twin-1', project_id='p3'),
            testing.server('twin', id='twin-2', project_id='p3'),
            testing.server('far', host='compute-2', project_id='p1'),
        ]
    )


class SurveyedTest(base.BaseTestCase):
    def test_only_hosts_that_were_read(self) -> None:
        """No server of another one is known, which is not: it has none."""
        saved = dataclasses.replace(cloud(), surveyed=frozenset({'compute-1'}))
        selection.check_surveyed(saved, ['compute-1'], 'saved.json')
        error = self.assertRaises(
            exceptions.InvalidInput,
            selection.check_surveyed,
            saved,
            ['compute-2'],
            'saved.json',
        )
        self.assertIn(
            'preflight --host compute-2 --save-snapshot saved.json', str(error)
        )
        self.assertRaises(
            exceptions.HostNotFound,
            selection.check_surveyed,
            saved,
            ['nowhere'],
            'saved.json',
        )


class SelectionTest(base.BaseTestCase):
    def chosen(self, **conditions: Any) -> list[str]:
        """Return the names of the servers that are meant."""
        snapshot = cloud()
        wish = selection.Selection(
            **{
                key: value
                if key in ('properties', 'limit')
                else frozenset(value)
                for key, value in conditions.items()
            }
        ).resolved(snapshot, 'compute-1')
        return [
            snapshot.servers[one].name
            for one in wish.choose(snapshot, 'compute-1')
        ]

    def test_conditions_in_words(self) -> None:
        """Without what is left out, and how many."""
        self.assertEqual(
            '', selection.Selection(exclude=frozenset('a'), limit=1).conditions
        )
        self.assertEqual(
            'flavor large or small, tag blue, tag old, property tier=1',
            selection.Selection(
                flavors=frozenset({'small', 'large'}),
                tags=frozenset({'blue', 'old'}),
                properties={'tier': '1'},
            ).conditions,
        )

    def test_conditions(self) -> None:
        """Each must be met; those that are not given are met by all."""
        for conditions, expected in (
            ({}, ['web', 'mail', 'twin', 'twin']),
            ({'servers': ['web']}, ['web']),
            ({'servers': ['web', 'twin-2']}, ['web', 'twin']),
            ({'projects': ['p1']}, ['web']),
            ({'projects': ['p1', 'p2']}, ['web', 'mail']),
            ({'flavors': ['large']}, ['mail']),
            ({'tags': ['blue']}, ['web']),
            ({'tags': ['blue', 'old']}, ['web']),
            ({'tags': ['blue', 'new']}, []),
            ({'properties': {'tier': '1'}}, ['web', 'mail']),
            ({'properties': {'tier': '1', 'owner': 'a'}}, ['web']),
            ({'properties': {'tier': '2'}}, []),
            ({'exclude': ['web']}, ['mail', 'twin', 'twin']),
            ({'exclude': ['twin']}, ['web', 'mail']),
            ({'exclude': ['twin-1', 'nobody']}, ['web', 'mail', 'twin']),
            ({'servers': ['web', 'mail'], 'exclude': ['mail']}, ['web']),
            ({'servers': ['web'], 'projects': ['p2']}, []),
        ):
            with self.subTest(conditions):
                self.assertEqual(expected, self.chosen(**conditions))

    def test_names_must_be_there_and_clear(self) -> None:
        """A typing error must not move less, or another one."""
        for name in ('nobody', 'far'):
            self.assertRaises(
                exceptions.ServerNotFound, self.chosen, servers=[name]
            )
        self.assertRaises(
            exceptions.AmbiguousName, self.chosen, servers=['twin']
        )

    def test_names_are_known_when_servers_have_moved(self) -> None:
        """Once they are resolved, a name that is gone is no error."""
        snapshot = cloud()
        wish = selection.Selection(servers=frozenset({'web'}))
        wish = wish.resolved(snapshot, 'compute-1')
        self.assertEqual([], wish.choose(testing.snapshot(), 'compute-1'))

    def test_everything(self) -> None:
        """Only without any condition is it the whole host."""
        self.assertTrue(selection.Selection().is_everything)
        for conditions in ({'limit': 3}, {'exclude': frozenset({'a'})}):
            self.assertFalse(selection.Selection(**conditions).is_everything)

    def test_named_servers_that_are_away(self) -> None:
        """They match nothing on the host, and never mean everything."""
        snapshot = cloud()
        wish = selection.Selection(servers=frozenset({'moved'}))
        wish = wish.resolved(snapshot, 'compute-1', {'moved': 'id-1'})
        self.assertEqual([], wish.choose(snapshot, 'compute-1'))
        wish = selection.Selection(servers=frozenset({'moved', 'web'}))
        wish = wish.resolved(snapshot, 'compute-1', {'moved': 'id-1'})
        (one,) = wish.choose(snapshot, 'compute-1')
        self.assertEqual('web', snapshot.servers[one].name)
