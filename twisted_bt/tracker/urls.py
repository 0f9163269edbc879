"""
The address of a tracker, taken apart once, so that the protocols do not each guess at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, unquote, urljoin, urlsplit

from twisted_bt.errors import TrackerError

DEFAULT_PORTS = {"http": 80, "https": 443, "udp": 80}
"""The schemes we know, and the port where a URL names none."""

LONGEST_URL = 4096
"""Characters: longer than any passkey, and a line that every web server takes."""

# What may stand in a URL as it is: everything that has a meaning there, and the percent sign,
# since what is escaped already must stay as it is (a passkey is compared byte by byte).
_SAFE = "%/?:@!$&'()*+,;=~-._"
_label = re.compile(r"[A-Za-z0-9_-]{1,63}\Z").match


@dataclass(frozen=True, slots=True)
class TrackerURL:
    """
    A tracker's URL in pieces, each fit to be sent.  Make one with L{parse}.
    """

    scheme: str
    host: str
    """A name, or an IP literal without brackets; lower case."""
    port: int
    path: str
    """From the first slash; C{""} where there is none."""
    query: str
    """Behind the question mark; C{""} where there is none."""
    credentials: str | None = None
    """C{user:password} that stood before the host."""

    @classmethod
    def parse(cls, text: str) -> TrackerURL:
        """
        The URL C{text}, as it stands in a torrent or a magnet link.

        @raise TrackerError: it cannot be used: an unknown scheme, no host, a bad port, too long.
        """
        text = text.strip()
        if len(text) > LONGEST_URL:
            raise TrackerError(f"a tracker's URL of {len(text)} characters; limit {LONGEST_URL}")
        try:
            parts = urlsplit(text)
            port = parts.port
            host = hostOf(parts.hostname) if parts.hostname else ""
        except ValueError as reason:
            raise TrackerError(f"{text!r} is no URL: {reason}") from reason
        scheme = parts.scheme.lower()
        if scheme not in DEFAULT_PORTS:
            raise TrackerError(f"trackers of the kind {scheme!r} are not known")
        if not host:
            raise TrackerError(f"{text!r} names no host")
        if port == 0:
            raise TrackerError(f"{text!r} has port 0")
        user, at, _ = parts.netloc.rpartition("@")
        return cls(
            scheme,
            host,
            DEFAULT_PORTS[scheme] if port is None else port,
            quote(parts.path, safe=_SAFE),
            quote(parts.query, safe=_SAFE),
            unquote(user) if at else None,
        )

    @property
    def target(self) -> str:
        """Path and query: what is behind the host."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def netloc(self) -> str:
        """Host and port, the port left out where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"

    def join(self, location: str) -> TrackerURL:
        """
        Where a redirect to C{location} leads; credentials stay with their host.

        @raise TrackerError: as L{parse}.
        """
        try:
            joined = urljoin(str(self), location.strip())
        except ValueError as reason:
            raise TrackerError(f"redirect to {location!r}: {reason}") from reason
        there = TrackerURL.parse(joined)
        if there.credentials is None and (there.host, there.port) == (self.host, self.port):
            return TrackerURL(there.scheme, there.host, there.port, there.path, there.query, self.credentials)
        return there


def hostOf(text: str) -> str:
    """
    C{text} as a host that can be resolved, in lower case.

    @raise ValueError: it is none.
    """
    if ":" in text:
        if "%" in text:  # a zone: any text may be one, and it means nothing but on the machine it is of
            raise ValueError(f"no host {text!r}")
        return str(ip_address(text))
    host = (text if text.isascii() else text.encode("idna").decode("ascii")).lower()
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(map(_label, labels)):
        raise ValueError(f"no host {text!r}")
    return host


def isLiteral(host: str) -> bool:
    """Whether C{host} is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
