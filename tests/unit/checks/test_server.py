# SPDX-License-Identifier: Apache-2.0
"""Checks of the server's state, and of what is being done to it."""

import dataclasses

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import server as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE

PAUSED = testing.server(status='PAUSED', vm_state='paused', power_state=3)
STOPPED = testing.server(status='SHUTOFF', vm_state='stopped', power_state=4)
BROKEN = testing.server(status='ERROR', vm_state='error', fault='boom')


class StateTest(base.CheckTest):
    def test_what_nova_takes_is_silent(self):
        self.assertSilent(subject.state)
        self.assertSilent(subject.state, PAUSED, way=LIVE)
        self.assertSilent(subject.state, STOPPED, way=COLD)
        self.assertSilent(subject.state, STOPPED, way=EVACUATE)

    def test_what_nova_refuses_is_an_error_with_the_way_out(self):
        """The other ways of a paused or stopped server are refused."""
        draft = self.assertFinds(
            Severity.ERROR,
            'is PAUSED, which Nova does not cold-migrate',
            subject.state,
            PAUSED,
            way=COLD,
        )
        self.assertEqual('openstack server unpause {server}', draft.remedy)
        self.assertEqual(
            {'status': 'PAUSED', 'vm_state': 'paused'}, draft.evidence
        )
        self.assertFinds(
            Severity.ERROR, 'live-migrate', subject.state, STOPPED
        )

    def test_every_state_that_cannot_move(self):
        for vm_state, remedy in (
            ('suspended', 'resume'),
            ('rescued', 'unrescue'),
            ('shelved', 'shelve --offload'),
            ('soft-delete', 'restore'),
            ('deleted', ''),
        ):
            server = testing.server(status='X', vm_state=vm_state)
            for way in (LIVE, COLD, EVACUATE):
                draft = self.assertFinds(
                    Severity.ERROR, 'is X', subject.state, server, way=way
                )
                self.assertIn(remedy, draft.remedy)

    def test_nobody_resumes_a_server_on_a_dead_host(self):
        """Only one that is called broken can be evacuated."""
        suspended = testing.server(status='SUSPENDED', vm_state='suspended')
        for way, remedy in (
            (LIVE, ''),
            (EVACUATE, 'openstack server set --state error {server}'),
        ):
            draft = self.assertFinds(
                Severity.ERROR,
                'is SUSPENDED',
                subject.state,
                suspended,
                way=way,
                source=testing.host('compute-1', state='down'),
            )
            self.assertEqual(remedy, draft.remedy)

    def test_an_offloaded_server_is_nowhere(self):
        server = testing.server(
            vm_state='shelved_offloaded', host=None, host_status=None
        )
        self.assertFinds(
            Severity.ERROR, 'is on no host', subject.state, server
        )
        self.assertSilent(subject.source_down, server)

    def test_a_server_that_never_ran_is_refused(self):
        server = testing.server(launched_at=None)
        self.assertFinds(
            Severity.ERROR, 'never been launched', subject.state, server
        )

    def test_a_state_that_nobody_tells_is_unknown(self):
        server = testing.server(status='UNKNOWN', vm_state=None)
        self.assertFinds(
            Severity.UNKNOWN, 'cell does not answer', subject.state, server
        )

    def test_what_other_checks_say_is_left_to_them(self):
        for vm_state in ('building', 'error', 'resized'):
            self.assertSilent(subject.state, testing.server(vm_state=vm_state))


