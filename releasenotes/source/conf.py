# SPDX-License-Identifier: Apache-2.0
"""How sphinx builds the release notes."""

import os
import pathlib
import shutil

from dulwich import porcelain

project = 'osc-migrate release notes'
copyright = 'the osc-migrate contributors'

extensions = ['openstackdocstheme', 'reno.sphinxext']

html_theme = 'openstackdocs'
html_theme_options = {'analytics_tracking_code': '', 'display_badge': False}
openstackdocs_auto_name = False
openstackdocs_repo_name = ''
openstackdocs_bug_project = ''


def setup(app):
    """Give reno a history where it cannot read one.

    It looks for the notes in all commits below the working folder; of a
    shallow clone or a tarball it says KeyError. There all notes become one
    commit of a repository of their own, and that the working folder.
    """
    root = pathlib.Path(__file__).parents[2]
    git = root / '.git'
    if git.exists() and not (git / 'shallow').exists():
        return
    history = root / 'releasenotes' / 'build' / 'history'
    shutil.rmtree(history, ignore_errors=True)
    for name in ('config.yaml', 'notes'):
        source = root / 'releasenotes' / name
        copy = history / 'releasenotes' / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    porcelain.init(history)
    notes = [str(path) for path in history.rglob('*.yaml')]
    porcelain.add(history, paths=notes)
    author = b'osc-migrate <osc-migrate@localhost>'
    porcelain.commit(history, b'All notes', author=author, committer=author)
    os.chdir(history)
