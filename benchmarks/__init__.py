# SPDX-License-Identifier: Apache-2.0
"""What is measured, with what people use for the same, in one run."""
