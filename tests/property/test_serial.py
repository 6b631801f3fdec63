# SPDX-License-Identifier: Apache-2.0
"""Any snapshot is saved and loaded; a damaged file is refused."""

import json
import pathlib
import tempfile
from typing import Any

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import serial
from tests.property import strategies

SNAPSHOTS = strategies.values(model.Snapshot)
LARGE = hypothesis.settings(
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.data_too_large,
    ],
)


def nodes(data: Any) -> list[tuple[Any, Any]]:
    """Return every place of a JSON value, as container and key."""
    found = []
    pairs: Any = ()
    if isinstance(data, dict):
        pairs = data.items()
    elif isinstance(data, list):
        pairs = enumerate(data)
    for key, inner in pairs:
        found += [(data, key), *nodes(inner)]
    return found


class SnapshotFileTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        # oslotest takes it away again
        self.path = pathlib.Path(tempfile.mkdtemp(), 'cloud.json')

    def load_or_refuse(self) -> None:
        """Load the file, or have it refused in one sentence."""
        try:
            loaded = serial.load_snapshot(str(self.path))
        except exceptions.InvalidSnapshot as error:
            self.assertNotIn('\n', str(error))
        else:
            self.assertIsInstance(loaded, model.Snapshot)

    @LARGE
    @hypothesis.given(snapshot=SNAPSHOTS)
    def test_what_is_saved_is_loaded(self, snapshot):
        serial.save_snapshot(snapshot, str(self.path))
        self.assertEqual(snapshot, serial.load_snapshot(str(self.path)))

    @LARGE
    @hypothesis.given(snapshot=strategies.clouds())
    def test_a_cloud_that_makes_sense_is_loaded(self, snapshot):
        serial.save_snapshot(snapshot, str(self.path))
        self.assertEqual(snapshot, serial.load_snapshot(str(self.path)))

    @LARGE
    @hypothesis.given(
        snapshot=SNAPSHOTS, data=st.data(), instead=strategies.JSON
    )
    def test_a_value_of_another_kind_is_refused(self, snapshot, data, instead):
        serial.save_snapshot(snapshot, str(self.path))
        document = json.loads(self.path.read_text())
        container, key = data.draw(st.sampled_from(nodes(document)))
        if data.draw(st.booleans()):
            container[key] = instead
        else:
            del container[key]
        self.path.write_text(json.dumps(document))
        self.load_or_refuse()

    @LARGE
    @hypothesis.given(snapshot=strategies.clouds(), data=st.data())
    def test_bytes_that_are_lost_or_changed_are_refused(self, snapshot, data):
        serial.save_snapshot(snapshot, str(self.path))
        content = self.path.read_bytes()
        start = data.draw(st.integers(0, len(content)))
        lost = data.draw(st.integers(0, 10) | st.just(len(content)))
        new = data.draw(st.binary(max_size=4))
        self.path.write_bytes(content[:start] + new + content[start + lost :])
        self.load_or_refuse()

    @LARGE
    @hypothesis.given(content=st.binary())
    def test_any_other_file_is_refused(self, content):
        self.path.write_bytes(content)
        self.load_or_refuse()

    @LARGE
    @hypothesis.given(data=strategies.JSON)
    def test_any_other_json_is_refused(self, data):
        self.path.write_text(json.dumps(data))
        self.assertRaises(
            exceptions.InvalidSnapshot, serial.load_snapshot, str(self.path)
        )
