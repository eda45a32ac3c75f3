"""The embedded MQTT broker: amqtt, made to keep its QoS 1 promise across a subscriber's crash.

amqtt 0.12 forgets what is in flight to a client that disconnects, gives an acknowledgement five
seconds, and drops what a leaving publisher had been acknowledged for but was not yet handed on.
Here an unacknowledged message stays in its session until it is acknowledged, however often the
subscriber dies, and a leaving publisher's messages are handed on first. Sessions live in memory:
they end with this process.

Run as ``python -m shouhuan.embedded.broker HOST PORT`` with ``BROKER_USERNAME`` and ``BROKER_PASSWORD``.
"""

import asyncio
import hmac
import logging
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import amqtt.broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import IncomingApplicationMessage, OutgoingApplicationMessage, Session

_GOODBYE_S: Final = 3.0


class PasswordAuth(BaseAuthPlugin):
    """One account for all: a session with a name is one whose messages are kept while it is away."""

    @dataclass
    class Config:
        """The account."""

        username: str
        password: str

    async def authenticate(self, *, session: Session) -> bool:
        """Whether name and password are the account's."""
        given = f"{session.username}\0{session.password}".encode()
        return hmac.compare_digest(given, f"{self.config.username}\0{self.config.password}".encode())


class DurableHandler(BrokerProtocolHandler):
    """Keeps an outgoing QoS 1 message in its session until the client acknowledges it."""

    async def _handle_qos1_message_flow(
        self, app_message: IncomingApplicationMessage | OutgoingApplicationMessage
    ) -> None:
        session, packet_id = self.session, app_message.packet_id
        if isinstance(app_message, IncomingApplicationMessage) or session is None or packet_id is None:
            await super()._handle_qos1_message_flow(app_message)
            return
        again = packet_id in session.inflight_out
        session.inflight_out[packet_id] = app_message
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._puback_waiters[packet_id] = waiter
        await self._send_packet(app_message.build_publish_packet(dup=again))
        if self._reader_stopped.is_set():
            return
        await waiter
        self._puback_waiters.pop(packet_id, None)
        session.inflight_out.pop(packet_id, None)

    async def _retry_deliveries(self) -> None:
        """Send again what was in flight, without making the client's next packets wait for the answers."""
        waiting = list(self.session.inflight_out.values()) if self.session is not None else []
        self._redelivering = [asyncio.ensure_future(self._handle_message_flow(message)) for message in waiting]


class DurableBroker(amqtt.broker.Broker):
    """Hands on everything a publisher was acknowledged for, even when it has left."""

    async def _client_message_loop(self, client_session: Session, handler: BrokerProtocolHandler) -> None:
        await super()._client_message_loop(client_session, handler)
        while not client_session.delivered_message_queue.empty():
            delivered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            delivered.set_result(client_session.delivered_message_queue.get_nowait())
            await self._handle_message_delivery(client_session, handler, delivered)


# The broker names its handler class in its module and offers no other place to say which.
amqtt.broker.BrokerProtocolHandler = DurableHandler  # type: ignore[attr-defined]


async def serve(host: str, port: int, username: str, password: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    account = {"username": username, "password": password}
    broker = DurableBroker(
        BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"{host}:{port}")},
            plugins={"shouhuan.embedded.broker.PasswordAuth": account},
        )
    )
    await broker.start()
    await stop.wait()
    # Since Python 3.12 closing waits for every client to leave, and a refused one need not.
    with suppress(TimeoutError):
        await asyncio.wait_for(broker.shutdown(), _GOODBYE_S)


def main() -> None:
    """Take address and account from the command line and the environment."""
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(name)s %(message)s")
    host, port = sys.argv[1], int(sys.argv[2])
    asyncio.run(serve(host, port, os.environ["BROKER_USERNAME"], os.environ["BROKER_PASSWORD"]))


if __name__ == "__main__":
    # Imported by its own name, so that the plugin's path and this module are one module.
    from shouhuan.embedded.broker import main as run

    run()
