# SPDX-License-Identifier: Apache-2.0
"""The lab's message broker, a small stand-in for RabbitMQ.

``python -m lab.broker DESCRIPTOR``. A frame is an operation, the lengths of
what follows, the name of a queue and a body that is never looked into.
Messages for a queue that nobody reads yet wait for its first reader.
"""

import asyncio
import collections
import contextlib
import socket
import struct
import sys

FRAME = struct.Struct('>cIH')  # operation, length of body, length of name
PUBLISH = b'P'  # to one reader of the queue
FANOUT = b'F'  # to all readers of the queue
SUBSCRIBE = b'S'
UNSUBSCRIBE = b'U'
DELIVER = b'D'
REPLIES = b'reply.'  # answers to who has gone are thrown away

Writer = asyncio.StreamWriter


def frame(operation: bytes, queue: bytes, body: bytes = b'') -> bytes:
    """Return the bytes of one frame."""
    return FRAME.pack(operation, len(body), len(queue)) + queue + body


class Broker:
    """Queues and who reads them."""

    def __init__(self) -> None:
        self.readers: dict[bytes, collections.deque[Writer]] = (
            collections.defaultdict(collections.deque)
        )
        self.waiting: dict[bytes, list[bytes]] = collections.defaultdict(list)

    def publish(self, queue: bytes, body: bytes) -> None:
        """Give a message to the next reader in turn, or keep it."""
        readers = self.readers[queue]
        if readers:
            readers.rotate(-1)
            readers[0].write(frame(DELIVER, queue, body))
        elif not queue.startswith(REPLIES):
            self.waiting[queue].append(body)

    def fanout(self, queue: bytes, body: bytes) -> None:
        """Give a message to everybody who reads the queue."""
        for reader in self.readers[queue]:
            reader.write(frame(DELIVER, queue, body))

    def subscribe(self, queue: bytes, reader: Writer) -> None:
        """Let somebody read a queue, first what waits there."""
        self.readers[queue].append(reader)
        for body in self.waiting.pop(queue, []):
            self.publish(queue, body)

    def unsubscribe(self, queue: bytes, reader: Writer) -> None:
        """Forget a reader of a queue."""
        with contextlib.suppress(ValueError):
            self.readers[queue].remove(reader)

    async def serve(
        self, incoming: asyncio.StreamReader, client: Writer
    ) -> None:
        """Do what one client asks until it goes."""
        queues = set()
        try:
            while True:
                header = await incoming.readexactly(FRAME.size)
                operation, body_length, queue_length = FRAME.unpack(header)
                queue = await incoming.readexactly(queue_length)
                body = await incoming.readexactly(body_length)
                if operation == PUBLISH:
                    self.publish(queue, body)
                elif operation == FANOUT:
                    self.fanout(queue, body)
                elif operation == SUBSCRIBE:
                    queues.add(queue)
                    self.subscribe(queue, client)
                else:
                    self.unsubscribe(queue, client)
        except (asyncio.IncompleteReadError, ConnectionError):
            for queue in queues:
                self.unsubscribe(queue, client)
            client.close()


async def _serve(listener: socket.socket) -> None:
    server = await asyncio.start_server(
        Broker().serve, sock=listener, limit=2**26, backlog=1024
    )
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve on the socket that the command line names."""
    asyncio.run(_serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == '__main__':
    main()
