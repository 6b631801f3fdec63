# SPDX-License-Identifier: Apache-2.0
"""The way to the services: what is repeated, and what errors become."""

from typing import Any
from unittest import mock

from keystoneauth1 import session as keystone_session
import requests

from osc_migrate import exceptions
from osc_migrate.cloud import connection
from tests.unit.cloud import recorded
from tests.unit.cloud.recorded import NOVA
from tests.unit.cloud.recorded import PLACEMENT

URL = f'{NOVA}/servers/1'


class ConnectionTest(recorded.RecordedTest):
    def setUp(self) -> None:
        super().setUp()
        # keystoneauth waits between two tries
        patch = mock.patch.object(keystone_session.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def get(self, *answers: dict[str, Any]) -> Any:
        """GET a server, with these answers."""
        self.before = len(self.asked())
        self.wire.get(URL, list(answers))
        return self.link().get('compute', '/servers/1', microversion='2.53')

    def count(self) -> int:
        """Return how many requests the last GET took."""
        return len(self.asked()) - self.before


class GetTest(ConnectionTest):
    def test_is_repeated_when_a_server_fails(self) -> None:
        """Three times, for each of the errors that may pass."""
        for status in (500, 502, 503, 504):
            failed = {'status_code': status, 'headers': {'Retry-After': '1'}}
            answers = [failed, failed, failed, {'json': {'server': 1}}]
            self.assertEqual({'server': 1}, self.get(*answers))
            self.assertEqual(4, self.count())

    def test_is_repeated_when_the_connection_breaks(self) -> None:
        """Three times as well."""
        broken = {'exc': requests.ConnectionError('reset by peer')}
        answers = [broken, broken, broken, {'json': {'server': 1}}]
        self.assertEqual({'server': 1}, self.get(*answers))
        self.assertEqual(4, self.count())

    def test_gives_up_in_the_end(self) -> None:
        """The caller learns that Nova is out of reach."""
        for failure, status in (
            ({'status_code': 503}, 503),
            ({'exc': requests.ConnectionError('reset')}, None),
            ({'exc': requests.exceptions.ReadTimeout('slow')}, None),
            ({'exc': requests.exceptions.ConnectTimeout('slow')}, None),
        ):
            error = self.assertRaises(
                exceptions.ServiceUnavailable, self.get, failure
            )
            self.assertEqual(status, error.status_code)
            self.assertEqual(4, self.count())

    def test_is_not_repeated_when_the_answer_is_cut(self) -> None:
        """But the caller may ask again."""
        for failure in (
            requests.exceptions.ChunkedEncodingError('cut'),
            requests.exceptions.SSLError('expired'),
        ):
            self.assertRaises(
                exceptions.ServiceUnavailable, self.get, {'exc': failure}
            )
            self.assertEqual(1, self.count())

    def test_is_not_repeated_when_nova_says_no(self) -> None:
        """A no is an answer; who may not is told so by its kind."""
        for status, kind in (
            (400, exceptions.CloudError),
            (403, exceptions.Forbidden),
            (404, exceptions.CloudError),
            (406, exceptions.CloudError),
            (409, exceptions.CloudError),
        ):
            error = self.assertRaises(
                kind, self.get, {'status_code': status, 'json': {}}
            )
            self.assertIs(kind, type(error))
            self.assertEqual(status, error.status_code)
            self.assertEqual(1, self.count())

    def test_an_error_says_what_nova_said(self) -> None:
        """In one sentence, with the request and its id."""
        self.answer('GET', URL, 'server-gone')
        error = self.assertRaises(
            exceptions.CloudError, self.link().get, 'compute', '/servers/1?a=b'
        )
        self.assertIn('GET /servers/1 (compute) was answered 404', str(error))
        self.assertIn('could not be found', str(error))
        self.assertEqual(
            recorded.document('server-gone')['headers'][
                'x-openstack-request-id'
            ],
            error.request_id,
        )

    def test_an_error_of_each_service_is_understood(self) -> None:
        """Each has a form of its own; a page of a proxy has none."""
        for json, text in (
            (
                {'itemNotFound': {'code': 404, 'message': 'No such\n it.'}},
                'No such it.',
            ),
            (
                {'NeutronError': {'type': 'X', 'message': 'No port.'}},
                'No port.',
            ),
            (recorded.body('placement-forbidden'), 'Access was denied'),
            (recorded.body('answer-no-such-host'), 'Compute host none'),
            ({'errors': []}, 'HTTP 400'),
            (['odd'], 'HTTP 400'),
            ({'error': 'odd'}, 'odd'),
        ):
            error = self.assertRaises(
                exceptions.CloudError,
                self.get,
                {'status_code': 400, 'json': json, 'headers': recorded.JSON},
            )
            self.assertIn(text, str(error))

    def test_an_answer_that_is_no_json(self) -> None:
        """Was cut, or comes from a proxy: as if there were none."""
        for text in ('{"server": {', '<html>', ''):
            error = self.assertRaises(
                exceptions.ServiceUnavailable, self.get, {'text': text}
            )
            self.assertIsNone(error.status_code)

    def test_a_token_that_expired_is_renewed(self) -> None:
        """Without the caller's knowledge."""
        answers = [{'status_code': 401}, {'json': {'server': 1}}]
        self.assertEqual({'server': 1}, self.get(*answers))

    def test_a_service_that_is_not_there(self) -> None:
        """Is told as such, for no patience will bring it."""
        error = self.assertRaises(
            exceptions.NoEndpoint,
            self.link().get,
            'shared-file-system',
            '/shares',
        )
        self.assertIn('is not possible', str(error))
        self.assertTrue(self.link().has('placement'))
        self.assertFalse(self.link().has('shared-file-system'))


class EndpointTest(ConnectionTest):
    def test_an_address_of_the_caller_s_is_used(self) -> None:
        """For all that is asked of that service, and of no other."""
        other = 'http://balancer.test/compute'
        self.wire.get(other, json=recorded.body('door-compute'))
        self.wire.get(f'{other}/servers/1', json={'server': 1})
        self.wire.post(f'{other}/servers/1/action', status_code=202)
        self.wire.get(f'{PLACEMENT}/traits', json={'traits': []})
        link = connection.Connection(
            self.session(), endpoints={'compute': other}
        )
        link.get('compute', '/servers/1', microversion='2.53')
        link.compute_actions((2, 53)).servers.pause('1')
        link.get('placement', '/traits', microversion='1.39')
        self.assertTrue(link.has('compute'))
        self.assertEqual([], self.asked(NOVA))
        self.assertEqual(3, len(self.asked(other)))


class MicroversionTest(ConnectionTest):
    def test_is_the_wanted_one_or_the_newest(self) -> None:
        """What Nova does not speak is not asked for."""
        link = self.link()
        self.assertEqual((2, 104), link.compute_max)
        self.assertEqual('2.100', link.microversion((2, 100)))
        self.assertEqual('2.104', link.microversion((2, 200)))
        self.older()
        link = self.link()
        self.assertEqual((2, 90), link.compute_max)
        self.assertEqual('2.90', link.microversion((2, 100)))
        self.assertEqual('2.53', link.microversion((2, 53)))

    def test_is_sent_with_the_request(self) -> None:
        """As Nova wants it."""
        self.get({'json': {}})
        (request,) = self.asked()
        self.assertEqual(
            'compute 2.53', request.headers['OpenStack-API-Version']
        )

    def test_novaclient_has_a_newest_too(self) -> None:
        """It knows up to 2.96; the client of a version is made once."""
        link = self.link()
        client = link.compute((2, 100))
        self.assertEqual('2.96', client.api_version.get_string())
        self.assertIs(client, link.compute((2, 99)))
        self.assertIsNot(client, link.compute_actions((2, 100)))
        self.older()
        client = self.link().compute((2, 95))
        self.assertEqual('2.90', client.api_version.get_string())

    def test_an_old_nova_is_refused(self) -> None:
        """Before 2.53 services have no uuid."""
        for newest, is_refused in (
            ('2.52', True),
            ('2.53', False),
            ('', True),
        ):
            door = recorded.body('door-compute')
            door['version']['version'] = newest
            self.wire.get(f'{NOVA}/', json=door)
            link = self.link()
            if is_refused:
                self.assertRaises(
                    exceptions.CloudError, getattr, link, 'compute_max'
                )
            else:
                self.assertEqual((2, 53), link.compute_max)


class CallerTest(ConnectionTest):
    def test_is_who_the_token_is(self) -> None:
        """Its user and the roles."""
        user_id, roles = self.link().caller()
        self.assertEqual(
            recorded.body('token')['token']['user']['id'], user_id
        )
        self.assertEqual({'admin', 'manager', 'member', 'reader'}, roles)

    def test_is_unknown_without_a_token_of_keystone(self) -> None:
        """A way to log in need not tell."""
        session = keystone_session.Session()
        self.assertEqual(
            (None, frozenset()), connection.Connection(session).caller()
        )
