# SPDX-License-Identifier: Apache-2.0
"""What holds for every cloud, tried with clouds that hypothesis makes up.

By default each run tries the same examples, so a change that breaks nothing
passes. ``HYPOTHESIS_PROFILE=thorough tox -e py3`` tries new ones, and more.
"""

import os

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
