# SPDX-License-Identifier: Apache-2.0
"""Tests on the rehearsal cloud, where a real Nova answers."""
