# SPDX-License-Identifier: Apache-2.0
"""What is asked of Nova: exactly what, exactly once, and what it answers."""

from typing import Any
from unittest import mock

from keystoneauth1 import session as keystone_session
import requests
import requests_mock

from osc_migrate import exceptions
from osc_migrate.cloud import actions
from osc_migrate.cloud import connection
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Request
from tests.unit.cloud import recorded
from tests.unit.cloud.recorded import NOVA

SERVER = recorded.server('active')['id']
ACTION = f'{NOVA}/servers/{SERVER}/action'
MIGRATION = f'{NOVA}/servers/{SERVER}/migrations/7'
SERVICE = f'{NOVA}/os-services/5'
LIVE = {'host': 'compute-2', 'block_migration': 'auto'}


class ActionTest(recorded.RecordedTest):
    def setUp(self) -> None:
        super().setUp()
        patch = mock.patch.object(keystone_session.time, 'sleep')
        self.slept = patch.start()
        self.addCleanup(patch.stop)

    def ask(self, action: Action, destination: str | None = None) -> Answer:
        """Ask for something."""
        return actions.ask(
            self.link(),
            Request(
                action=action,
                server_id=SERVER,
                destination=destination,
                migration_id=7,
            ),
        )


class AskTest(ActionTest):
    def test_asks_for_what_is_meant(self) -> None:
        """Method, path, body and microversion; never force."""
        for action, destination, method, url, version, body in (
            (
                Action.LIVE_MIGRATE,
                'compute-2',
                'POST',
                ACTION,
                '2.68',
                {'os-migrateLive': LIVE},
            ),
            (
                Action.LIVE_MIGRATE,
                None,
                'POST',
                ACTION,
                '2.68',
                {'os-migrateLive': {**LIVE, 'host': None}},
            ),
            (
                Action.COLD_MIGRATE,
                'compute-2',
                'POST',
                ACTION,
                '2.56',
                {'migrate': {'host': 'compute-2'}},
            ),
            (
                Action.COLD_MIGRATE,
                None,
                'POST',
                ACTION,
                '2.56',
                {'migrate': {}},
            ),
            (
                Action.EVACUATE,
                'compute-2',
                'POST',
                ACTION,
                '2.95',
                {'evacuate': {'host': 'compute-2'}},
            ),
            (
                Action.CONFIRM,
                None,
                'POST',
                ACTION,
                '2.53',
                {'confirmResize': None},
            ),
            (Action.ABORT, None, 'DELETE', MIGRATION, '2.65', None),
            (
                Action.FORCE_COMPLETE,
                None,
                'POST',
                f'{MIGRATION}/action',
                '2.22',
                {'force_complete': None},
            ),
            (
                Action.RESET_STATE,
                None,
                'POST',
                ACTION,
                '2.53',
                {'os-resetState': {'state': 'active'}},
            ),
            (Action.PAUSE, None, 'POST', ACTION, '2.53', {'pause': None}),
        ):
            with self.subTest(f'{action} {destination}'):
                self.wire.register_uri(method, url, status_code=202, json={})
                answer = self.ask(action, destination)
                self.assertTrue(answer.is_accepted)
                request = self.asked()[-1]
                self.assertEqual((method, url), (request.method, request.url))
                self.assertEqual(body, request.json() if body else None)
                self.assertEqual(
                    version, request.headers['X-OpenStack-Nova-API-Version']
                )

    def test_covers_all_that_changes_something(self) -> None:
        """A look is no request of this kind."""
        self.assertEqual(set(Action) - {Action.LOOK}, set(actions._REQUESTS))

    def test_asks_an_older_nova_for_what_it_knows(self) -> None:
        """An evacuation at 2.90 is still one without force."""
        self.older()
        self.wire.post(ACTION, status_code=200, json={'adminPass': None})
        self.assertTrue(self.ask(Action.EVACUATE).is_accepted)
        (request,) = self.asked()
        self.assertEqual(
            'compute 2.90', request.headers['OpenStack-API-Version']
        )
        self.assertNotIn('force', request.text)


