# SPDX-License-Identifier: Apache-2.0
"""Compare documents with the schemas of the documentation."""

import json
from typing import Any

import jsonschema

from tests import examples

FOLDER = examples.ROOT / 'doc' / 'source' / 'schema'


def _strict(part: Any) -> Any:
    """Let a schema refuse keys that it does not name.

    Who reads a document must not do so: a release may add keys.
    """
    if isinstance(part, list):
        return [_strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    known = {key: _strict(value) for key, value in part.items()}
    if isinstance(part.get('properties'), dict):
        known['additionalProperties'] = False
    return known


def check(name: str, document: Any, *, part: str | None = None) -> None:
    """Raise if a document is not as its schema says.

    :param part: the definition of the schema that it must be
    """
    schema = _strict(json.loads((FOLDER / f'{name}.json').read_text()))
    jsonschema.Draft202012Validator.check_schema(schema)
    if part is not None:
        del schema['anyOf']
        schema['$ref'] = f'#/$defs/{part}'
    jsonschema.Draft202012Validator(schema).validate(document)
