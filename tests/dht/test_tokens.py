"""Tests of tokens."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.dht.tokens import ROTATION, Tokens

HOST, TARGET = "1.2.3.4", b"t" * 20


class TokenTests(SynchronousTestCase):
    """Who may announce."""

    def setUp(self) -> None:
        self.tokens = Tokens(Random(1))

    def test_bound(self) -> None:
        """A token is good for the address and the torrent it was made for, and for no other."""
        token = self.tokens.make(HOST, TARGET, 0.0)
        self.assertTrue(self.tokens.accepts(token, HOST, TARGET, 1.0))
        self.assertFalse(self.tokens.accepts(token, "1.2.3.5", TARGET, 1.0))
        self.assertFalse(self.tokens.accepts(token, HOST, b"u" * 20, 1.0))
        self.assertFalse(self.tokens.accepts(token[:-1], HOST, TARGET, 1.0))
        self.assertFalse(self.tokens.accepts(b"", HOST, TARGET, 1.0))

    def test_age(self) -> None:
        """It is good for one rotation more, and not for two."""
        token = self.tokens.make(HOST, TARGET, 0.0)
        self.assertTrue(self.tokens.accepts(token, HOST, TARGET, ROTATION))
        self.assertNotEqual(self.tokens.make(HOST, TARGET, ROTATION), token)
        self.assertTrue(self.tokens.accepts(token, HOST, TARGET, 2 * ROTATION - 1))
        self.assertFalse(self.tokens.accepts(token, HOST, TARGET, 2 * ROTATION))

    def test_sleep(self) -> None:
        """After a long sleep none of before is good."""
        token = self.tokens.make(HOST, TARGET, 0.0)
        self.assertFalse(self.tokens.accepts(token, HOST, TARGET, 10 * ROTATION))

    def test_others(self) -> None:
        """Tokens of another node are none of ours."""
        self.assertFalse(self.tokens.accepts(Tokens(Random(2)).make(HOST, TARGET, 0.0), HOST, TARGET, 0.0))
