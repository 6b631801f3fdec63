# SPDX-License-Identifier: Apache-2.0
"""Tests of the probe: what it runs, and what it makes of the answers."""
