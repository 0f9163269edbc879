"""
What our address is, as others see it (BEP 42: every answer carries it).

One voice for each network (/24, /64), the last ones count, and a majority is needed: nobody alone can
make us take another id.
"""

from __future__ import annotations

from twisted_bt.dht.nodeid import isLocal, isUsable, network, packed

#: Voices kept, and the fewest that decide.
CAPACITY = 48
QUORUM = 5


class Votes:
    """
    @ivar winner: our address by the voices so far (packed); C{None}: not decided.
    """

    def __init__(self) -> None:
        self.winner: bytes | None = None
        self._votes: dict[bytes, bytes] = {}

    def vote(self, voter: str, address: bytes) -> bool:
        """
        The node at C{voter} says that C{address} (packed) is ours.

        @return: whether L{winner} changed.
        """
        if not isUsable(address):
            return False
        voice = network(packed(voter))
        # A neighbour on our own network sees an address that others do not.
        if isLocal(voice.ljust(16 if len(voice) == 8 else 4, b"\0")) and not isLocal(address):
            return False
        self._votes.pop(voice, None)
        self._votes[voice] = address
        if len(self._votes) > CAPACITY:
            del self._votes[next(iter(self._votes))]
        if address == self.winner or isLocal(address):
            return False
        voices = list(self._votes.values())
        count = voices.count(address)
        if count < QUORUM or 2 * count <= len(voices):
            return False
        self.winner = address
        return True
