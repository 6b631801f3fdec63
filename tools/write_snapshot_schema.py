# SPDX-License-Identifier: Apache-2.0
"""Write the JSON Schema of saved snapshots for the documentation.

The type hints of the model say what a snapshot file holds, so they are what
the schema is made from; a test says when it must be written anew::

    tox -e venv -- python -m tools.write_snapshot_schema
"""

from collections.abc import Mapping
import dataclasses
import enum
import json
import pathlib
import types
import typing
from typing import Any

from osc_migrate import model
from osc_migrate import serial

PATH = pathlib.Path(__file__).parents[1] / 'doc/source/schema/snapshot.json'
_PLAIN = {str: 'string', int: 'integer', float: 'number', bool: 'boolean'}


def document() -> dict[str, Any]:
    """Make the schema."""
    definitions: dict[str, Any] = {}
    snapshot = _schema(model.Snapshot, definitions)
    return {
        '$schema': 'https://json-schema.org/draft/2020-12/schema',
        'title': 'A snapshot: what preflight --save-snapshot writes',
        'type': 'object',
        'required': ['format', 'version', 'snapshot'],
        'properties': {
            'format': {'const': serial.FORMAT},
            'version': {'const': serial.VERSION},
            'snapshot': snapshot,
        },
        '$defs': definitions,
    }


def text() -> str:
    """Return the schema as it is written."""
    return json.dumps(document(), indent=1, sort_keys=True) + '\n'


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [_schema(one, definitions) for one in arguments]
        if all(one.keys() == {'type'} for one in found):
            return {'type': [one['type'] for one in found]}
        return {'anyOf': found}
    if hint is Any:
        return {}
    if hint is type(None):
        return {'type': 'null'}
    if dataclasses.is_dataclass(hint):
        return _reference(typing.cast(type, hint), definitions)
    if origin in (frozenset, tuple):
        return {'type': 'array', 'items': _schema(arguments[0], definitions)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {
            'type': 'object',
            'additionalProperties': _schema(arguments[1], definitions),
        }
    if issubclass(hint, enum.Enum):
        return {'enum': [member.value for member in hint]}
    return {'type': _PLAIN[hint]}


def _reference(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}  # it may contain itself
        properties = {
            name: _schema(hint, definitions)
            for name, hint in typing.get_type_hints(cls).items()
        }
        definitions[cls.__name__] = {
            'description': (cls.__doc__ or '').partition('\n')[0],
            'type': 'object',
            'required': sorted(properties),
            'properties': properties,
        }
    return {'$ref': f'#/$defs/{cls.__name__}'}


if __name__ == '__main__':
    PATH.write_text(text())
