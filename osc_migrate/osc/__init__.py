# SPDX-License-Identifier: Apache-2.0
"""The commands of ``openstack``: parse, call the library, print, exit code.

Nothing heavy is imported when the entry points load: ``openstack --help``
must not pay for us. The library is imported inside ``take_action``.
"""
