# SPDX-License-Identifier: Apache-2.0
"""An oslo.messaging driver that speaks to the lab's broker.

``transport_url = lab://127.0.0.1:PORT/``, after :func:`register`. Queues are
named as by the RabbitMQ driver, and what crosses is the JSON that
oslo.messaging's own serializers make, so exceptions and objects of Nova
arrive as they do over RabbitMQ.
"""

from collections.abc import Iterable
import functools
from importlib import metadata
import itertools
import queue
import socket
import threading
import time
from typing import Any
import uuid

from oslo_log import log as logging
import oslo_messaging
from oslo_messaging._drivers import base
from oslo_messaging._drivers import common
from oslo_serialization import jsonutils
from stevedore import extension

from lab import broker

LOG = logging.getLogger(__name__)
Body = dict[str, Any]


def register() -> None:
    """Let oslo.messaging find the driver, without an installed package."""
    group = 'oslo.messaging.drivers'
    point = metadata.EntryPoint('lab', f'{__name__}:Driver', group)
    extension.ExtensionManager.ENTRY_POINT_CACHE[group] = [point]


class _Connection:
    """The one connection of a process; a thread hands out what comes in."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sending = threading.Lock()
        self.numbers = itertools.count()
        self.reply_queue = f'{broker.REPLIES.decode()}{uuid.uuid4().hex}'
        self.calls: dict[int, queue.Queue[Body]] = {}
        self.listeners: dict[str, queue.Queue[Body | None]] = {}
        self.send(broker.SUBSCRIBE, self.reply_queue)
        threading.Thread(target=self._read, daemon=True).start()

    def send(
        self, operation: bytes, name: str, body: Body | None = None
    ) -> None:
        encoded = b'' if body is None else jsonutils.dump_as_bytes(body)
        data = broker.frame(operation, name.encode(), encoded)
        with self.sending:
            self.socket.sendall(data)

    def _read(self) -> None:
        stream = self.socket.makefile('rb', 1 << 16)
        while header := stream.read(broker.FRAME.size):
            _, body_length, name_length = broker.FRAME.unpack(header)
            name = stream.read(name_length).decode()
            body = jsonutils.loads(stream.read(body_length))
            if name == self.reply_queue:
                receiver = self.calls.get(body['id'])
            else:
                receiver = self.listeners.get(name)
            if receiver is not None:
                receiver.put(body)
        LOG.error('The broker is gone.')


@functools.cache
def _connect(host: str, port: int) -> _Connection:
    return _Connection(host, port)


class _Incoming(base.RpcIncomingMessage):
    """A message to a server, and the way back."""

    def __init__(self, connection: _Connection, body: Body) -> None:
        super().__init__(body['context'], body['message'])
        self.client_timeout = body.get('monitor')
        self._connection = connection
        self._body = body

    def _answer(self, **answer: Any) -> None:
        if 'reply_to' in self._body:
            answer['id'] = self._body['id']
            self._connection.send(
                broker.PUBLISH, self._body['reply_to'], answer
            )

    def reply(self, reply: Any = None, failure: Any = None) -> None:
        if failure:
            self._answer(failure=common.serialize_remote_exception(failure))
        else:
            self._answer(result=reply)

    def heartbeat(self) -> None:
        self._answer(heartbeat=True)

    def requeue(self) -> None:
        """Do nothing: no server asks for it."""


class _Listener(base.PollStyleListener):
    """What one server receives, from its queues."""

    def __init__(self, connection: _Connection, names: Iterable[str]) -> None:
        super().__init__()
        self._connection = connection
        self._names = tuple(names)
        self._received: queue.Queue[Body | None] = queue.Queue()
        self._is_stopped = False
        for name in self._names:
            connection.listeners[name] = self._received
            connection.send(broker.SUBSCRIBE, name)

    @base.batch_poll_helper
    def poll(self, timeout: float | None = None) -> _Incoming | None:
        try:
            # A stopped server still takes what is here, and then ends.
            body = self._received.get(not self._is_stopped, timeout)
        except queue.Empty:
            return None
        return None if body is None else _Incoming(self._connection, body)

    def stop(self) -> None:
        for name in self._names:
            self._connection.send(broker.UNSUBSCRIBE, name)
            self._connection.listeners.pop(name, None)
        self._is_stopped = True
        self._received.put(None)


class Driver(base.BaseDriver):
    """The driver, as oslo.messaging wants it."""

    @property
    def _connection(self) -> _Connection:
        address = self._url.hosts[0]
        return _connect(address.hostname, address.port)

    def _topic(self, target: Any) -> str:
        return f'{target.exchange or self._default_exchange}.{target.topic}'

    def send(
        self,
        target: Any,
        ctxt: Any,
        message: Any,
        wait_for_reply: bool | None = None,
        timeout: float | None = None,
        call_monitor_timeout: float | None = None,
        retry: int | None = None,
        transport_options: Any = None,
    ) -> Any:
        name = self._topic(target)
        body: Body = {'context': ctxt, 'message': message}
        if target.fanout:
            self._connection.send(broker.FANOUT, f'{name}.fanout', body)
            return None
        if target.server:
            name += f'.{target.server}'
        if not wait_for_reply:
            self._connection.send(broker.PUBLISH, name, body)
            return None
        if call_monitor_timeout:
            body['monitor'] = call_monitor_timeout
        return self._call(name, body, timeout)

    def _call(self, name: str, body: Body, timeout: float | None) -> Any:
        connection = self._connection
        body['id'] = next(connection.numbers)
        body['reply_to'] = connection.reply_queue
        answers: queue.Queue[Body] = queue.Queue()
        connection.calls[body['id']] = answers
        try:
            connection.send(broker.PUBLISH, name, body)
            answer = _wait(answers, timeout, body.get('monitor'))
        except queue.Empty:
            raise oslo_messaging.MessagingTimeout(
                f'Timed out waiting for a reply to a message to {name}'
            ) from None
        finally:
            del connection.calls[body['id']]
        if answer.get('failure'):
            raise common.deserialize_remote_exception(
                answer['failure'], self._allowed_remote_exmods
            )
        return answer.get('result')

    def listen(
        self, target: Any, batch_size: int, batch_timeout: float
    ) -> base.PollStyleListenerAdapter:
        topic = self._topic(target)
        names = (topic, f'{topic}.{target.server}', f'{topic}.fanout')
        return base.PollStyleListenerAdapter(
            _Listener(self._connection, names), batch_size, batch_timeout
        )

    def send_notification(self, *_: Any, **options: Any) -> None:
        """Drop it: the lab has nobody who listens to notifications."""

    def listen_for_notifications(self, *_: Any, **options: Any) -> None:
        """Refuse.

        :raises: NotImplementedError.
        """
        raise NotImplementedError

    def cleanup(self) -> None:
        """Do nothing: the connection ends with the process."""


def _wait(
    answers: 'queue.Queue[Body]', timeout: float | None, monitor: float | None
) -> Body:
    """Wait for the answer; heartbeats of the server prolong ``monitor``."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if monitor:
            left = monitor if left is None else min(left, monitor)
        answer = answers.get(timeout=None if left is None else max(0, left))
        if 'heartbeat' not in answer:
            return answer
