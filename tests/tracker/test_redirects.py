"""Tests for L{twisted_bt.tracker.agent}: redirects, and where they may not lead."""

from __future__ import annotations

from typing import Any

from tests.tracker.httpcase import GOOD, URL, HttpCase
from tests.tracker.requests import announcing
from twisted_bt.tracker.http import HttpTrackerClient


class HttpRedirectTests(HttpCase):
    """Redirects, and where they must not lead."""

    def redirecting(self, locations: dict[str, str], **more: Any) -> HttpTrackerClient:
        """A client of servers that redirect by path and else give a good answer."""

        def answer(request: Any) -> bytes:
            self.seen.append(request.uri)
            location = locations.get(request.path.decode())
            if location is None:
                return GOOD
            request.setResponseCode(302)
            request.setHeader("location", location)
            return b"gone"

        self.seen: list[bytes] = []
        return self.serving(answer, **more)

    def test_followed(self) -> None:
        """A redirect is followed, byte for byte."""
        client = self.redirecting({"/announce": "http://other/x?hash=%ff%00%2B"})
        d = client.announce("http://public/announce", announcing())
        self.assertEqual(self.result(d).interval, 77)
        self.assertEqual(self.seen[1], b"/x?hash=%ff%00%2B")
        self.assertEqual([host for _, host, _ in self.web.visited], ["public", "other"])

    def test_locations(self) -> None:
        """A location counts with a status that redirects, and such a status needs one."""

        def answer(request: Any) -> bytes:
            if request.path == b"/announce":
                request.setHeader("location", "/elsewhere")
            else:
                request.setResponseCode(302)
            return GOOD

        client = self.serving(answer)
        self.assertEqual(self.result(client.announce(URL, announcing())).interval, 77)
        reason = self.refused(client.announce("http://tracker/nowhere", announcing()))
        self.assertEqual(str(reason), "HTTP status 302 Found")

    def test_bodyLimit(self) -> None:
        """A body of just the limit is not too long."""
        client = self.serving(GOOD, maxBody=len(GOOD))
        self.result(client.announce(URL, announcing()))
        client = self.serving(GOOD, maxBody=len(GOOD) - 1)
        self.refused(client.announce(URL, announcing()))

    def test_loop(self) -> None:
        """Not without end."""
        client = self.redirecting({"/announce": "/announce"}, maxRedirects=3)
        reason = self.refused(client.announce(URL, announcing()))
        self.assertEqual((str(reason), len(self.seen)), ("the tracker redirects more than 3 times", 4))

    def test_schemes(self) -> None:
        """From http to https, but not back, and to nothing else."""
        client = self.redirecting({"/announce": "https://public/x", "/down": "http://public/x"})
        self.result(client.announce("http://public/announce", announcing()))
        for location in ("udp://public:1/", "file:///etc/passwd", "http://[", "gopher://x"):
            client = self.redirecting({"/announce": location})
            self.refused(client.announce("http://public/announce", announcing()))
        client = self.redirecting({"/announce": "http://public/x"})
        reason = self.refused(client.announce("https://public/announce", announcing()))
        self.assertEqual(str(reason), "the tracker redirects from https to http")

    def test_inside(self) -> None:
        """A tracker in the Internet cannot send us to an address that is not, by name or as a literal."""
        for there in (
            "http://inside/x",
            "http://10.0.0.1/x",
            "http://[::1]/announce",
            "http://mapped/announce",
        ):
            client = self.redirecting({"/announce": there})
            reason = self.refused(client.announce("http://public/announce", announcing()))
            self.assertIn("not in the Internet", str(reason))
            self.assertEqual(len(self.seen), 1)

    def test_sameHost(self) -> None:
        """To the host that we were told to ask it may, and so may one that is given as a local address."""
        client = self.redirecting({"/announce": "/other"})
        self.result(client.announce("http://inside/announce", announcing()))
        client = self.redirecting({"/announce": "http://10.0.0.1/x"})
        self.result(client.announce("http://127.0.0.1/announce", announcing()))

    def test_loopback(self) -> None:
        """On this machine only a tracker's paths are asked for, directly or by a redirect."""
        for url in ("http://localhost/delete?all", "http://[::1]/", "http://mapped/x/announce"):
            client = self.redirecting({})
            reason = self.refused(client.announce(url, announcing()))
            self.assertIn("is no tracker's", str(reason))
            self.assertEqual(self.seen, [])
        client = self.redirecting({"/announce": "/delete"})
        self.refused(client.announce("http://127.0.0.1/announce", announcing()))
        client = self.redirecting({})
        self.result(client.announce("http://localhost/announce/passkey", announcing()))

    def test_unguarded(self) -> None:
        """An application that knows better turns the rules off."""
        client = self.redirecting({"/announce": "http://127.0.0.1/delete"}, guarded=False)
        self.result(client.announce("http://public/announce", announcing()))
