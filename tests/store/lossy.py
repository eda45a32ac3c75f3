"""A way to the database that can lose the answer to a COMMIT after the database has committed."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from psycopg import conninfo

from tests.services.ports import free_port


class LossyWay:
    """A TCP port in front of a server; ``lose_next_commit`` makes it break off once, at the worst moment."""

    def __init__(self, url: str) -> None:
        facts: dict[str, Any] = dict(conninfo.conninfo_to_dict(url))
        self._host, self._port = str(facts["host"]), int(facts.get("port", 5432))
        port = free_port()
        self.url = conninfo.make_conninfo(url, host="127.0.0.1", port=port)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._armed = threading.Event()
        self._losing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next_commit(self) -> None:
        self._armed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._connect()
            for pump in (self._to_server, self._to_client):
                threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return server

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        while data := _receive(client):
            if self._armed.is_set() and b"COMMIT" in data:
                self._armed.clear()
                self._losing.set()
            server.sendall(data)
        _close(server)

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        while data := _receive(server):
            if self._losing.is_set():
                self._losing.clear()
                _close(server)
                break
            client.sendall(data)
        _close(client)


def _receive(side: socket.socket) -> bytes:
    try:
        return side.recv(65536)
    except OSError:
        return b""


def _close(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
