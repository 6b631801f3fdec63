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
    """Write a schema as tables of keys in reStructuredText."""
    lines = list(_table(document))
    for name, part in document.get('$defs', {}).items():
        lines += ['', f'**{name}**: {part["description"]}.', '']
        lines += _table(part)
    return '\n'.join(lines)


def _table(part: dict[str, Any]) -> Iterator[str]:
    rows = list(_rows(part.get('items', part), ''))
    if not rows:
        return
    yield '.. list-table::'
    yield '   :header-rows: 1'
    yield '   :widths: 25 30 45'
    yield ''
    for key, kind, meaning in [('Key', 'Value', 'Meaning'), *rows]:
        yield f'   * - {key}'
        yield f'     - {kind}'
        yield f'     - {meaning}'
    yield ''


def _rows(part: dict[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, value in part.get('properties', {}).items():
        yield f'``{prefix}{name}``', _type(value), value.get('description', '')
        yield from _rows(value, f'{prefix}{name}.')


def _type(value: dict[str, Any]) -> str:
    if 'const' in value:
        return f'``{json.dumps(value["const"])}``'
    if 'enum' in value:
        return ', '.join(f'``{json.dumps(one)}``' for one in value['enum'])
    if '$ref' in value:
        return f'*{value["$ref"].rpartition("/")[2]}*'
    if value.get('type') == 'array':
        return f'array of {_type(value["items"])}'
    types = value.get('type', 'any')
    return types if isinstance(types, str) else ' or '.join(types)


class Schema(docutils.SphinxDirective):
    """The keys of a document."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return tables."""
        path = FOLDER / f'{self.arguments[0]}.json'
        self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(text(json.loads(path.read_text())))


def setup(app: application.Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive('schema', Schema)
    return {'parallel_read_safe': True}
