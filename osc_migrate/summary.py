# SPDX-License-Identifier: Apache-2.0
"""A summary of migrations as text, and as what programs read. Pure.

What ended well takes a line; what did not is explained below, with a remedy
that can be pasted.
"""

from collections.abc import Iterable, Sequence
import math
from typing import Any

from osc_migrate.outcome import Outcome
from osc_migrate.report import duration
from osc_migrate.report import size

_HEADINGS = (
    'Server',
    'Type',
    'From -> To',
    'Result',
    'Queued',
    'Running',
    'In all',
    'Copied',
    'Mean rate',
)


def _cells(one: Outcome) -> tuple[str, ...]:
    at_least = '> ' if one.is_at_least else ''
    return (
        one.name,
        one.migration_type,
        f'{one.source or "?"} -> {one.destination or "?"}',
        one.result,
        '-' if one.queued is None else duration(one.queued),
        '-' if one.running is None else at_least + duration(one.running),
        '-' if one.total is None else duration(one.total),
        '-' if one.copied is None else size(one.copied),
        '-' if one.rate is None else f'{size(one.rate)}/s',
    )


def table(ended: Sequence[Outcome], columns: float = math.inf) -> list[str]:
    """Write a summary: a table, then what needs a hand and why.

    :param columns: where there are fewer than it takes, it is sentences
    """
    rows = [_HEADINGS, *map(_cells, ended)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        '  '.join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    if max(map(len, lines)) > columns:
        return sentences(ended)
    return lines + _explained(ended)


def sentences(ended: Sequence[Outcome]) -> list[str]:
    """Write a summary without a table, to be read aloud."""
    lines = []
    for one in ended:
        _, kind, _, result, queued, running, total, copied, mean = _cells(one)
        facts = (
            f'{one.name}: {result}',
            f'{kind} from {one.source or "unknown"} to '
            f'{one.destination or "unknown"}',
            '' if one.queued is None else f'queued for {queued}',
            '' if one.running is None else f'running for {running}',
            '' if one.total is None else f'{total} in all',
            '' if one.copied is None else f'{copied} copied',
            '' if one.rate is None else f'{mean} on average',
        )
        lines.append(', '.join(filter(None, facts)))
    return lines + _explained(ended)


def _explained(ended: Iterable[Outcome]) -> list[str]:
    """Say why, and what to do, of all that did not simply end well."""
    lines = []
    for one in ended:
        if not one.reason and not one.remedy:
            continue
        ids = ', '.join(
            one_id for one_id in one.request_ids if one_id not in one.reason
        )
        text = f'{one.name}: {one.result}'
        text += f': {one.reason}' if one.reason else ''
        lines.append(f'{text} ({ids})' if ids else text)
        if one.remedy:
            lines.append(f'    -> {one.remedy}')
    return lines


def document(one: Outcome) -> dict[str, Any]:
    """Make what a program is shown of an outcome; times in seconds."""
    return {
        'server_id': one.server_id,
        'server': one.name,
        'migration': one.migration or None,
        'type': one.migration_type,
        'source': one.source,
        'destination': one.destination,
        'result': one.result,
        'queued_seconds': one.queued,
        'running_seconds': one.running,
        'running_is_at_least': one.is_at_least,
        'total_seconds': one.total,
        'copied_bytes': one.copied,
        'mean_rate': one.rate,
        'reason': one.reason or None,
        'remedy': one.remedy or None,
        'request_ids': list(one.request_ids),
    }
