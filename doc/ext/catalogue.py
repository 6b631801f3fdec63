# SPDX-License-Identifier: Apache-2.0
"""``.. check-catalogue::`` writes the checks from the checks themselves."""

import sys
from typing import Any

from docutils import nodes
from sphinx import application
from sphinx.util import docutils

from osc_migrate import checks

_PER = {
    checks.Scope.SERVER: 'each server',
    checks.Scope.DESTINATION: 'each server and destination',
}


def subjects() -> dict[str, list[checks.Check]]:
    """Return the checks by what the first line of their module says."""
    found: dict[str, list[checks.Check]] = {}
    for check in checks.load():
        module = sys.modules[check.function.__module__]
        title = (module.__doc__ or '').partition('\n')[0].rstrip('.')
        found.setdefault(title, []).append(check)
    return found


def text() -> str:
    """Write the catalogue as reStructuredText."""
    lines = []
    for title, listed in sorted(subjects().items()):
        lines += [title, '=' * len(title), '']
        for check in listed:
            lines += [
                f'.. _check-{check.id}:',
                '',
                check.id,
                '-' * len(check.id),
                '',
                check.documentation,
                '',
                f'Runs for {_PER[check.scope]}.',
                '',
            ]
    return '\n'.join(lines)


class Catalogue(docutils.SphinxDirective):
    """Every check, by subject."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        return self.parse_text_to_nodes(text(), allow_section_headings=True)


def setup(app: application.Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive('check-catalogue', Catalogue)
    return {'parallel_read_safe': True}
