# SPDX-License-Identifier: Apache-2.0
"""Values out of YAML into dataclasses, by their type hints.

Strict: a key that the class does not have and a value of another type are
refused, with the path of the key.
"""

import collections.abc
import dataclasses
import math
import types
import typing
from typing import Any, Literal

import yaml


class ScenarioError(ValueError):
    """A key or value of a scenario is wrong; the message is one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(' '.join(message.split()))


def convert(expected: Any, value: Any, path: str) -> Any:
    """Return ``value`` as ``expected``, which may be any type hint.

    ``path`` says where the value stands: ``hosts.compute-1.vcpus``.

    :raises: :class:`ScenarioError` when it is something else.
    """
    origin = typing.get_origin(expected)
    arguments = typing.get_args(expected)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return convert(arguments[0], value, path)
    if origin is Literal:
        if value not in arguments:
            choices = ', '.join(arguments)
            raise ScenarioError(f'{path}: {value!r} is not one of {choices}.')
        return value
    if origin is tuple:
        _require(isinstance(value, list), 'a list', value, path)
        return tuple(
            convert(arguments[0], item, f'{path}[{index}]')
            for index, item in enumerate(value)
        )
    if origin is dict:
        _require(isinstance(value, dict), 'a mapping', value, path)
        return {
            convert(str, key, path): convert(
                arguments[1], item, f'{path}.{key}'
            )
            for key, item in value.items()
        }
    if dataclasses.is_dataclass(expected):
        return _convert_mapping(expected, value, path)
    return _convert_scalar(expected, value, path)


def _convert_mapping(expected: Any, value: Any, path: str) -> Any:
    if value is None:
        value = {}
    _require(isinstance(value, dict), 'a mapping', value, path)
    refuse_unknown(expected, value, path)
    hints = typing.get_type_hints(expected)
    values = {
        key: convert(hints[key], item, f'{path}.{key}'.lstrip('.'))
        for key, item in value.items()
    }
    for field in dataclasses.fields(expected):
        required = (
            field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        )
        if required and field.name not in values:
            raise ScenarioError(f'{path}: the key {field.name} is missing.')
    return expected(**values)


def refuse_unknown(
    expected: Any, keys: collections.abc.Iterable[Any], path: str
) -> None:
    """See that ``keys`` are fields of the dataclass ``expected``.

    :raises: :class:`ScenarioError` for the first that is not.
    """
    known = [field.name for field in dataclasses.fields(expected)]
    for key in keys:
        if key not in known:
            where = f'{path}.{key}'.lstrip('.')
            raise ScenarioError(
                f'{where}: unknown key; known are {", ".join(known)}.'
            )


def _convert_scalar(expected: Any, value: Any, path: str) -> Any:
    if expected is bool:
        _require(isinstance(value, bool), 'true or false', value, path)
    elif expected is str:
        # A tag or metadata value may well look like a number in YAML.
        _require(isinstance(value, str | int | float), 'a text', value, path)
        return str(value).lower() if isinstance(value, bool) else str(value)
    else:
        number = int if expected is int else int | float
        good = isinstance(value, number) and not isinstance(value, bool)
        wanted = 'a whole number' if expected is int else 'a number'
        _require(
            good and 0 <= value < math.inf, f'{wanted}, 0 or more', value, path
        )
        return expected(value)
    return value


def _require(good: bool, wanted: str, value: Any, path: str) -> None:
    if not good:
        where = path or 'the scenario'
        raise ScenarioError(f'{where}: {value!r} is not {wanted}.')


def convert_dotted(owner: Any, key: str, text: str) -> dict[str, Any]:
    """Return ``{'live': {'fails_at': 'pre'}}`` for live.fails_at and pre.

    ``owner`` is the dataclass that has the key's first part; ``text`` is
    read as YAML.

    :raises: :class:`ScenarioError` when there is no such key or value.
    """
    *parents, name = key.split('.')
    for parent in parents:
        owner = typing.get_type_hints(owner).get(parent)
        if not dataclasses.is_dataclass(owner):
            raise ScenarioError(f'{key}: {parent} has no keys of its own.')
    refuse_unknown(owner, [name], '.'.join(parents))
    expected = typing.get_type_hints(owner)[name]
    if dataclasses.is_dataclass(expected):
        keys = ', '.join(
            f'{key}.{f.name}' for f in dataclasses.fields(expected)
        )
        raise ScenarioError(f'{key}: set one of {keys}.')
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f'{key}: {text!r} is not YAML.') from error
    result: dict[str, Any] = {name: convert(expected, value, key)}
    for parent in reversed(parents):
        result = {parent: result}
    return result
