# SPDX-License-Identifier: Apache-2.0
"""A proxy between a client and Nova that breaks what it is told to break.

It notes each request with what Nova answered, whether or not the client got
that: what Nova accepted is known even if nobody was told. The links in Nova's
answers follow the Host header, which is passed on, so they lead here, too.
"""

from collections.abc import Callable
import dataclasses
from http import server
import http.client
import json
import os
import re
import socket
import struct
import sys
import threading
import time
from typing import Any
from urllib import parse

MOVES = ('os-migrateLive', 'migrate', 'evacuate')
# of one connection; keystoneauth's requests and Nova's answers say their own
_HOP_BY_HOP = ('connection', 'keep-alive', 'transfer-encoding')
# a token that Nova never gave
_EXPIRED = 'gAAAAABexpired'


@dataclasses.dataclass(slots=True)
class Exchange:
    """A request and what became of it.

    ``action`` is the first key of a POST's body. ``status`` is what Nova
    answered, ``None`` if it was not asked. ``is_broken`` says that a rule was
    about it.
    """

    number: int
    method: str
    path: str
    action: str
    status: int | None = None
    is_broken: bool = False

    @property
    def is_change(self) -> bool:
        """Whether it asks Nova to change something."""
        return self.method not in ('GET', 'HEAD')

    @property
    def server_id(self) -> str:
        """Return the server that it is about."""
        found = re.search(r'/servers/([0-9a-f-]{36})', self.path)
        return found[1] if found else ''


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What Nova answered, or somebody in its place."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b''


Fault = Callable[['Call'], None]
Matches = Callable[[Exchange], bool]


