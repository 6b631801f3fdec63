# SPDX-License-Identifier: Apache-2.0
"""Reads side by side: what becomes of a token that ends in their midst."""

from typing import Any

from osc_migrate import exceptions
from osc_migrate.cloud import connection
from osc_migrate.cloud import reading
from tests.unit.cloud import recorded
from tests.unit.cloud.recorded import NOVA

# keystoneauth renews a token once, unless another thread is about to
ENDED = {'status_code': 401}


class TokenTest(recorded.RecordedTest):
    def read(self, *answers: dict[str, Any]) -> Any:
        """Read a server as one of several reads."""

        def get(link: connection.Connection) -> Any:
            return link.get('compute', '/servers/1', microversion='2.53')

        self.wire.get(f'{NOVA}/servers/1', list(answers))
        with reading.begin(self.link()) as reader:
            return reader.start(get)()

    def test_is_renewed_for_all(self) -> None:
        """Also for those that find it over while another renews it."""
        known = {'json': {'server': 1}}
        self.assertEqual({'server': 1}, self.read(ENDED, ENDED, known))

    def test_is_not_renewed_for_ever(self) -> None:
        """Who may no longer log in is told so."""
        error = self.assertRaises(exceptions.CloudError, self.read, ENDED)
        self.assertEqual(401, error.status_code)
        self.assertEqual(4, len(self.asked()))
