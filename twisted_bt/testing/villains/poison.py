"""
Villains that tell of what is not there.
"""

from __future__ import annotations

from twisted_bt.peerwire import messages
from twisted_bt.peerwire.extended import ExtendedHandshake, ExtensionIds
from twisted_bt.peerwire.metadata import METADATA_PIECE_LENGTH, MetadataKind, MetadataMessage
from twisted_bt.peerwire.pex import PexFlags, PexMessage
from twisted_bt.testing.villains.base import Effect, Villain, VillainPeer
from twisted_bt.testing.villains.registry import villain
from twisted_bt.torrent.addresses import PeerAddr


class _Extended(Villain):
    """Speaks an extension (BEP 10)."""

    #: The extension, and the number it gives to that.
    extension: bytes
    number = 7

    def meet(self, peer: VillainPeer, mine: ExtendedHandshake) -> ExtensionIds:
        """Greet with C{mine}; returns what will be known of the other side's numbers."""
        theirs = ExtensionIds()

        def heard(message: messages.Extended) -> None:
            if message.extensionId == 0:
                theirs.update(ExtendedHandshake.decode(message.payload))
                self.agreed(peer, theirs)
            elif message.extensionId == self.number:
                self.asked(peer, theirs, bytes(message.payload))

        peer.reactions[messages.Extended] = heard
        self.onHandshake(peer, lambda: peer.say(mine))
        return theirs

    def agreed(self, peer: VillainPeer, theirs: ExtensionIds) -> None:
        """The other side said which extensions it speaks."""

    def asked(self, peer: VillainPeer, theirs: ExtensionIds, payload: bytes) -> None:
        """A message of the extension came."""


@villain
class PexPoison(_Extended):
    """
    Tells every C{interval} seconds (BEP 11 allows a minute) of C{burst} peers that do not exist, that are
    seeds all the same, and of C{victim} on many ports: ignored, for the most part.

    @ivar victim: who is to be flooded with connections.
    """

    name = "pex poison"
    effect = Effect.TOLERATED
    extension = PexMessage.name
    interval, burst = 30.0, 60
    victim: str | None = None

    def play(self, peer: VillainPeer) -> None:
        """Greet."""
        self.meet(peer, ExtendedHandshake({self.extension: self.number}, port=6881))

    def agreed(self, peer: VillainPeer, theirs: ExtensionIds) -> None:
        """Begin, once."""
        if not getattr(peer, "poisoning", False):
            peer.poisoning = True  # type: ignore[attr-defined]
            self.every(self.interval, peer, lambda: self._tell(peer, theirs))

    def _tell(self, peer: VillainPeer, theirs: ExtensionIds) -> None:
        random = self.random
        flags = PexFlags.SEED | PexFlags.REACHABLE
        added = {PeerAddr(f"10.200.{random.randrange(256)}.{random.randrange(1, 255)}", 6881): flags}
        while len(added) < self.burst:
            if self.victim is not None and random.random() < 0.5:
                added[PeerAddr(self.victim, random.randrange(1, 65536))] = flags
            else:
                added[PeerAddr(f"10.200.{random.randrange(256)}.{random.randrange(1, 255)}", 6881)] = flags
        message = theirs.message(self.extension, PexMessage(tuple(added.items())).encode())
        if message is not None:
            peer.say(message)


@villain
class PexFlood(PexPoison):
    """The same ten times a second: ended."""

    name = "pex flood"
    effect = Effect.CLOSED
    interval = 0.1


@villain
class MetadataPoison(_Extended):
    """
    Has metadata for who came by a magnet link (BEP 9), and gives wrong ones: found by their hash.  Who has
    the torrent already does not ask; it asks such a one for metadata without end, and that is ended.
    """

    name = "metadata poison"
    effect = Effect.CLOSED
    extension = MetadataMessage.name
    interval = 1.0

    def play(self, peer: VillainPeer) -> None:
        """Offer."""
        size = len(self.metainfo.infoBytes)
        mine = ExtendedHandshake({self.extension: self.number}, metadataSize=size)
        theirs = self.meet(peer, mine)
        self.every(self.interval, peer, lambda: self._ask(peer, theirs))

    def asked(self, peer: VillainPeer, theirs: ExtensionIds, payload: bytes) -> None:
        """Give what is not."""
        message = MetadataMessage.decode(payload)
        if message is None or message.kind is not MetadataKind.REQUEST:
            return
        size = len(self.metainfo.infoBytes)
        length = max(1, min(METADATA_PIECE_LENGTH, size - message.piece * METADATA_PIECE_LENGTH))
        wrong = MetadataMessage(MetadataKind.DATA, message.piece, size, self.random.randbytes(length))
        answer = theirs.message(self.extension, wrong.encode())
        if answer is not None:
            peer.say(answer)

    def _ask(self, peer: VillainPeer, theirs: ExtensionIds) -> None:
        wanted = MetadataMessage(MetadataKind.REQUEST, self.random.randrange(1000)).encode()
        message = theirs.message(self.extension, wanted)
        if message is not None:
            peer.say(*[message] * 50)