class Proxy:
    """A proxy on a port of its own, until it is closed.

    :param target: the address of Nova in the catalogue

    Tokens are valid for ``lifetime`` seconds after they were seen first.
    """

    lifetime = 3600.0

    def __init__(self, target: str) -> None:
        self.exchanges: list[Exchange] = []
        self.target = parse.urlsplit(target)
        self._rules: list[tuple[Matches, Fault, int]] = []
        self._ends: dict[str, float] = {}
        self._lock = threading.Lock()
        self._server = _Server(('127.0.0.1', 0), Call)
        self._server.proxy = self
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={'poll_interval': 0.1},
            daemon=True,
        ).start()

    @property
    def url(self) -> str:
        """Return what stands in for Nova's address."""
        port = self._server.server_address[1]
        return f'http://127.0.0.1:{port}{self.target.path}'

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def break_(self, matches: Matches, fault: Fault, times: int = 1) -> None:
        """Let something go wrong with the next requests of a kind."""
        with self._lock:
            self._rules.append((matches, fault, times))

    def break_first(
        self, matches: Matches, fault: Fault, times: int = 1
    ) -> None:
        """Let something go wrong before whatever else would."""
        with self._lock:
            self._rules.insert(0, (matches, fault, times))

    def heal(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._rules.clear()

    def forget(self) -> None:
        """Begin a new list of requests."""
        with self._lock:
            self.exchanges = []

    def asked(self, server_id: str, *actions: str) -> list[Exchange]:
        """Return the requests for actions of a server that reached Nova."""
        return [
            exchange
            for exchange in self.exchanges
            if exchange.server_id == server_id
            and exchange.action in actions
            and exchange.status is not None
        ]

    def note(self, method: str, path: str, body: bytes) -> Exchange:
        """Write a request down."""
        action = ''
        if method == 'POST' and body.startswith(b'{'):
            action = next(iter(json.loads(body)), '')
        with self._lock:
            number = len(self.exchanges) + 1
            exchange = Exchange(number, method, path, action)
            self.exchanges.append(exchange)
            return exchange

    def fault(self, exchange: Exchange) -> Fault:
        """Return what happens to a request."""
        with self._lock:
            for index, (matches, fault, times) in enumerate(self._rules):
                if matches(exchange):
                    del self._rules[index]
                    exchange.is_broken = True
                    if times > 1:
                        rule = matches, fault, times - 1
                        self._rules.insert(index, rule)
                    return fault
        return well

    def expire(self, token: str) -> None:
        """Take a token for one that is over, from now on."""
        self._ends[token] = 0

    def token(self, token: str) -> str:
        """Return the token that Nova is shown."""
        now = time.monotonic()
        ends = self._ends.setdefault(token, now + self.lifetime)
        return token if now < ends else _EXPIRED


class _Server(server.ThreadingHTTPServer):
    """Serves each connection in a thread that ends with the test."""

    daemon_threads = True
    proxy: Proxy

    def handle_error(self, *where: Any) -> None:
        """Say what is wrong, unless a client died or was cut off."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*where)


class Call(server.BaseHTTPRequestHandler):
    """One request; a fault does with it what it likes."""

    protocol_version = 'HTTP/1.1'
    # head and body leave together
    wbufsize = -1
    disable_nagle_algorithm = True
    exchange: Exchange

    def _serve(self) -> None:
        length = int(self.headers.get('Content-Length', 0))
        self.body = self.rfile.read(length)
        self.exchange = self.proxy.note(self.command, self.path, self.body)
        self.proxy.fault(self.exchange)(self)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    @property
    def proxy(self) -> Proxy:
        """The proxy that this is a part of."""
        assert isinstance(self.server, _Server)
        return self.server.proxy

    def forward(self) -> Reply:
        """Ask Nova."""
        target = self.proxy.target
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _HOP_BY_HOP
        }
        if 'X-Auth-Token' in headers:
            token = self.proxy.token(headers['X-Auth-Token'])
            headers['X-Auth-Token'] = token
        link = http.client.HTTPConnection(target.hostname or '', target.port)
        try:
            link.request(self.command, self.path, self.body, headers)
            answer = link.getresponse()
            reply = Reply(
                answer.status, tuple(answer.getheaders()), answer.read()
            )
        finally:
            link.close()
        self.exchange.status = reply.status
        return reply

    def reply(self, reply: Reply) -> None:
        """Answer the client."""
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            if name.lower() not in (*_HOP_BY_HOP, 'content-length'):
                self.send_header(name, value)
        if reply.status != 204:
            self.send_header('Content-Length', str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def reset(self) -> None:
        """Let the client see a connection that was reset."""
        self.close_connection = True
        linger = struct.pack('ii', 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(self.connection.detach())

    def log_message(self, *_: Any) -> None:
        """Say nothing: the list of exchanges is the log."""


# what can happen to a request


def well(call: Call) -> None:
    """Ask Nova, and pass its answer on."""
    call.reply(call.forward())


def reset(call: Call) -> None:
    """Break the connection before Nova has heard anything."""
    call.reset()


def lost(call: Call) -> None:
    """Ask Nova, and lose its answer."""
    call.forward()
    call.reset()


def slow(seconds: float) -> Fault:
    """Ask Nova, and take some time over it."""

    def fault(call: Call) -> None:
        time.sleep(seconds)
        call.reply(call.forward())

    return fault


def answer(status: int, *, is_asked: bool = False, **headers: str) -> Fault:
    """Answer in Nova's place, as a load balancer does.

    :param is_asked: whether Nova has got the request all the same
    """
    named = {name.replace('_', '-'): text for name, text in headers.items()}

    def fault(call: Call) -> None:
        if is_asked:
            call.forward()
        page = f'<html><body><h1>{status}</h1></body></html>'.encode()
        pairs = (('Content-Type', 'text/html'), *named.items())
        call.reply(Reply(status, pairs, page))

    return fault


def expired(call: Call) -> None:
    """Let the token of the client be over, from this request on."""
    call.proxy.expire(call.headers['X-Auth-Token'])
    call.reply(call.forward())


# which requests


def any_(exchange: Exchange) -> bool:
    """Whatever is asked."""
    return True


def reads(exchange: Exchange) -> bool:
    """What changes nothing."""
    return not exchange.is_change


def changes(exchange: Exchange) -> bool:
    """What changes something."""
    return exchange.is_change


def moves(exchange: Exchange) -> bool:
    """What asks for a move."""
    return exchange.action in MOVES


def confirmations(exchange: Exchange) -> bool:
    """What confirms a cold migration."""
    return exchange.action == 'confirmResize'
