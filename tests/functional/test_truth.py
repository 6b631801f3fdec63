# SPDX-License-Identifier: Apache-2.0
"""Preflight is compared with Nova: what it says, and what Nova really does.

All servers are made at once and Nova is asked for all moves of one way
together, so that the whole comparison takes minutes. ``TRUTH_TABLE`` names a
file for the table that is printed at the end.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import sys
import time
from typing import Any

import yaml

import osc_migrate
from osc_migrate import model
from osc_migrate import verdict
from tests.functional import migrating
from tests.functional.truth import conditions

# a cold migration that has ended well waits for its confirmation
_WELL = ('completed', 'finished', 'confirmed')
_OVER = (*migrating.OVER, *_WELL)
_ENABLED = ('compute-9', 'compute-10', 'compute-11')
_VOLUMES = {'broken': 'error', 'saved': 'backing-up'}
# Where we are stricter than Nova about a cold migration: on another
# architecture the guest could not run, though Nova does not look.
_STRICTER = {'cpu-architecture'}
_QUIET = 4.0  # seconds without a record of a migration: there will be none


@dataclasses.dataclass(slots=True, kw_only=True)
class Comparison:
    """What preflight says of one move, and what Nova makes of it."""

    condition: conditions.Condition
    way: str
    verdict: verdict.Verdict
    reasons: tuple[str, ...]
    code: int = 0
    request_id: str = ''
    message: str = ''
    status: str = ''
    has_moved: bool = False

    @property
    def name(self) -> str:
        """Return the server's name."""
        return self.condition.name_of(self.way)

    @property
    def is_expected(self) -> bool:
        """Whether preflight decides as the table of conditions says."""
        check = self.condition.expected(self.way)
        word = verdict.Verdict.BLOCKED
        if check.startswith('?'):
            word = verdict.Verdict.UNKNOWN
        if check in ('', '-'):
            is_blocked = self.verdict is verdict.Verdict.BLOCKED
            is_known = self.verdict is not verdict.Verdict.UNKNOWN
            return is_known and is_blocked is (check == '-')
        return self.verdict is word and check.lstrip('?') in self.reasons

    @property
    def agrees(self) -> bool:
        """Whether Nova did what preflight said."""
        if self.verdict is verdict.Verdict.UNKNOWN:
            return True
        if self.way == 'cold' and _STRICTER.intersection(self.reasons):
            return True
        can = self.verdict is not verdict.Verdict.BLOCKED
        return can is self.has_moved

    def row(self) -> str:
        """Write the comparison as a row of the table."""
        said = f'{self.verdict} {", ".join(self.reasons)}'.strip()
        done = 'moved' if self.has_moved else 'not moved'
        can = self.verdict is not verdict.Verdict.BLOCKED
        agreement = 'agrees' if self.agrees else 'DISAGREES'
        if self.agrees and self.verdict is verdict.Verdict.UNKNOWN:
            agreement = 'either'
        elif self.agrees and can is not self.has_moved:
            agreement = 'stricter'
        return (
            f'{self.condition.name:<24} {self.way:<5} {said:<44} '
            f'{self.code} {self.status:<10} {done:<10} {agreement:<10} '
            f'{self.message[:110]}'.rstrip()
        )


