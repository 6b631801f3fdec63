# SPDX-License-Identifier: Apache-2.0
"""What holds for every cloud, tried with clouds that hypothesis makes up."""
