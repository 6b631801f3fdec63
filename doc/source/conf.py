# SPDX-License-Identifier: Apache-2.0
"""How sphinx builds the documentation."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'ext'))

project = 'osc-migrate'
copyright = 'the osc-migrate contributors'

extensions = [
    'catalogue',
    'cliff.sphinxext',
    'openstackdocstheme',
    'schema',
    'sphinx.ext.autodoc',
]
# The members in the order in which their module tells its story.
autodoc_member_order = 'bysource'
autodoc_typehints = 'description'

autoprogram_cliff_application = 'openstack'

html_theme = 'openstackdocs'
html_theme_options = {'analytics_tracking_code': '', 'display_badge': False}
openstackdocs_auto_name = False
# No hosting is assumed: no links to a repository or a bug tracker.
openstackdocs_repo_name = ''
openstackdocs_bug_project = ''
pygments_style = 'native'

man_pages = [
    (
        f'reference/commands/{page}',
        f'openstack-{name}',
        description,
        'the osc-migrate contributors',
        1,
    )
    for page, name, description in (
        ('drain', 'compute-drain', 'empty a compute host'),
        ('undrain', 'compute-undrain', 'open a compute host again'),
        (
            'preflight',
            'server-migration-preflight',
            'say which servers can move, how, where to, and why not',
        ),
        (
            'compare',
            'compute-compare',
            'show two compute hosts side by side',
        ),
        (
            'watch',
            'server-migration-watch',
            'follow migrations until they end',
        ),
    )
]
