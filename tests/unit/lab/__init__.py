# SPDX-License-Identifier: Apache-2.0
"""Tests of the parts of the lab that need no Nova."""
