# SPDX-License-Identifier: Apache-2.0
"""Checks of vTPM, encrypted memory, firmware and images."""

from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import security as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE

OWNER = testing.identifier('user')
MANAGER = frozenset({'manager', 'member'})


def tpm(security: str | None = None):
    """Return a server with a vTPM; Nova's default keeper is the user."""
    specs = {'hw:tpm_version': '2.0'}
    if security:
        specs['hw:tpm_secret_security'] = security
    return testing.server(flavor=testing.flavor(extra_specs=specs))


class VtpmTest(base.CheckTest):
    def test_a_server_without_one_is_silent(self):
        for way in (LIVE, COLD, EVACUATE):
            self.assertSilent(subject.vtpm, way=way)
        hidden = testing.server(
            flavor=testing.flavor(extra_specs=None), image_properties=None
        )
        self.assertSilent(subject.vtpm, hidden)

    def test_live_only_the_host_may_keep_the_secret(self):
        """``deployment`` is documented to move live, but refused."""
        for security in (None, 'user', 'deployment'):
            draft = self.assertFinds(
                Severity.ERROR,
                f'kept by the {security or "user"}; only one kept by the '
                'host moves live',
                subject.vtpm,
                tpm(security),
            )
            self.assertIn('server migrate', draft.remedy)

    def test_the_image_may_ask_for_it(self):
        server = testing.server(image_properties={'hw_tpm_version': '1.2'})
        self.assertFinds(
            Severity.ERROR, 'kept by the user', subject.vtpm, server
        )

    def test_a_secret_of_the_host_depends_on_every_nova_compute(self):
        draft = self.assertFinds(
            Severity.UNKNOWN,
            'if every nova-compute is of 2026.1',
            subject.vtpm,
            tpm('host'),
        )
        self.assertIn('on compute-1: virsh secret-list', draft.remedy)

    def test_cold_the_caller_must_get_the_secret(self):
        for security in ('user', 'host'):
            self.assertFinds(
                Severity.ERROR,
                f'kept by the {security}; the key manager gives it to the '
                'owner',
                subject.vtpm,
                tpm(security),
                way=COLD,
            )
            self.assertSilent(
                subject.vtpm, tpm(security), way=COLD, user_id=OWNER
            )

    def test_whether_others_get_it_is_unknown(self):
        for user_id, roles in (
            (None, frozenset({'admin'})),
            ('somebody', MANAGER),
        ):
            self.assertFinds(
                Severity.UNKNOWN,
                'gives it to the caller is not known',
                subject.vtpm,
                tpm(),
                way=COLD,
                user_id=user_id,
                roles=roles,
            )

    def test_nova_gets_its_own(self):
        self.assertSilent(subject.vtpm, tpm('deployment'), way=COLD)

    def test_it_is_never_evacuated(self):
        for security in ('user', 'host', 'deployment'):
            self.assertFinds(
                Severity.ERROR,
                'does not evacuate',
                subject.vtpm,
                tpm(security),
                way=EVACUATE,
            )


class MemoryEncryptionTest(base.CheckTest):
    FLAVOR = testing.flavor(
        extra_specs={
            'hw:mem_encryption': 'true',
            'hw:mem_encryption_model': 'intel-tdx',
        }
    )

    def test_plain_memory_is_silent(self):
        self.assertSilent(subject.memory_encryption)
        plain = testing.flavor(extra_specs={'hw:mem_encryption': 'false'})
        for server in (
            testing.server(flavor=plain),
            testing.server(allocations={'node': {'VCPU': 1}}),
        ):
            self.assertSilent(subject.memory_encryption, server)

    def test_encrypted_memory_does_not_move_live(self):
        self.assertFinds(
            Severity.ERROR,
            'encrypted memory (intel-tdx)',
            subject.memory_encryption,
            testing.server(flavor=self.FLAVOR),
        )
        self.assertFinds(
            Severity.ERROR,
            'encrypted memory (amd-sev)',
            subject.memory_encryption,
            testing.server(image_properties={'hw_mem_encryption': True}),
        )

    def test_placement_tells_what_an_old_nova_does_not(self):
        held = {'node': {'VCPU': 1}, 'root': {'MEM_ENCRYPTION_CONTEXT': 1}}
        self.assertFinds(
            Severity.ERROR,
            'encrypted memory',
            subject.memory_encryption,
            testing.server(image_properties=None, allocations=held),
        )

    def test_it_moves_cold(self):
        for way in (COLD, EVACUATE):
            self.assertSilent(
                subject.memory_encryption,
                testing.server(flavor=self.FLAVOR),
                way=way,
            )


class FirmwareTest(base.CheckTest):
    def test_bios_is_silent(self):
        self.assertSilent(subject.firmware, way=COLD)

    def test_uefi_may_change_with_a_cold_migration(self):
        server = testing.server(image_properties={'hw_firmware_type': 'uefi'})
        self.assertFinds(
            Severity.WARNING,
            'boots by UEFI',
            subject.firmware,
            server,
            way=COLD,
        )
        self.assertSilent(subject.firmware, server)


class ImagePropertiesTest(base.CheckTest):
    def test_known_properties_are_silent(self):
        self.assertSilent(subject.image_properties)

    def test_an_old_nova_does_not_tell_them(self):
        self.assertFinds(
            Severity.INFO,
            'from microversion 2.98 on',
            subject.image_properties,
            testing.server(image_properties=None),
        )
