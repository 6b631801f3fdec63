# SPDX-License-Identifier: Apache-2.0
"""Tests that need no cloud; those that do are in ``tests.functional``.

Discovery from this folder finds the unit and property tests only. The
functional ones run where a lab is up, asked for by their own path.

By default hypothesis tries the same examples in each run, so a change that
breaks nothing passes. ``HYPOTHESIS_PROFILE=thorough tox -e py3`` tries new
ones, and more of them.
"""

import os
import pathlib
from typing import Any
import unittest

import hypothesis

_SLOW = (hypothesis.HealthCheck.too_slow,)  # machines of a CI are

hypothesis.settings.register_profile(
    'fixed',
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=_SLOW,
)
hypothesis.settings.register_profile(
    'thorough',
    deadline=None,
    max_examples=5000,
    print_blob=True,
    suppress_health_check=_SLOW,
)
hypothesis.settings.load_profile(os.getenv('HYPOTHESIS_PROFILE', 'fixed'))


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: Any
) -> unittest.TestSuite:
    """Find the tests that need no cloud."""
    here = pathlib.Path(__file__).parent
    for name in ('unit', 'property'):
        tests.addTests(
            loader.discover(
                str(here / name),
                pattern=pattern or 'test*.py',
                top_level_dir=str(here.parent),
            )
        )
    return tests
