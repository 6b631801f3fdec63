# SPDX-License-Identifier: Apache-2.0
"""The command that goes on is the one that was typed."""

import shlex

from oslotest import base

from osc_migrate.osc import typed


class AgainTest(base.BaseTestCase):
    def test_nothing_is_lost(self) -> None:
        """Whatever name the command was called by; it can be pasted."""
        rest = 'compute-1 --no-disable --server "my db" --limit=1 --reason ""'
        for words in (
            f'compute drain {rest}',
            f'--os-cloud lab --os-password x server migration drain {rest}',
        ):
            said = typed.again(shlex.split(words))
            expected = shlex.split(f'openstack compute drain {rest}')
            self.assertEqual(expected, shlex.split(said))

    def test_options_come_and_go(self) -> None:
        """To move only some, or without keeping the destination."""
        words = ['compute', 'drain', 'c-1', '--to', 'c-2', '--reserve']
        self.assertEqual(
            'openstack compute drain c-1 --to c-2 --reserve --partial',
            typed.again(words, '--partial'),
        )
        self.assertEqual(
            'openstack compute drain c-1 --to c-2',
            typed.again(words, without='--reserve'),
        )

    def test_no_secret_is_said(self) -> None:
        """Wherever it stands."""
        words = (
            'compute drain --os-password secret c-1 --os-token=secret '
            '--os-application-credential-secret secret --yes'
        )
        self.assertEqual(
            'openstack compute drain c-1 --yes', typed.again(words.split())
        )

    def test_what_cannot_be_known(self) -> None:
        """After the prompt of ``openstack``: rather no command than half."""
        self.assertEqual('the same command again', typed.again([]))
        self.assertEqual(
            'the same command again with --partial',
            typed.again([], '--partial'),
        )
        self.assertEqual(
            'the same command again without --reserve',
            typed.again(['--os-cloud', 'lab'], without='--reserve'),
        )
