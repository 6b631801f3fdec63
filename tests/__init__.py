# SPDX-License-Identifier: Apache-2.0
"""Tests that need no cloud; those that do are in ``tests.functional``.

Discovery from this folder finds the unit and property tests only. The
functional ones run where a lab is up, asked for by their own path.
"""

import pathlib
from typing import Any
import unittest


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
