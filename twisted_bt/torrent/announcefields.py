"""
What a torrent file says beside its info dictionary: trackers, web seeds, nodes, and words for people.

None of it is covered by the info-hash, and none of it is worth refusing a torrent for: what cannot be
used is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from twisted_bt.torrent.bencoding import BValue, bytesIn, intIn, listIn
from twisted_bt.torrent.paths import decodeText

#: Longer addresses than any tracker has.
MAX_URL = 8192

_trackerForm = re.compile(r"(?:https?|udp|wss?)://[^/?#\s][^\s\x00-\x20\x7f]*", re.IGNORECASE).fullmatch
_seedForm = re.compile(r"(?:https?|ftp)://[^/?#\s].*", re.IGNORECASE).fullmatch


def trackerUrl(raw: bytes) -> str | None:
    """C{raw}, without blanks around, as the URL of a tracker; C{None} if it is none that is known."""
    try:
        url = raw[:MAX_URL].strip().decode("utf-8")
    except UnicodeDecodeError:
        return None
    return url if _trackerForm(url) else None


def readTrackers(fields: dict[bytes, BValue]) -> tuple[tuple[str, ...], ...]:
    """
    The tiers of trackers (BEP 12): C{announce-list}, or C{announce} where that has none that can be used.
    """
    tiers = []
    for tier in listIn(fields, b"announce-list"):
        if type(tier) is list:
            urls = (trackerUrl(each) for each in tier if type(each) is bytes)
            tiers.append(tuple(url for url in urls if url is not None))
    tiers = [tier for tier in tiers if tier]
    if not tiers:
        url = trackerUrl(bytesIn(fields, b"announce", b""))
        tiers = [(url,)] if url is not None else []
    return tuple(tiers)


def seedUrl(raw: bytes) -> str | None:
    """
    C{raw} as the URL of a web seed, what a URL cannot hold escaped; C{None} if it is none that is known.
    """
    text = quote(raw[:MAX_URL].strip(), safe=b"%/:?#[]@!$&'()*+,;=~")
    return text if _seedForm(text) else None


def readSeeds(fields: dict[bytes, BValue], key: bytes, folder: bool) -> tuple[str, ...]:
    """
    The web seeds C{key}: C{url-list} (BEP 19) or C{httpseeds} (BEP 17), a list or one string.

    @param folder: the URLs name a folder, so they end in C{/} (BEP 19, torrents of several files).
    """
    value = fields.get(key)
    listed = value if type(value) is list else [value]
    found: dict[str, None] = {}
    for raw in listed:
        url = seedUrl(raw) if type(raw) is bytes else None
        if url is not None:
            found[url if not folder or url.endswith("/") else url + "/"] = None
    return tuple(found)


def readNodes(fields: dict[bytes, BValue]) -> tuple[tuple[str, int], ...]:
    """The DHT nodes to begin with (BEP 5): names or addresses, and ports."""
    found = []
    for node in listIn(fields, b"nodes"):
        match node:
            case [bytes(host), int(port), *_] if host and host.isascii() and 1 <= port <= 65535:
                found.append((host.decode("ascii"), port))
            case _:
                pass
    return tuple(found)


def readText(fields: dict[bytes, BValue], key: bytes) -> str:
    """Words for people: C{key} with C{.utf-8} where there is one, else C{key}; C{""} for neither."""
    return decodeText(bytesIn(fields, key + b".utf-8", bytesIn(fields, key, b"")))


def readDate(fields: dict[bytes, BValue]) -> int | None:
    """C{creation date}: seconds since 1970 began, in UTC."""
    return intIn(fields, b"creation date", 1, 1 << 62, None)


def readSimilar(places: Iterable[dict[bytes, BValue]]) -> tuple[bytes, ...]:
    """The info-hashes of torrents that share files with this one (BEP 38)."""
    listed = (each for fields in places for each in listIn(fields, b"similar"))
    return tuple(dict.fromkeys(each for each in listed if type(each) is bytes and len(each) in (20, 32)))


def readCollections(places: Iterable[dict[bytes, BValue]]) -> tuple[str, ...]:
    """The names of the collections that this torrent belongs to (BEP 38)."""
    listed = (each for fields in places for each in listIn(fields, b"collections"))
    return tuple(dict.fromkeys(decodeText(each) for each in listed if type(each) is bytes and each))
