# SPDX-License-Identifier: Apache-2.0
"""Options of a drain that contradict each other."""

import argparse


def of_drain(parsed_args: argparse.Namespace) -> str:
    """Say which options do not go together, if there are such."""
    for said in (
        _of_evacuation(parsed_args),
        _of_reason(parsed_args),
        _of_destinations(parsed_args),
        _of_reservation(parsed_args),
    ):
        if said:
            return said
    return ''


def _of_evacuation(parsed_args: argparse.Namespace) -> str:
    if not parsed_args.evacuate:
        if parsed_args.fenced:
            return (
                '--fenced vouches that a dead host is off: it goes with '
                '--evacuate only'
            )
        return ''
    if not parsed_args.fenced:
        return (
            '--evacuate starts servers a second time unless the host is off: '
            'switch it off, then say --fenced'
        )
    if parsed_args.no_disable:
        return (
            '--evacuate forces the host down: it does not go with --no-disable'
        )
    if parsed_args.method != 'auto' or parsed_args.allow_cold:
        return (
            '--evacuate is the only way off a dead host: it does not go with '
            '--method or --allow-cold'
        )
    return ''


def _of_reason(parsed_args: argparse.Namespace) -> str:
    if parsed_args.reason and parsed_args.no_disable:
        return (
            '--reason is kept in the disabled reason of the host: it does '
            'not go with --no-disable'
        )
    return ''


def _of_destinations(parsed_args: argparse.Namespace) -> str:
    if parsed_args.to and parsed_args.scheduler:
        return (
            '--scheduler lets Nova choose among all hosts: it does not go '
            'with --to'
        )
    if parsed_args.host in parsed_args.to:
        return (
            f'--to names {parsed_args.host}, which the servers are to leave: '
            'name other hosts'
        )
    return ''


def _of_reservation(parsed_args: argparse.Namespace) -> str:
    if not parsed_args.reserve:
        return ''
    if len(parsed_args.to) != 1:
        return '--reserve needs exactly one --to, the host to reserve'
    if parsed_args.no_disable:
        return (
            '--reserve remembers in the reason of the drained host what the '
            'destination was before: it does not go with --no-disable'
        )
    return ''
