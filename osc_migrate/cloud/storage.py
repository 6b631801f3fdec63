# SPDX-License-Identifier: Apache-2.0
"""Read Cinder and Glance: volumes, and the traits that images require."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib import parse

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.cloud import connection

_PAGE = 1000
# up to so many volumes are asked for one by one instead of listing them all
_FEW = 20
_TRAIT = 'trait:'


def volumes(
    link: connection.Connection, ids: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """Return volumes by id as Cinder shows them; missing ones are left out.

    Cinder cannot be asked for a list of ids, so many are looked up in the
    listing of all, the newest first, until all are found.
    """
    if len(ids) <= _FEW:
        found = (_volume(link, one) for one in ids)
        return {known['id']: known for known in found if known is not None}
    wanted = set(ids)
    by_id: dict[str, Mapping[str, Any]] = {}
    asked: dict[str, Any] = {'all_tenants': 1, 'limit': _PAGE}
    while wanted:
        page = link.get(
            'block-storage', f'/volumes/detail?{parse.urlencode(asked)}'
        )['volumes']
        by_id |= {one['id']: one for one in page if one['id'] in wanted}
        wanted -= by_id.keys()
        if len(page) < _PAGE:
            break
        asked['marker'] = page[-1]['id']
    return by_id


def _volume(
    link: connection.Connection, volume_id: str
) -> Mapping[str, Any] | None:
    try:
        body = link.get('block-storage', f'/volumes/{volume_id}')
    except exceptions.CloudError as error:
        if error.status_code == 404:
            return None
        raise
    known: Mapping[str, Any] = body['volume']
    return known


def volume(
    volume_id: str, server_id: str, known: Mapping[str, Any] | None
) -> model.Volume:
    """Read a volume of a server; ``None`` means that Cinder did not tell."""
    if known is None:
        known = {'attachments': ()}
    return model.Volume(
        id=volume_id,
        device=next(
            (
                attachment['device']
                for attachment in known['attachments']
                if attachment['server_id'] == server_id
            ),
            None,
        ),
        status=known.get('status'),
        migration_status=known.get('migration_status'),
        multiattach=known.get('multiattach'),
        encrypted=known.get('encrypted'),
        image_metadata=known.get('volume_image_metadata'),
    )


def image_traits(
    link: connection.Connection, image_id: str
) -> frozenset[str] | None:
    """Return the traits that an image requires, ``None`` if it is gone."""
    try:
        body = link.get('image', f'/images/{image_id}')
    except exceptions.CloudError as error:
        if error.status_code == 404:
            return None
        raise
    return required_traits(body)


def required_traits(properties: Mapping[str, Any]) -> frozenset[str]:
    """Pick the required traits among properties of an image."""
    return frozenset(
        key.removeprefix(_TRAIT)
        for key, value in properties.items()
        if key.startswith(_TRAIT) and value == 'required'
    )
