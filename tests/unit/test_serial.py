# SPDX-License-Identifier: Apache-2.0
"""Values to JSON and back, and what is refused."""

import dataclasses
import enum
import json
import os
import pathlib
import tempfile

from oslotest import base

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import serial
from osc_migrate import testing


class Colour(enum.StrEnum):
    """For a test of enumerations."""

    RED = 'red'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Thing:
    """One attribute of each kind that values have."""

    name: str
    size: float
    count: int
    colour: Colour
    parts: tuple['Thing', ...]
    marks: frozenset[str]
    notes: dict[str, int | None]
    maybe: str | None


THING = Thing(
    name='x',
    size=1.5,
    count=3,
    colour=Colour.RED,
    parts=(),
    marks=frozenset({'b', 'a'}),
    notes={'n': 1, 'm': None},
    maybe=None,
)


class ValueTest(base.BaseTestCase):
    def test_to_json_and_back(self):
        whole = dataclasses.replace(THING, parts=(THING,), maybe='y')
        data = serial.to_json(whole)
        self.assertEqual(whole, serial.from_json(Thing, data))
        self.assertEqual(data, json.loads(json.dumps(data)))

    def test_sets_are_written_in_order(self):
        """Equal values are equal files."""
        self.assertEqual(['a', 'b'], serial.to_json(THING)['marks'])

    def test_a_whole_number_will_do_for_another(self):
        data = {**serial.to_json(THING), 'size': 2}
        self.assertIsInstance(serial.from_json(Thing, data).size, float)

    def test_what_the_type_does_not_name_is_not_read(self):
        data = {**serial.to_json(THING), 'tomorrow': 'news'}
        self.assertEqual(THING, serial.from_json(Thing, data))

    def test_what_does_not_fit_the_type_is_refused(self):
        for key, value in (
            ('name', None),
            ('name', 1),
            ('size', '1'),
            ('size', True),
            ('count', True),
            ('count', 1.0),
            ('colour', 'blue'),
            ('parts', {}),
            ('parts', 'x'),
            ('parts', [1]),
            ('marks', 'ab'),
            ('notes', ['n']),
            ('notes', {'n': '1'}),
            ('notes', {'n': True}),
            ('maybe', 0),
        ):
            data = {**serial.to_json(THING), key: value}
            with self.subTest(key=key, value=value):
                self.assertRaises(
                    (TypeError, ValueError, AttributeError),
                    serial.from_json,
                    Thing,
                    data,
                )

    def test_a_missing_attribute_is_refused(self):
        data = serial.to_json(THING)
        del data['maybe']
        self.assertRaises(KeyError, serial.from_json, Thing, data)


class SnapshotFileTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        # oslotest takes it away again
        self.path = pathlib.Path(tempfile.mkdtemp(), 'cloud.json')

    def assertRefused(self, text: str) -> None:
        error = self.assertRaises(
            exceptions.InvalidSnapshot, serial.load_snapshot, str(self.path)
        )
        self.assertIn(text, str(error))
        self.assertIn(str(self.path), str(error))
        self.assertNotIn('\n', str(error))

    def document(self, **changes: object) -> dict[str, object]:
        serial.save_snapshot(testing.snapshot(), str(self.path))
        return {**json.loads(self.path.read_text()), **changes}

    def test_what_is_saved_is_loaded(self):
        port = testing.port(bindings={'compute-1': 'ACTIVE'})
        server = testing.server(
            ports=(port,),
            volumes=(testing.volume(),),
            allocations={'node': {'VCPU': 1}},
        )
        snapshot = testing.snapshot(
            [server],
            groups=[testing.group(members={server.id: None})],
            migrations=(testing.migration(),),
            candidates={'query': frozenset({'compute-2'})},
            gaps=(model.Gap(subject='s', reason='r', remedy='x'),),
        )
        serial.save_snapshot(snapshot, str(self.path))
        self.assertEqual(snapshot, serial.load_snapshot(str(self.path)))

    def test_the_same_is_written_the_same(self):
        serial.save_snapshot(testing.snapshot(), str(self.path))
        first = self.path.read_bytes()
        serial.save_snapshot(testing.snapshot(), str(self.path))
        self.assertEqual(first, self.path.read_bytes())
        self.assertEqual([self.path.name], os.listdir(self.path.parent))

    def test_a_file_that_cannot_be_written(self):
        path = str(self.path / 'no-such-folder')
        error = self.assertRaises(
            exceptions.InvalidInput,
            serial.save_snapshot,
            testing.snapshot(),
            path,
        )
        self.assertIn(f'Cannot write {path}: No such file', str(error))

    def test_a_file_that_is_not_there(self):
        self.assertRefused('No such file')

    def test_a_folder(self):
        self.path.mkdir()
        self.assertRefused('Cannot read the snapshot')

    def test_something_else(self):
        for text in ('', 'hello', '{"a": 1', '\ufeff{}', '"text"', '[]', '{}'):
            self.path.write_text(text)
            self.assertRefused('snapshot')

    def test_bytes_that_are_no_text(self):
        self.path.write_bytes(b'\xff\xfe{}')
        self.assertRefused('Cannot read the snapshot')

    def test_another_version(self):
        for version in (2, 0, '1', None):
            document = self.document(version=version)
            self.path.write_text(json.dumps(document))
            self.assertRefused(f'format version {version!r}')

    def test_one_of_an_older_release(self):
        """Keys that were added since are taken as empty."""
        document = self.document()
        del document['snapshot']['probes']
        self.path.write_text(json.dumps(document))
        loaded = serial.load_snapshot(str(self.path))
        self.assertEqual({}, loaded.probes)

    def test_a_damaged_one(self):
        for snapshot in (
            None,
            [],
            {},
            {**self.document()['snapshot'], 'servers': []},
            {**self.document()['snapshot'], 'roles': [None]},
        ):
            document = self.document(snapshot=snapshot)
            self.path.write_text(json.dumps(document))
            self.assertRefused('is damaged')
        document = self.document()
        del document['snapshot']
        self.path.write_text(json.dumps(document))
        self.assertRefused('is damaged')

    def test_one_that_is_nested_too_deep(self):
        self.path.write_text('[' * 100000)
        self.assertRefused('snapshot')
