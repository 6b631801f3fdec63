# SPDX-License-Identifier: Apache-2.0
"""``.. schema:: NAME`` writes the keys of ``doc/source/schema/NAME.json``."""

from collections.abc import Iterator
import json
import pathlib
from typing import Any

from docutils import nodes
from sphinx import application
from sphinx.util import docutils

FOLDER = pathlib.Path(__file__).parents[1] / 'source' / 'schema'


def text(document: dict[str, Any]) -> str:
    """Write a schema as reStructuredText."""
    lines = list(_keys(document, ''))
    for name, part in document.get('$defs', {}).items():
        lines += ['', f'*{name}*', '', f'{part["description"]}.', '']
        lines += _keys(part.get('items', part), '')
    return '\n'.join(lines)


def _keys(part: dict[str, Any], indent: str) -> Iterator[str]:
    if not indent and 'items' in part:
        part = part['items']
    for name, value in part.get('properties', {}).items():
        yield f'{indent}``{name}`` ({_type(value)})'
        yield f'{indent}    {value.get("description", name)}.'
        yield ''
        yield from _keys(value, f'{indent}    ')


def _type(value: dict[str, Any]) -> str:
    if 'const' in value:
        return f'``{json.dumps(value["const"])}``'
    if 'enum' in value:
        return ', '.join(f'``{json.dumps(one)}``' for one in value['enum'])
    if '$ref' in value:
        return f'*{value["$ref"].rpartition("/")[2]}*'
    if value.get('type') == 'array':
        return f'array of {_type(value["items"])}'
    types = value.get('type', 'anything')
    return types if isinstance(types, str) else ' or '.join(types)


class Schema(docutils.SphinxDirective):
    """The keys of a document."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return definition lists."""
        path = FOLDER / f'{self.arguments[0]}.json'
        self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(text(json.loads(path.read_text())))


def setup(app: application.Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive('schema', Schema)
    return {'parallel_read_safe': True}
