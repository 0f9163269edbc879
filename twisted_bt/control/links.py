"""
Magnet links, for people and for programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from twisted_bt.control.describe import printable
from twisted_bt.control.options import HostPort
from twisted_bt.control.units import formatSize
from twisted_bt.torrent.magnet import Magnet
from twisted_bt.torrent.metainfo import Metainfo


def magnetOf(metainfo: Metainfo, peers: Sequence[tuple[str, int]] = ()) -> Magnet:
    """
    The link of a torrent.

    @param peers: where it can be had (C{x.pe}).
    """
    return Magnet(
        infoHash=metainfo.infoHash,
        infoHashV2=metainfo.infoHashV2,
        name=metainfo.name,
        trackers=tuple(dict.fromkeys(url for tier in metainfo.trackers for url in tier)),
        webSeeds=metainfo.webSeeds,
        peers=tuple(peers),
        length=sum(each.length for each in metainfo.files if not each.isPad),
        nodes=metainfo.nodes,
    )


def nameOf(magnet: Magnet) -> str:
    """What to call the torrent as long as only its link is known."""
    return magnet.name or (magnet.infoHash or magnet.infoHashV2 or b"magnet").hex()


def describeMagnet(text: str, magnet: Magnet) -> dict[str, Any]:
    """
    A JSON object.  Keys are always the same; hashes and keys are hexadecimal and C{None} where absent.

    @param text: the link as the user gave it.
    """
    return {
        "magnet": text,
        "name": magnet.name,
        "infoHash": _hex(magnet.infoHash),
        "infoHashV2": _hex(magnet.infoHashV2),
        "length": magnet.length,
        "trackers": list(magnet.trackers),
        "webSeeds": list(magnet.webSeeds),
        "peers": [[host, port] for host, port in magnet.peers],
        "selectOnly": [[each.start, each.stop - 1] for each in magnet.selectOnly],
        "nodes": [[host, port] for host, port in magnet.nodes],
        "publicKey": _hex(magnet.publicKey),
        "salt": magnet.salt.hex(),
    }


def magnetLines(magnet: Magnet) -> Iterator[str]:
    """The same for people, a line at a time; nothing in it can move the cursor of a terminal."""
    for label, value in _rows(magnet):
        yield printable(f"{label:<14}{value}")


def _rows(magnet: Magnet) -> Iterator[tuple[str, str]]:
    if magnet.name:
        yield "name", magnet.name
    yield "info-hash", _hex(magnet.infoHash) or "none"
    if magnet.infoHashV2 is not None:
        yield "info-hash v2", magnet.infoHashV2.hex()
    if magnet.publicKey is not None:
        yield "public key", magnet.publicKey.hex()
    if magnet.salt:
        yield "salt", magnet.salt.hex()
    if magnet.length is not None:
        yield "size", f"{formatSize(magnet.length)} ({magnet.length} bytes)"
    for url in magnet.trackers:
        yield "tracker", url
    for url in magnet.webSeeds:
        yield "web seed", url
    for host, port in magnet.peers:
        yield "peer", str(HostPort(host, port))
    if magnet.selectOnly:
        parts = (
            f"{each.start}-{each.stop - 1}" if len(each) > 1 else f"{each.start}"
            for each in magnet.selectOnly
        )
        yield "only files", ", ".join(parts)
    for host, port in magnet.nodes:
        yield "DHT node", str(HostPort(host, port))


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
