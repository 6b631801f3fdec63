# SPDX-License-Identifier: Apache-2.0
"""Two hosts side by side."""
