# SPDX-License-Identifier: Apache-2.0
"""Tests of what talks to OpenStack, on answers of the real one."""
