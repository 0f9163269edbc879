"""
The clients of trackers, by the scheme of their URLs, each made when it is first asked for.

Whoever has no HTTP tracker does not pay for loading all that HTTP needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from twisted.internet.defer import Deferred, DeferredList

from twisted_bt.interfaces import IClientReactor, ITrackerClient, Random
from twisted_bt.settings import Settings


class TrackerClients(Mapping[str, ITrackerClient]):
    """Announces leave from where peers are expected: from C{settings.interfaces}."""

    def __init__(self, reactor: IClientReactor, settings: Settings, random: Random) -> None:
        self._reactor = reactor
        self._settings = settings
        self._random = random
        self._made: dict[str, ITrackerClient] = {}

    def __getitem__(self, scheme: str) -> ITrackerClient:
        kind = {"http": "http", "https": "http", "udp": "udp"}[scheme]
        if kind not in self._made:
            self._made[kind] = self._http() if kind == "http" else self._udp()
        return self._made[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(("http", "https", "udp"))

    def __len__(self) -> int:
        return 3

    def close(self) -> Deferred[None]:
        """End what is under way and give back sockets; fires when that is done."""
        made, self._made = self._made, {}
        closing = DeferredList([client.close() for client in made.values()], consumeErrors=True)
        return closing.addCallback(lambda _: None)

    def _http(self) -> ITrackerClient:
        from twisted_bt.tracker.http import HttpTrackerClient

        settings = self._settings
        alone = len(settings.interfaces) == 1 and settings.interfaces[0]
        return HttpTrackerClient(
            self._reactor,
            settings.clientName,
            timeout=settings.trackerTimeout,
            maxBody=settings.maxTrackerResponse,
            bindAddress=alone or None,
        )

    def _udp(self) -> ITrackerClient:
        from twisted_bt.tracker.udp import UdpTrackerClient

        settings = self._settings
        return UdpTrackerClient(
            self._reactor, self._random, timeout=settings.trackerTimeout, interfaces=settings.interfaces
        )
