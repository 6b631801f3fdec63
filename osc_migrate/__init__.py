# SPDX-License-Identifier: Apache-2.0
"""Checks and migration primitives for OpenStack servers: the public API.

Only names stand here; each is documented where it is defined.
"""

from osc_migrate.planner import Plan
from osc_migrate.planner import plan
from osc_migrate.verdict import Report
from osc_migrate.verdict import preflight

__all__ = ['Plan', 'Report', 'plan', 'preflight']
