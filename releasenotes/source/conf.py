# SPDX-License-Identifier: Apache-2.0
"""How sphinx builds the release notes."""

project = 'osc-migrate release notes'
copyright = 'the osc-migrate contributors'

extensions = ['openstackdocstheme', 'reno.sphinxext']

html_theme = 'openstackdocs'
html_theme_options = {'analytics_tracking_code': '', 'display_badge': False}
openstackdocs_auto_name = False
openstackdocs_repo_name = ''
openstackdocs_bug_project = ''
