# SPDX-License-Identifier: Apache-2.0
"""What the guides of the documentation show is what happens.

``DOC_UPDATE=1`` writes the examples anew, see :mod:`tests.examples`.
"""

import json
import pathlib
import tempfile

from tests import schemas
from tests.functional import guides


class DocumentationTest(guides.GuideTest):
    """The guide that everybody reads first, and what programs read."""

    def test_first_drain(self) -> None:
        """From a preflight to an empty host and back."""
        self.play('first-drain.console')

    def test_formats(self) -> None:
        """Everything that is written as JSON is as its schema says."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        report, snapshot, log = (
            pathlib.Path(folder.name, name)
            for name in ('report.json', 'snapshot.json', 'log.jsonl')
        )
        listed = self.openstack(
            'server migration preflight --host compute-1 --long -f json '
            f'--report {report} --save-snapshot {snapshot}'
        )
        schemas.check('preflight', json.loads(listed.stdout), part='long')
        schemas.check('report', json.loads(report.read_text()))
        schemas.check('snapshot', json.loads(snapshot.read_text()))
        drained = self.openstack(
            'compute drain compute-1 --no-disable --server web-1 -f json '
            f'--log {log}'
        )
        self.assertEqual(0, drained.code, drained.stderr)
        moved = json.loads(drained.stdout)
        schemas.check('moves', moved)
        self.assertEqual(['web-1'], [row['Name'] for row in moved])
        past = self.openstack(
            'server migration watch --past web-1 -f json'
        ).stdout
        lines = [*log.read_text().splitlines(), *past.splitlines()]
        events = [json.loads(line) for line in lines]
        kinds = {event['event'] for event in events}
        self.assertLessEqual({'change', 'end', 'summary'}, kinds, lines)
        for event in events:
            schemas.check('event', event)
