# SPDX-License-Identifier: Apache-2.0
"""What the lab tells its user when it cannot do what was asked.

One class: the message is what matters, a sentence that names the remedy.
"""


class LabError(Exception):
    """The lab cannot do what was asked."""
