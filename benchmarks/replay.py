# SPDX-License-Identifier: Apache-2.0
"""Answers of a cloud, kept, and given again for many more servers."""

from collections.abc import Iterator
import contextlib
import json
import re
from typing import Any
from urllib import parse
import uuid

import requests
import requests_mock

UUID = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_PER_SERVER = re.compile(rf'/(servers|volumes|ports|images)/{UUID.pattern}')
_VOLUME = re.compile(rf'/volumes/{UUID.pattern}')
_DOOR = re.compile(r'/(v[0-9.]+/?)?$')


class Log:
    """A hook that keeps every answer."""

    def __init__(self) -> None:
        self.answers: list[requests.Response] = []

    def __call__(
        self, response: requests.Response, *_: Any, **__: Any
    ) -> None:
        self.answers.append(response)


def kind(answer: requests.Response) -> str:
    """Say what a request was for: one of few, or one for each server."""
    path = parse.urlsplit(answer.url).path
    if _PER_SERVER.search(path):
        return 'per server'
    if path.endswith('/allocation_candidates'):
        return 'allocation candidates'
    if path.endswith('/auth/tokens') or _DOOR.search(path):
        return 'login'
    return 'bulk'


@contextlib.contextmanager
def multiplied(
    answers: list[requests.Response], times: int
) -> Iterator[requests_mock.Mocker]:
    """Let every answer stand for so many times the servers.

    What is listed by server is there ``times`` over, each copy with ids of
    its own; what is asked of one copy is answered as of the original.
    """
    known = {_key(answer.request): answer for answer in answers}
    moving = {
        server['id']
        for answer in answers
        if '/servers/detail' in answer.url
        for server in answer.json()['servers']
    }
    page = Page(known, moving, times)
    with requests_mock.Mocker() as mocker:
        mocker.register_uri(requests_mock.ANY, requests_mock.ANY, json=page)
        yield mocker


class Page:
    """Answers requests as a larger cloud would."""

    def __init__(
        self,
        known: dict[str, requests.Response],
        moving: set[str],
        times: int,
    ) -> None:
        self._known = known
        self._moving = moving
        self._times = times
        # copies of a server have the image of the original
        self._shared = {
            part
            for key in known
            for part in key.split('/')
            if '/images/' in key and UUID.fullmatch(part)
        }
        self._originals: dict[str, str] = {}

    def __call__(self, request: Any, context: Any) -> Any:
        query = dict(parse.parse_qsl(parse.urlsplit(request.url).query))
        if 'marker' in query:
            return {'servers': [], 'volumes': [], 'hypervisors': []}
        if '/volumes/detail' in request.url:
            # few are asked for one by one, many are listed
            listed = [
                answer.json()['volume']
                for key, answer in self._known.items()
                if _VOLUME.search(key)
            ]
            return self._grown({'volumes': listed})
        url = UUID.sub(
            lambda match: self._originals.get(match[0], match[0]), request.url
        )
        answer = self._known[f'{request.method} {url}']
        context.status_code = answer.status_code
        context.headers.update(
            {
                name: value
                for name, value in answer.headers.items()
                if name.lower()
                not in ('content-length', 'content-encoding', 'connection')
            }
        )
        return self._grown(answer.json())

    def _grown(self, body: Any) -> Any:
        """Repeat what belongs to servers, in lists and by consumer."""
        if isinstance(body, list):
            return [
                each
                for item in body
                for each in (
                    self._copies(item) if self._is_of_server(item) else [item]
                )
            ]
        if isinstance(body, dict):
            grown = {key: self._grown(value) for key, value in body.items()}
            for key in self._moving & body.keys():
                for number in range(1, self._times):
                    grown[self._other(key, number)] = body[key]
            return grown
        return body

    def _is_of_server(self, item: Any) -> bool:
        if not isinstance(item, dict):
            return item in self._moving if isinstance(item, str) else False
        return bool(
            self._moving & {item.get('id'), item.get('device_id')}
        ) or any(
            attached.get('server_id') in self._moving
            for attached in item.get('attachments', ())
        )

    def _copies(self, item: Any) -> list[Any]:
        text = json.dumps(item)
        return [item] + [
            json.loads(
                UUID.sub(
                    lambda match, n=number: (
                        match[0]
                        if match[0] in self._shared
                        else self._other(match[0], n)
                    ),
                    text,
                )
            )
            for number in range(1, self._times)
        ]

    def _other(self, identity: str, number: int) -> str:
        """Return the id of a copy; the same one every time."""
        name = f'{identity}/{number}'
        other = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        self._originals[other] = identity
        return other


def _key(request: Any) -> str:
    return f'{request.method} {request.url}'
