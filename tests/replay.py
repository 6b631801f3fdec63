# SPDX-License-Identifier: Apache-2.0
"""Replay recorded migrations through the convergence judgement.

    python tests/replay.py FILE.jsonl...

Each line of a file is an object: ``at`` in seconds, ``status``, and the
``memory_*_bytes`` and ``disk_*_bytes`` of ``GET
/servers/{id}/migrations/{id}``, null or left out where Nova said nothing. For
each comes out one: ``at``, ``verdict``, ``seconds_left`` and
``predicted_pause_seconds``. A file is one migration. A line that is no such
object is named on stderr and left out, and the exit code is 2.
"""

import collections.abc
import json
import pathlib
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from osc_migrate import progress

LARGEST = 2**63  # as in Nova's database; infinities and NaN are no numbers


def read(
    path: str, complain: collections.abc.Callable[[str], object]
) -> collections.abc.Iterator[progress.Sample]:
    """Yield the samples of a file.

    :param complain: called with what is wrong with a line that is no sample
    :raises OSError: where the file cannot be read
    """
    with open(path, encoding='utf-8', errors='replace') as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                yield sample(json.loads(text))
            except (ValueError, RecursionError) as error:
                complain(f'{path}:{number}: {error}')


def sample(line: Any) -> progress.Sample:
    """Read one sample; figures that are no numbers count as unknown.

    :raises ValueError: where it is no object with ``at``
    """
    if not isinstance(line, dict):
        raise ValueError('not a JSON object')
    at = _number(line.get('at'))
    if at is None:
        raise ValueError('"at" is not a number of seconds')

    def amount(name: str) -> int | None:
        value = _number(line.get(f'{name}_bytes'))
        return None if value is None or value < 0 else int(value)

    return progress.Sample(
        at=at,
        status=str(line.get('status') or ''),
        memory_total=amount('memory_total'),
        memory_processed=amount('memory_processed'),
        memory_remaining=amount('memory_remaining'),
        disk_total=amount('disk_total'),
        disk_processed=amount('disk_processed'),
        disk_remaining=amount('disk_remaining'),
    )


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -LARGEST < value < LARGEST else None


def replay(
    samples: collections.abc.Iterable[progress.Sample],
) -> collections.abc.Iterator[dict[str, Any]]:
    """Yield what would have been said at each look."""
    history: tuple[progress.Sample, ...] = ()
    for look in samples:
        history = progress.distinct((*history, look))
        judged = progress.judge(history)
        yield {
            'at': look.at,
            'verdict': judged.verdict.value,
            'seconds_left': _rounded(judged.seconds_left),
            'predicted_pause_seconds': _rounded(
                judged.predicted_pause_seconds
            ),
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def main(paths: list[str]) -> int:
    """Replay each file; 2 where something in them is no sample."""
    if not paths:
        print('usage: python tests/replay.py FILE.jsonl...', file=sys.stderr)
        return 2
    complaints: list[str] = []

    def complain(text: str) -> None:
        complaints.append(text)
        print(text, file=sys.stderr)

    for path in paths:
        try:
            for judged in replay(read(path, complain)):
                print(json.dumps(judged))
        except OSError as error:
            complain(str(error))
    return 2 if complaints else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
