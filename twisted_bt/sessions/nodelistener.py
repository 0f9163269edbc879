"""
The DHT node of a client, as the second of its listening services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_bt.sessions.service import ClientService

if TYPE_CHECKING:
    from twisted_bt.dht.service import DhtNode
    from twisted_bt.sessions.client import ClientSession

#: Under which the database keeps what the node knows.
STATE = "dht"
#: Seconds between two times that it is put there, since programs are killed.
SAVE_EVERY = 600.0


class NodeListener(ClientService):
    """
    Runs a L{DhtNode} while the client runs and its settings want one, on the UDP port with the number
    of the peer listener's where that is free.

    @ivar node: the node while it runs, else C{None}.
    """

    _log = Logger()

    def __init__(self, client: ClientSession) -> None:
        super().__init__("dht", lambda: ())
        self._client = client
        self.node: DhtNode | None = None
        self._saving: IDelayedCall | None = None

    @property
    def port(self) -> int | None:
        """The UDP port while running, else C{None}."""
        return self.node.port if self.node is not None else None

    def startService(self) -> None:
        """
        Bind, and begin to join.

        @raise CannotListenError: the port that the settings name is taken.
        """
        client = self._client
        if self.running or not client.settings.dht:
            return
        wanted = client.settings.listenPort
        try:
            node = self._start(client.listenerPort or wanted)
        except CannotListenError:
            if wanted:
                raise
            node = self._start(0)
        self.node = node
        self.running = 1
        self._saving = client.reactor.callLater(SAVE_EVERY, self._save)

    def _start(self, port: int) -> DhtNode:
        # Loaded when it is wanted: many who embed a client want none, and it takes a twentieth of a second.
        from twisted_bt.dht.service import DhtNode
        from twisted_bt.dht.settings import DhtSettings

        client = self._client
        settings = client.settings
        options = DhtSettings() if settings.dhtRouters is None else DhtSettings(routers=settings.dhtRouters)
        node = DhtNode(
            client.reactor,
            client.random,
            port,
            settings.interfaces,
            client.assembly.notes.get(STATE) or b"",
            options,
        )
        node.startService()
        return node

    def stopService(self) -> Deferred[None]:
        """Fires once the port is closed and what the node knows is on record."""
        node, self.node = self.node, None
        self.running = 0
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None

        async def stop() -> None:
            if node is not None:
                state = node.state()
                await node.stopService()
                await self._client.assembly.notes.put(STATE, state)

        stopping = Deferred.fromCoroutine(stop())
        stopping.addErrback(self._notSaved)
        return stopping

    def _save(self) -> None:
        client = self._client
        self._saving = client.reactor.callLater(SAVE_EVERY, self._save)
        if self.node is not None:
            client.assembly.notes.put(STATE, self.node.state()).addErrback(self._notSaved)

    def _notSaved(self, reason: Failure) -> None:
        self._log.failure("saving what the DHT knows", reason)
