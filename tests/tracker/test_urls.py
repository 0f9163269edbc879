"""Tests for L{twisted_bt.tracker.urls}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.errors import TrackerError
from twisted_bt.tracker.urls import TrackerURL

fixed = settings(derandomize=True, deadline=None)


class TrackerURLTests(SynchronousTestCase):
    """L{TrackerURL}."""

    def test_parts(self) -> None:
        """A URL falls into what the protocols need."""
        table = {
            "http://tracker.example.org/announce": ("http", "tracker.example.org", 80, "/announce", ""),
            " HTTPS://Tracker.Example.org:444/a?passkey=x%2by&z\n": (
                "https",
                "tracker.example.org",
                444,
                "/a",
                "passkey=x%2by&z",
            ),
            "udp://[2001:DB8::0:1]:6969": ("udp", "2001:db8::1", 6969, "", ""),
            "udp://1.2.3.4:5/x/y?a=/b": ("udp", "1.2.3.4", 5, "/x/y", "a=/b"),
            "http://h/ä b?ö=<>#fragment": ("http", "h", 80, "/%C3%A4%20b", "%C3%B6=%3C%3E"),
            "http://bücher.example/announce": ("http", "xn--bcher-kva.example", 80, "/announce", ""),
        }
        for text, parts in table.items():
            url = TrackerURL.parse(text)
            self.assertEqual((url.scheme, url.host, url.port, url.path, url.query), parts)

    def test_credentials(self) -> None:
        """User and password are taken out of the URL that is sent."""
        url = TrackerURL.parse("http://me:se%40cret@tracker/announce")
        self.assertEqual((url.credentials, str(url)), ("me:se@cret", "http://tracker/announce"))

    def test_zones(self) -> None:
        """Addresses with a zone are refused: a zone is any text, and fit for no request."""
        for zone in ("%25eth0", "%eth0", "%\u00e4"):
            self.assertRaises(TrackerError, TrackerURL.parse, f"http://[fe80::1{zone}]/announce")

    def test_refused(self) -> None:
        """What cannot be asked says why."""
        for text in (
            "",
            "announce",
            "http://",
            "http:///announce",
            "wss://tracker/announce",
            "http://h:99999/",
            "http://h:0/",
            "http://h:x/",
            "http://[::1/",
            "http://[nonsense]/",
            "http://a b/",
            "http://" + "a" * 64 + "/",
            "http://a..b/",
            "http://h/" + "a" * 5000,
            "http://\udc80/",
        ):
            with self.assertRaises(TrackerError, msg=text):
                TrackerURL.parse(text)

    @fixed
    @given(st.text(max_size=60).map(lambda rest: "http://" + rest) | st.text(max_size=60))
    def test_anything(self, text: str) -> None:
        """Any text gives a URL that can be sent and that parses to itself, or L{TrackerError}."""
        try:
            url = TrackerURL.parse(text)
        except TrackerError:
            return
        sent = str(url)
        self.assertTrue(sent.isascii() and sent.isprintable() and " " not in sent, sent)
        if url.credentials is None:
            self.assertEqual(TrackerURL.parse(sent), url)

    def test_join(self) -> None:
        """A redirect is followed from where it was met, and takes credentials to no other host."""
        url = TrackerURL.parse("http://me:pw@tracker:8080/a/announce?x=1")
        table = {
            "/b?y=%ff": ("http://tracker:8080/b?y=%ff", "me:pw"),
            "c": ("http://tracker:8080/a/c", "me:pw"),
            "//other/d": ("http://other/d", None),
            "https://tracker/e": ("https://tracker/e", None),
            "http://you@other/f": ("http://other/f", "you"),
        }
        for location, expected in table.items():
            there = url.join(location)
            self.assertEqual((str(there), there.credentials), expected)

    def test_joinRefused(self) -> None:
        """A redirect to what is no tracker's URL is refused."""
        url = TrackerURL.parse("http://tracker/announce")
        for location in ("file:///etc/passwd", "javascript:alert(1)", "http://[", "ftp:x"):
            with self.assertRaises(TrackerError, msg=location):
                url.join(location)