class AnswerTest(ActionTest):
    def test_a_yes_has_the_id_of_the_request(self) -> None:
        """As recorded from Nova."""
        self.answer('POST', ACTION, 'answer-accepted')
        expected = recorded.document('answer-accepted')['headers']
        self.assertEqual(
            Answer(
                status_code=202,
                message='',
                request_id=expected['x-openstack-request-id'],
            ),
            self.ask(Action.LIVE_MIGRATE, 'compute-2'),
        )

    def test_a_no_says_why(self) -> None:
        """In Nova's words, with code and id, and asked only once."""
        for name, action, status, words in (
            ('busy', Action.LIVE_MIGRATE, 409, 'task_state migrating'),
            ('stopped', Action.LIVE_MIGRATE, 409, 'vm_state stopped'),
            ('gone', Action.COLD_MIGRATE, 404, 'could not be found'),
            ('forbidden', Action.LIVE_MIGRATE, 403, "Policy doesn't allow"),
            ('no-such-host', Action.LIVE_MIGRATE, 400, 'Compute host none'),
            ('not-resized', Action.CONFIRM, 409, 'vm_state active'),
            ('no-migration', Action.ABORT, 409, 'invalid state'),
            ('ended', Action.ABORT, 409, 'invalid state'),
        ):
            with self.subTest(name):
                self.answer('POST', ACTION, f'answer-{name}')
                self.answer('DELETE', MIGRATION, f'answer-{name}')
                before = len(self.asked())
                answer = self.ask(action)
                self.assertEqual(status, answer.status_code)
                self.assertTrue(answer.is_refused)
                self.assertIn(words, answer.message)
                self.assertEqual(1, len(self.asked()) - before)
                headers = recorded.document(f'answer-{name}')['headers']
                self.assertEqual(
                    headers['x-openstack-request-id'], answer.request_id
                )

    def test_is_never_repeated(self) -> None:
        """Whatever happened to the answer: what it did is not known."""
        for failure, status in (
            ({'status_code': 500}, 500),
            ({'status_code': 502}, 502),
            ({'status_code': 503, 'headers': {'Retry-After': '1'}}, 503),
            ({'status_code': 504}, 504),
            ({'exc': requests.ConnectionError('reset')}, None),
            ({'exc': requests.exceptions.ReadTimeout('slow')}, None),
            ({'exc': requests.exceptions.ConnectTimeout('slow')}, None),
            ({'exc': requests.exceptions.ChunkedEncodingError('cut')}, None),
        ):
            for action in (
                Action.LIVE_MIGRATE,
                Action.COLD_MIGRATE,
                Action.EVACUATE,
                Action.CONFIRM,
                Action.FORCE_COMPLETE,
                Action.ABORT,
            ):
                with self.subTest(f'{action} {failure}'):
                    for method, url in (
                        ('POST', ACTION),
                        ('POST', f'{MIGRATION}/action'),
                        ('DELETE', MIGRATION),
                    ):
                        self.wire.register_uri(method, url, **failure)
                    before = len(self.asked())
                    answer = self.ask(action)
                    self.assertEqual(status, answer.status_code)
                    self.assertFalse(answer.is_accepted or answer.is_refused)
                    self.assertTrue(answer.message)
                    self.assertEqual(1, len(self.asked()) - before)
        self.slept.assert_not_called()

    def test_is_not_repeated_by_a_session_that_would(self) -> None:
        """Retries that the caller of the library wants are for reading."""
        session = self.session()
        session._connect_retries = 3
        self.wire.post(ACTION, exc=requests.ConnectionError('reset'))
        answer = actions.ask(
            connection.Connection(session),
            Request(action=Action.CONFIRM, server_id=SERVER),
        )
        self.assertIsNone(answer.status_code)
        self.assertEqual(1, len(self.asked()))

    def test_nova_out_of_reach_is_no_answer(self) -> None:
        """Already when its version is asked for."""
        self.wire.get(
            requests_mock.ANY, exc=requests.ConnectionError('no route')
        )
        answer = self.ask(Action.LIVE_MIGRATE)
        self.assertIsNone(answer.status_code)
        self.assertFalse(answer.is_accepted or answer.is_refused)


class ServiceTest(ActionTest):
    def put(self, name: str, **changes: Any) -> None:
        """Let the service answer as recorded."""
        self.answer('PUT', SERVICE, f'answer-{name}', **changes)

    def test_changes_a_service(self) -> None:
        """By its id, as a name would be any service of the host."""
        self.put('disabled')
        actions.disable(self.link(), '5', 'memory')
        actions.enable(self.link(), '5')
        actions.force_down(self.link(), '5')
        self.assertEqual(
            [
                {'status': 'disabled', 'disabled_reason': 'memory'},
                {'status': 'enabled'},
                {'forced_down': True},
            ],
            [request.json() for request in self.asked()],
        )

    def test_a_change_of_a_service_is_repeated(self) -> None:
        """To set a value twice is to set it once."""
        answer = recorded.document('answer-disabled')
        known = {'json': answer['body'], 'headers': recorded.JSON}
        broken = {'exc': requests.ConnectionError('reset by peer')}
        self.wire.put(SERVICE, [broken, {'status_code': 502}, known])
        actions.disable(self.link(), '5', 'memory')
        self.assertEqual(3, len(self.asked()))

    def test_raises_when_nova_refuses(self) -> None:
        """There is nothing to go on with then."""
        self.put('too-long')
        error = self.assertRaises(
            exceptions.CloudError, actions.disable, self.link(), '5', 'x' * 300
        )
        self.assertEqual(400, error.status_code)
        self.assertIn('disabled_reason', str(error))
        self.put('forbidden')
        self.assertRaises(
            exceptions.Forbidden, actions.enable, self.link(), '5'
        )
        self.put('enabled', status_code=503)
        self.assertRaises(
            exceptions.ServiceUnavailable, actions.force_down, self.link(), '5'
        )