class ErrorTest(base.CheckTest):
    def test_a_healthy_server_is_silent(self):
        self.assertSilent(subject.broken)

    def test_a_dead_guest_needs_somebody_to_look(self):
        broken = dataclasses.replace(BROKEN, power_state=4)
        draft = self.assertFinds(
            Severity.ERROR, 'is in ERROR: boom', subject.broken, broken
        )
        self.assertEqual('openstack server show {server}', draft.remedy)

    def test_a_guest_that_runs_is_said_to_run(self):
        server = dataclasses.replace(BROKEN, fault=None)
        draft = self.assertFinds(
            Severity.ERROR, 'ERROR, but its guest runs', subject.broken, server
        )
        self.assertIn('--state active', draft.remedy)

    def test_a_failed_live_migration_is_named(self):
        """The newest record failed and left the guest where it was."""
        failed = testing.migration(7, status='error')
        draft = self.assertFinds(
            Severity.ERROR,
            f'since the live-migration {failed.uuid} to compute-2 ended '
            '(error), but its guest runs on compute-1',
            subject.broken,
            BROKEN,
            migrations=(testing.migration(6, status='completed'), failed),
        )
        self.assertEqual(
            'openstack server set --state active {server}', draft.remedy
        )

    def test_only_the_newest_record_explains_it(self):
        for newest in (
            testing.migration(8, status='completed'),
            testing.migration(8, status='error', source_compute='elsewhere'),
            None,
        ):
            records = (testing.migration(7, status='error'), newest)
            draft = self.assertFinds(
                Severity.ERROR,
                'but its guest runs',
                subject.broken,
                BROKEN,
                migrations=records if newest else (),
            )
            self.assertNotIn('migration', draft.evidence)

    def test_records_that_nobody_tells_explain_nothing(self):
        self.assertFinds(
            Severity.ERROR,
            'boom, but its guest runs',
            subject.broken,
            BROKEN,
            migrations=None,
        )

    def test_an_evacuation_takes_it(self):
        self.assertSilent(subject.broken, BROKEN, way=EVACUATE)


class ResizeTest(base.CheckTest):
    def test_an_unconfirmed_resize_is_in_the_way(self):
        server = testing.server(status='VERIFY_RESIZE', vm_state='resized')
        draft = self.assertFinds(
            Severity.ERROR, 'confirmation', subject.resized, server
        )
        self.assertIn('migration confirm', draft.remedy)

    def test_any_other_server_is_silent(self):
        self.assertSilent(subject.resized)


class TaskTest(base.CheckTest):
    def test_an_idle_server_is_silent(self):
        self.assertSilent(subject.task)

    def test_a_busy_server_must_be_waited_for(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'is busy: rebooting',
            subject.task,
            testing.server(task_state='rebooting'),
        )
        self.assertTrue(draft.is_transient)

    def test_a_server_in_the_making_is_busy(self):
        server = testing.server(status='BUILD', vm_state='building')
        self.assertFinds(
            Severity.ERROR, 'is busy: building', subject.task, server
        )

    def test_an_evacuation_does_not_ask(self):
        server = testing.server(task_state='migrating')
        self.assertSilent(subject.task, server, way=EVACUATE)


class MigrationTest(base.CheckTest):
    def test_a_record_that_nobody_touches_is_an_orphan(self):
        """Nova saves a migration that runs every few seconds."""
        orphan = testing.migration(5, updated_at='2025-12-31T23:00:00.000000')
        draft = self.assertFinds(
            Severity.WARNING,
            'is still running since',
            subject.migration,
            migrations=(orphan,),
        )
        self.assertIn(orphan.uuid, draft.remedy)

    def test_a_record_of_just_now_passes_by(self):
        for record in (
            testing.migration(5),
            testing.migration(
                5,
                status='accepted',
                created_at='2025-12-31T23:59:00+00:00',
                updated_at=None,
            ),
        ):
            draft = self.assertFinds(
                Severity.ERROR,
                'begins or ends just now',
                subject.migration,
                migrations=(record,),
            )
            self.assertTrue(draft.is_transient)

    def test_ten_minutes_make_an_orphan(self):
        for updated_at, severity in (
            ('2025-12-31T23:50:00.000000', Severity.ERROR),
            ('2025-12-31T23:49:59.000000', Severity.WARNING),
        ):
            record = testing.migration(5, updated_at=updated_at)
            self.assertFinds(
                severity, 'running', subject.migration, migrations=(record,)
            )

    def test_what_has_ended_or_is_of_another_is_silent(self):
        for record in (
            testing.migration(5, status='completed'),
            testing.migration(5, status='finished'),
            testing.migration(5, server_id='another'),
        ):
            self.assertSilent(subject.migration, migrations=(record,))

    def test_a_busy_server_is_spoken_of_elsewhere(self):
        records = (testing.migration(5),)
        self.assertSilent(
            subject.migration,
            testing.server(task_state='migrating'),
            migrations=records,
        )
        self.assertSilent(subject.migration, way=EVACUATE, migrations=records)

    def test_records_that_nobody_tells_are_no_trouble(self):
        self.assertSilent(subject.migration, migrations=None)


