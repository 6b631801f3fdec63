# SPDX-License-Identifier: Apache-2.0
"""What the test of preflight's truth asks Nova about, and how it shows it."""
