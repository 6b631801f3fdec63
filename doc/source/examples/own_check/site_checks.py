# SPDX-License-Identifier: Apache-2.0
"""Checks of our site."""

from collections.abc import Iterator

from osc_migrate import checks


@checks.server_check('server-pet')
def pet(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A server that its owner calls a pet is not moved live.

    Owners say so with the property ``pet=yes``, and have told us why: their
    software loses its license when its clock jumps. Nova knows nothing of it.

    What to do: ask the owner to stop it, then move it cold.
    """
    if candidate.is_live and candidate.server.metadata.get('pet') == 'yes':
        yield checks.error(
            'is a pet of its owner',
            'openstack server stop {server}',
            owner=candidate.server.user_id,
        )
