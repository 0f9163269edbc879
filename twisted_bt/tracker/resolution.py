"""
The names that a tracker gives among its peers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import DeferredList

from twisted_bt.naming import resolve
from twisted_bt.tracker.announce import AnnounceResponse

NAME_TIME = 5.0
"""Seconds for the names among a tracker's peers: rare, and not worth the answer's time limit."""


async def resolveNames(reactor: Any, response: AnnounceResponse) -> AnnounceResponse:
    """C{response} with the addresses of its C{names} among its peers, as far as they are found in time."""
    searches = [
        resolve(reactor, host, port, "TCP").addTimeout(NAME_TIME, reactor) for host, port in response.names
    ]
    peers = list(response.peers)
    for success, found in await DeferredList(searches, consumeErrors=True):
        peers += found if success else []
    return replace(response, peers=tuple(dict.fromkeys(peers)), names=())
