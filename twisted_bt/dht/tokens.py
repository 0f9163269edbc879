"""
Tokens: whoever announces shows that it asked before, from the same address (BEP 5).
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest

from twisted_bt.interfaces import Random

#: Seconds a secret is used for new tokens; it is accepted for as long again (BEP 5: ten minutes).
ROTATION = 300.0

_LENGTH = 8


class Tokens:
    """
    Makes and checks tokens; keeps two secrets and nothing of each token.

    @param random: of the secrets.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._current = random.randbytes(16)
        self._previous = random.randbytes(16)
        self._since: float | None = None

    def make(self, host: str, target: bytes, now: float) -> bytes:
        """The token for C{host} (an IP literal) and C{target}; another torrent needs its own."""
        self._rotate(now)
        return _token(self._current, host, target)

    def accepts(self, token: bytes, host: str, target: bytes, now: float) -> bool:
        """Whether C{token} was given to C{host} for C{target} not long ago."""
        self._rotate(now)
        return any(
            compare_digest(token, _token(secret, host, target)) for secret in (self._current, self._previous)
        )

    def _rotate(self, now: float) -> None:
        since = self._since
        if since is None:
            self._since = now
        elif now - since >= ROTATION:
            # After a long sleep neither of the secrets is young enough.
            late = now - since >= 2 * ROTATION
            self._previous = self._random.randbytes(16) if late else self._current
            self._current = self._random.randbytes(16)
            self._since = now


def _token(secret: bytes, host: str, target: bytes) -> bytes:
    return blake2b(target + host.encode("ascii"), digest_size=_LENGTH, key=secret).digest()
