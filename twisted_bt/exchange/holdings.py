"""
What the peers have, and whether there is anything in it for us.
"""

from __future__ import annotations

from collections.abc import Iterable

from bitarray import bitarray
from bitarray.util import ones, zeros

from twisted_bt.errors import ProtocolError
from twisted_bt.exchange.availability import Availability
from twisted_bt.exchange.peerdownload import PeerDownload
from twisted_bt.exchange.wishes import Wishes
from twisted_bt.torrent.pieces import PieceLayout


class Holdings:
    """
    Keeps C{have}, C{seed} and C{witness} of all peers of a download, and the C{availability} that
    follows from them.
    """

    def __init__(self, layout: PieceLayout, availability: Availability, wishes: Wishes) -> None:
        self._layout = layout
        self._availability = availability
        self._wishes = wishes
        self._pieceCount = layout.pieceCount
        self._everything = ones(self._pieceCount)

    def nothing(self, peer: PeerDownload) -> None:
        """C{peer} has no piece."""
        self._set(peer, zeros(self._pieceCount), seed=False)

    def everything(self, peer: PeerDownload) -> None:
        """C{peer} has every piece."""
        self._set(peer, self._everything, seed=True)

    def only(self, peer: PeerDownload, bits: bitarray) -> None:
        """
        C{peer} has the pieces in C{bits} (copied) and no others.

        @raise ProtocolError: that is not a bit for each piece.
        """
        if len(bits) != self._pieceCount:
            raise ProtocolError(f"bitfield of {len(bits)} pieces, not {self._pieceCount}")
        if bits.all():
            self.everything(peer)
        else:
            self._set(peer, bits.copy(), seed=False)

    def _set(self, peer: PeerDownload, bits: bitarray, seed: bool) -> None:
        if peer.seed:
            self._availability.removeAll()
        else:
            self._availability.removeBitfield(peer.have)
        peer.have, peer.seed = bits, seed
        if seed:
            self._availability.addAll()
        else:
            self._availability.addBitfield(bits)
        self._findWitness(peer)

    def more(self, peer: PeerDownload, index: int) -> None:
        """C{peer} has piece C{index} too.  @raise ProtocolError: there is no such piece."""
        self._layout.checkPiece(index)
        if peer.have[index]:
            return
        peer.have[index] = 1
        peer.refusing.discard(index)
        self._availability.add(index)
        if peer.witness < 0 and self._wishes.needed[index]:
            peer.witness = index

    def less(self, peer: PeerDownload, index: int) -> bool:
        """
        C{peer} has piece C{index} no more.  Returns whether it had.

        @raise ProtocolError: there is no such piece.
        """
        self._layout.checkPiece(index)
        if not peer.have[index]:
            return False
        if peer.seed:
            bits = self._everything.copy()
            bits[index] = 0
            self._set(peer, bits, seed=False)
        else:
            peer.have[index] = 0
            self._availability.remove(index)
            if peer.witness == index:
                self._findWitness(peer)
        return True

    def interesting(self, peer: PeerDownload) -> bool:
        """
        Whether C{peer} has anything that is wanted and not here.

        One such piece is remembered as a witness.  That is cheaper than a count, which would have to
        be kept for every peer with every piece.
        """
        witness = peer.witness
        if witness < 0 or self._wishes.needed[witness]:
            return witness >= 0
        return self._findWitness(peer)

    def judge(self, peers: Iterable[PeerDownload]) -> None:
        """More is needed than before, or other pieces."""
        for peer in peers:
            self._findWitness(peer)

    def _findWitness(self, peer: PeerDownload) -> bool:
        # From the end: in a sequential download that piece stays missing longest.
        peer.witness = (peer.have & self._wishes.needed).find(1, right=True)
        return peer.witness >= 0
