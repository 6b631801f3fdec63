# SPDX-License-Identifier: Apache-2.0
"""Values to JSON and back.

The type hints of the dataclasses are the schema: what they do not name is not
read. A document says its kind and format version; a newer version is refused,
because guessing at it would be worse than asking for the newer release.
"""

from collections.abc import Mapping
import dataclasses
import enum
import functools
import json
import os
import types
import typing
from typing import Any, TypeVar

from osc_migrate import exceptions
from osc_migrate import model

FORMAT = 'osc-migrate-snapshot'
VERSION = 1
# what a snapshot of an older release does not say
_ADDED: dict[str, Any] = {'probes': {}, 'surveyed': []}

_PLAIN = frozenset((str, int, float, bool, type(None)))

T = TypeVar('T')


def to_json(value: Any) -> Any:
    """Turn a value into what :mod:`json` can write."""
    if type(value) in _PLAIN:  # most values are, and there are many
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(to_json(item) for item in value)
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[T], data: Any) -> T:
    """Build a value of a type from what :func:`to_json` gave.

    :raises TypeError, ValueError, KeyError: the data does not fit the type
    """
    return typing.cast(T, _read(cls, data))


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _read(hint: Any, data: Any) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        return _read(next(a for a in arguments if a is not type(None)), data)
    if hint is Any:
        return data
    if dataclasses.is_dataclass(hint):
        if not isinstance(data, dict):
            raise TypeError(f'{data!r} is not an object')
        return typing.cast(Any, hint)(
            **{n: _read(h, data[n]) for n, h in _hints(hint).items()}  # type: ignore[arg-type]
        )
    return _read_plain(hint, origin, arguments, data)


def _read_plain(
    hint: Any, origin: Any, arguments: tuple[Any, ...], data: Any
) -> Any:
    if origin in (frozenset, tuple):
        if not isinstance(data, list):
            raise TypeError(f'{data!r} is not a list')
        if origin is tuple and arguments[-1] is not Ellipsis:
            pairs = zip(arguments, data, strict=True)
            return tuple(_read(argument, item) for argument, item in pairs)
        return origin(_read(arguments[0], item) for item in data)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        read_key, read_value = arguments
        return {
            read_key(key): _read(read_value, item)
            for key, item in data.items()
        }
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(data)
    # to Python a truth value is a number too
    is_number = isinstance(data, int) and not isinstance(data, bool)
    if hint is float and is_number:
        return float(data)
    if not isinstance(data, hint) or (hint is int and not is_number):
        raise TypeError(f'{data!r} is not of the type {hint.__name__}')
    return data


def save_snapshot(snapshot: model.Snapshot, path: str) -> None:
    """Write a snapshot to a file, whole or not at all.

    :raises InvalidInput: the file cannot be written
    """
    document = {
        'format': FORMAT,
        'version': VERSION,
        'snapshot': to_json(snapshot),
    }
    write(document, path)


def write(document: Any, path: str) -> None:
    """Write a document as JSON to a file, whole or not at all.

    :raises InvalidInput: the file cannot be written
    """
    partial = f'{path}.part'
    try:
        with open(partial, 'w', encoding='utf-8') as stream:
            json.dump(document, stream, indent=1, sort_keys=True)
            stream.write('\n')
        os.replace(partial, path)
    except OSError as error:
        raise exceptions.InvalidInput(
            f'Cannot write {path}: {error.strerror}'
        ) from error


def load_snapshot(path: str) -> model.Snapshot:
    """Read a snapshot from a file that :func:`save_snapshot` wrote.

    :raises InvalidSnapshot: unreadable, foreign, or of a newer version
    """
    try:
        with open(path, encoding='utf-8') as stream:
            document = json.load(stream)
    except (OSError, ValueError, RecursionError) as error:
        raise exceptions.InvalidSnapshot(
            f'Cannot read the snapshot {path}: {error}'
        ) from error
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        raise exceptions.InvalidSnapshot(
            f'{path} is not a snapshot of this tool; write one with: '
            'openstack server migration preflight --save-snapshot FILE'
        )
    if document.get('version') != VERSION:
        raise exceptions.InvalidSnapshot(
            f'{path} has the format version {document.get("version")!r}, '
            f'this release reads {VERSION}; upgrade osc-migrate or take the '
            'snapshot again'
        )
    try:
        return from_json(model.Snapshot, {**_ADDED, **document['snapshot']})
    except (
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise exceptions.InvalidSnapshot(
            f'{path} is damaged: {type(error).__name__}: {error}'
        ) from error
