# SPDX-License-Identifier: Apache-2.0
"""How sphinx builds the documentation."""

project = 'osc-migrate'
copyright = 'the osc-migrate contributors'

extensions = [
    'cliff.sphinxext',
    'openstackdocstheme',
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
        'cli',
        'openstack-compute-drain',
        'empty compute hosts',
        'the osc-migrate contributors',
        1,
    ),
]