class TruthTest(migrating.MigratingTest):
    """What preflight says is what Nova does."""

    def test_truth(self) -> None:
        """Neither a promise nor a prohibition is Nova's to break."""
        self._prepare_hosts()
        self.scenario(yaml.safe_dump(conditions.scenario(), sort_keys=False))
        self._prepare_servers()
        compared: list[Comparison] = []
        try:
            for way in conditions.WAYS:
                found = self._preflight(way)
                compared += found
                self._ask(found)
        finally:
            _show(compared)
        self.assertGreaterEqual(len(conditions.ALL), 30)
        for each in compared:
            with self.subTest(condition=each.condition.name, way=each.way):
                self.assertTrue(each.is_expected, each.row())
                self.assertTrue(each.agrees, each.row())

    # what the conditions need

    def _prepare_hosts(self) -> None:
        for host in _ENABLED:
            self._set_service(host, {'status': 'enabled'})

        def disabled() -> bool:
            path = '/resource_providers?required=COMPUTE_STATUS_DISABLED'
            found = self.placement('GET', path).json()['resource_providers']
            return bool(found)

        self.wait_for(lambda: not disabled(), 30, 'hosts stay disabled')

    def _set_service(self, host: str, body: dict[str, Any]) -> None:
        path = f'/os-services?binary=nova-compute&host={host}'
        (service,) = self.nova('GET', path).json()['services']
        answer = self.nova('PUT', f'/os-services/{service["id"]}', body)
        self.assertEqual(200, answer.status_code, answer.text)

    def _prepare_servers(self) -> None:
        """Bring hosts, volumes and servers to what they are to be."""
        self._set_service('compute-3', {'status': 'disabled'})
        self._set_service('compute-4', {'forced_down': True})
        volumes = self.storage('GET', '/volumes').json()['volumes']
        for volume in volumes:
            if volume['name'] in _VOLUMES:
                self._set_volume(volume['id'], _VOLUMES[volume['name']])
                self.addCleanup(self._set_volume, volume['id'], 'in-use')
        for way in conditions.WAYS:
            server = self.identity(f'unallocated-{way}')
            self.placement('DELETE', f'/allocations/{server}')
        self.migrate_live('busy', 'compute-2')

    def _set_volume(self, volume: str, status: str) -> None:
        body = {'os-reset_status': {'status': status}}
        answer = self.storage('POST', f'/volumes/{volume}/action', body)
        self.assertEqual(202, answer.status_code, answer.text)

    def storage(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Cinder as the administrator."""
        return self._send('block-storage', method, path, body, '3.70')

    # what preflight says, and what Nova does

    def _preflight(self, way: str) -> list[Comparison]:
        names = {self.identity(c.name_of(way)): c for c in conditions.ALL}
        snapshot = osc_migrate.Cloud(self.session).snapshot(
            servers=list(names)
        )
        reports: dict[tuple[str, str], verdict.ServerReport] = {}
        for to in sorted({c.to for c in conditions.ALL}):
            report = osc_migrate.preflight(snapshot, method=way, to=[to])
            for entry in report.servers:
                reports[to, entry.server.id] = entry
        return [
            Comparison(
                condition=condition,
                way=way,
                verdict=reports[condition.to, server].verdict,
                reasons=reports[condition.to, server].reasons,
            )
            for server, condition in names.items()
        ]

    def _ask(self, compared: list[Comparison]) -> None:
        """Ask Nova for all of them at once and see how they end."""
        known = {m['id'] for m in self._all_migrations()}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self._start, compared))
        asked = {self.identity(c.name): c for c in compared if c.code == 202}
        self._wait_for_all(set(asked), known)
        time.sleep(1)  # a server's ERROR comes a moment later
        servers = {server['id']: server for server in self._all_servers()}
        records = {
            m['instance_uuid']: m
            for m in self._all_migrations()
            if m['id'] not in known
        }
        for server, each in asked.items():
            found = servers[server]
            each.status = records.get(server, {}).get('status', 'no record')
            each.has_moved = (
                each.status in _WELL
                and found['OS-EXT-SRV-ATTR:host'] == each.condition.to
                and found['status'] != 'ERROR'
            )
            each.message = self._message(server, each.request_id)

    def _start(self, each: Comparison) -> None:
        value: dict[str, Any] = {'host': each.condition.to}
        action = 'migrate'
        if each.way == model.MigrationType.LIVE:
            action = 'os-migrateLive'
            value['block_migration'] = 'auto'
        path = f'/servers/{self.identity(each.name)}/action'
        answer = self.nova('POST', path, {action: value})
        each.code = answer.status_code
        each.request_id = answer.headers['x-openstack-request-id']
        if answer.status_code != 202:
            (body,) = answer.json().values()
            each.message = body['message']

    def _all_servers(self) -> list[dict[str, Any]]:
        path = '/servers/detail?all_tenants=1'
        return list(self.nova('GET', path).json()['servers'])

    def _all_migrations(self) -> list[dict[str, Any]]:
        """Return all records, the oldest first."""
        found = self.nova('GET', '/os-migrations').json()['migrations']
        return sorted(found, key=lambda record: record['id'])

    def _wait_for_all(self, asked: set[str], known: set[int]) -> None:
        asked_at = time.monotonic()

        def is_over() -> bool:
            over = {
                record['instance_uuid']: record['status'] in _OVER
                for record in self._all_migrations()
                if record['id'] not in known
            }
            is_quiet = time.monotonic() - asked_at > _QUIET
            return all(
                over.get(server['id'], is_quiet)
                and server['OS-EXT-STS:task_state'] is None
                for server in self._all_servers()
                if server['id'] in asked
            )

        self.wait_for(is_over, 180, 'migrations do not end')

    def _message(self, server: str, request_id: str) -> str:
        """Return why an action failed, as Nova's record of it says."""
        path = f'/servers/{server}/os-instance-actions/{request_id}'
        action = self.nova('GET', path).json()['instanceAction']
        failed = [
            event['details']
            for event in sorted(
                action['events'], key=lambda event: event['start_time']
            )
            if event['result'] == 'Error' and event['details']
        ]
        return ' <- '.join(failed) or action['message'] or ''


def _show(compared: list[Comparison]) -> None:
    table = '\n'.join(each.row() for each in compared)
    print(f'\n{table}', file=sys.stderr)
    path = os.environ.get('TRUTH_TABLE')
    if path:
        pathlib.Path(path).write_text(f'{table}\n', encoding='utf-8')