class PowerTest(base.CheckTest):
    def test_a_guest_that_runs_or_is_paused_is_silent(self):
        self.assertSilent(subject.power)
        self.assertSilent(subject.power, PAUSED)

    def test_a_guest_that_is_off_does_not_move_live(self):
        server = testing.server(power_state=4)
        draft = self.assertFinds(
            Severity.ERROR, 'guest does not run', subject.power, server
        )
        self.assertEqual({'power_state': 4}, draft.evidence)

    def test_it_moves_cold(self):
        server = testing.server(power_state=4)
        self.assertSilent(subject.power, server, way=COLD)
        self.assertSilent(subject.power, STOPPED)

    def test_a_power_that_nobody_tells_is_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'whether its guest runs',
            subject.power,
            testing.server(power_state=None),
        )


class DowntimeTest(base.CheckTest):
    def test_a_live_migration_keeps_it_running(self):
        self.assertSilent(subject.downtime)

    def test_other_ways_stop_a_running_guest(self):
        self.assertFinds(
            Severity.WARNING, 'powered off', subject.downtime, way=COLD
        )
        self.assertFinds(
            Severity.WARNING, 'stopped on its', subject.downtime, way=EVACUATE
        )

    def test_a_stopped_server_loses_nothing(self):
        self.assertSilent(subject.downtime, STOPPED, way=COLD)


class SourceDownTest(base.CheckTest):
    DOWN = testing.host('compute-1', state='down')

    def test_a_living_source_lets_it_go(self):
        self.assertSilent(subject.source_down)
        self.assertSilent(subject.source_down, way=COLD)

    def test_a_dead_source_only_lets_it_be_evacuated(self):
        for way in (LIVE, COLD):
            draft = self.assertFinds(
                Severity.ERROR,
                'service of compute-1 is down',
                subject.source_down,
                way=way,
                source=self.DOWN,
            )
            self.assertIn('--evacuate --fenced', draft.remedy)
        self.assertSilent(subject.source_down, way=EVACUATE, source=self.DOWN)

    def test_a_source_that_was_forced_down_is_dead(self):
        forced = testing.host('compute-1', forced_down=True)
        self.assertFinds(
            Severity.ERROR, 'is down', subject.source_down, source=forced
        )

    def test_nothing_is_evacuated_from_a_living_source(self):
        self.assertFinds(
            Severity.ERROR,
            'service of compute-1 is up',
            subject.source_down,
            way=EVACUATE,
        )

    def test_the_server_may_tell_of_a_host_that_is_not_shown(self):
        for host_status, finds in (
            ('DOWN', [Severity.ERROR]),
            ('UP', []),
            ('MAINTENANCE', []),
            ('UNKNOWN', [Severity.UNKNOWN]),
            (None, [Severity.UNKNOWN]),
        ):
            server = testing.server(host='hidden', host_status=host_status)
            drafts = self.found(subject.source_down, server)
            self.assertEqual(finds, [draft.severity for draft in drafts])
        for host, name in (('hidden', 'hidden'), (None, 'its host')):
            self.assertFinds(
                Severity.ERROR,
                f'the compute service of {name} is down',
                subject.source_down,
                testing.server(host=host, host_status='DOWN'),
            )
