# SPDX-License-Identifier: Apache-2.0
"""The rehearsal cloud: a real Nova on one machine, without hypervisors."""
