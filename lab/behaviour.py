# SPDX-License-Identifier: Apache-2.0
"""How servers, hosts and links behave now: ``$LAB_RUN/behaviour.json``.

The file may change while the cloud runs and is read at every use. Its keys
are ``server:UUID`` or ``server:NAME``, ``host:NAME`` and ``nova``; its values
are the scenario's own keys, nested, and lie over what ``hosts.json`` (the
scenario as it was at boot) and the defaults say.
"""

from collections.abc import Mapping
import dataclasses
import fcntl
import json
import os
import pathlib
from typing import Any

from lab import scenario

_cache: dict[pathlib.Path, tuple[tuple[int, int], dict[str, Any]]] = {}


def read(name: str = 'behaviour.json') -> dict[str, Any]:
    """Return a JSON file of the run folder; it is parsed when it changed."""
    path = _path(name)
    try:
        status = path.stat()
    except FileNotFoundError:
        return {}
    stamp = (status.st_mtime_ns, status.st_ino)
    cached = _cache.get(path)
    if cached is None or cached[0] != stamp:
        document: dict[str, Any] = json.loads(path.read_text('utf-8'))
        cached = _cache[path] = (stamp, document)
    return cached[1]


def change(changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Lay ``{'server:web-1': {'dirty_mb_s': 5}}`` over the file."""
    _write(lambda document: merge(document, changes))


def clear() -> None:
    """Let everything behave again as the scenario said at boot."""
    _write(lambda document: {})


def of_server(uuid: str, name: str) -> dict[str, Any]:
    """Return dirty_mb_s, live and cold of one server.

    The scenario's are kept by UUID; what was set by name lies over them.
    """
    document = read()
    return merge(
        _SERVER,
        document.get(f'server:{uuid}', {}),
        document.get(f'server:{name}', {}),
    )


def of_host(name: str) -> dict[str, Any]:
    """Return the keys of a host and, under ``nova``, those of Nova."""
    document = read()
    shape = read('hosts.json')[name]
    return merge(
        shape,
        document.get(f'host:{name}', {}),
        {'nova': document.get('nova', {})},
    )


def merge(
    base: Mapping[str, Any], *layers: Mapping[str, Any]
) -> dict[str, Any]:
    """Return nested mappings laid over each other; nothing is changed."""
    result = dict(base)
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping) and isinstance(
                result.get(key), Mapping
            ):
                value = merge(result[key], value)
            result[key] = value
    return result


def _write(edit: Any) -> None:
    """Replace the file whole, one writer at a time."""
    path = _path('behaviour.json')
    with open(path.with_suffix('.lock'), 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document = edit(read())
        new = path.with_suffix('.new')
        new.write_text(json.dumps(document, indent=1), 'utf-8')
        new.replace(path)


def _path(name: str) -> pathlib.Path:
    return pathlib.Path(os.environ['LAB_RUN'], name)


def _server_defaults() -> dict[str, Any]:
    values = dataclasses.asdict(scenario.Server(name=''))
    return {key: values[key] for key in scenario.BEHAVIOUR['server'][1]}


_SERVER = _server_defaults()
