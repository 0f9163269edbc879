"""
Target: a whole client that exchanges a torrent with peers of whom nothing is sure.
"""

from __future__ import annotations

from random import Random

from tests.fuzz.logs import Errors
from tests.fuzz.mutation import Mutator
from tests.fuzz.scene import Scene
from tests.fuzz.script import Script
from tests.fuzz.seeds import vectors
from tests.fuzz.strangers import NAMES, Stranger
from tests.fuzz.talk import ExtendedHandshakes, MetadataMessages, PexMessages, Wire
from tests.fuzz.target import Tally, Target
from twisted_bt.peerwire import messages
from twisted_bt.peerwire.extended import DontHave, ExtendedHandshake
from twisted_bt.peerwire.handshake import Handshake
from twisted_bt.peerwire.metadata import METADATA_PIECE_LENGTH, MetadataKind, MetadataMessage
from twisted_bt.settings import Extension
from twisted_bt.torrent.pieces import Block

_NUMBERS = (0, 1, 2, 3, 4, 5, 16383, 16384, 16385, 32768, 1 << 17, 1 << 31, (1 << 32) - 1)

_PEX = PexMessages().seeds()[:4]


class Sessions(Target):
    """C{sessions/} and all under it: peers that say anything, in any pieces, at any time."""

    name = "session"
    batched = True
    maxLength = 3000
    seconds = 20.0

    def __init__(self) -> None:
        self._errors = Errors()
        damage = (Wire(), ExtendedHandshakes(), PexMessages(), MetadataMessages())
        self._damage = [Mutator(each, "session", fresh=False) for each in damage]
        self._wire = [each[1:] for each in Wire().seeds()] + vectors("peer_wire")

    def seeds(self) -> list[bytes]:
        """Anything is a script; here are some."""
        random = Random("scripts")
        return [bytes((kind,)) + Script.made(random, 100, 3000) for kind in range(8) for _ in range(6)]

    def run(self, data: bytes) -> Tally:
        """No exception; slots and progress agree after every event; in the end nothing is left."""
        play = _Play(Script(data), self._damage, self._wire)
        try:
            play.run()
        finally:
            self._errors.none()
        return Tally(max(0, play.said - play.ended), play.ended)


class _Play(Scene):
    """What strangers do."""

    def __init__(self, script: Script, damage: list[Mutator], wire: list[bytes]) -> None:
        super().__init__(script)
        self._damage = damage
        self._wire = wire
        self._actions = (
            self._come, self._sayRight, self._sayRight, self._sayRight, self._sayDamaged, self._sayDamaged,
            self._sayRaw,
            self._serveMany, self._serveMany, self._serve, self._serveWrong, self._extended, self._extended,
            self._damagedExtended,
            self._wait, self._go, self._hearOf, self._longWait, self._push, self._push,
        )  # fmt: skip

    # -- who is there

    def _come(self) -> None:
        """One more stranger dials, and greets in some way."""
        if self._crowded():
            return
        number = len(self._strangers)
        how = self._script.byte()
        every = frozenset(Extension)
        offered = (every, every, every, frozenset({Extension.FAST}), frozenset(), every - {Extension.FAST})[
            how % 6
        ]
        stranger = Stranger(self._metainfo.wireHash, number, offered)
        if how % 16 == 15:
            stranger.peerId = b"-SC0001-stranger0000"
        dialled = stranger.dial(self._network.host(), self._address)
        dialled.addErrback(lambda _: None)
        self._strangers.append(stranger)
        self._network.advance(0.05)
        hello = Handshake(stranger.infoHash, stranger.peerId, offered).encode()
        if how % 11 == 10:
            hello = self._damage[0].mutated(hello)
        stranger.unsent += hello
        if how % 3 and Extension.EXTENDED in offered:
            size = len(self._metainfo.infoBytes) if how % 3 == 1 else None
            stranger.unsent += ExtendedHandshake(NAMES, metadataSize=size).message().encode()
        if how % 8:
            said: tuple[messages.Message, ...] = (messages.Bitfield(b"\xf8"), messages.Bitfield(b"\xa8"))
            if Extension.FAST in offered:
                said += (messages.HaveAll(), messages.HaveNone())
            stranger.unsent += said[how // 16 % len(said)].encode()
        if how % 5 < 3:
            stranger.unsent += messages.Unchoke().encode() + messages.Interested().encode()
        self.said += 1

    def _crowded(self) -> bool:
        return len(self._strangers) >= 60 or sum(each.open for each in self._strangers) >= 12

    def _stranger(self) -> Stranger:
        """One of them; rather one that is still there."""
        chosen = self._strangers[self._script.below(len(self._strangers))]
        if not chosen.open:
            chosen = next((each for each in self._strangers if each.open), chosen)
        return chosen

    def _say(self, data: bytes) -> None:
        self.said += 1
        stranger = self._stranger()
        stranger.unsent += data
        if len(stranger.unsent) > 400 or self._script.below(4):
            stranger.push(1 << 20)

    # -- what they do

    def _number(self) -> int:
        return _NUMBERS[self._script.below(len(_NUMBERS))]

    def _sayRight(self) -> None:
        for _ in range(1 + self._script.below(8)):
            self._sayOne()

    def _sayOne(self) -> None:
        """Something that keeps to the rules; now and then something that need not."""
        kind = self._script.below(40)
        layout = self._metainfo.layout
        block = layout.block(self._script.below(layout.pieceCount), 0)
        if self._script.below(2):
            block = layout.block(block.index, 1)
        index = block.index
        said: list[messages.Message] = [
            messages.KeepAlive(), messages.Choke(), messages.Unchoke(), messages.Interested(),
            messages.NotInterested(),
            messages.Have(index), messages.Bitfield(bytes((self._script.byte() & 0xF8,))),
            messages.Request(*block),
            messages.Cancel(*block), messages.Port(self._script.byte()), messages.Request(*block),
            messages.Unchoke(),
            messages.Interested(), messages.Have(index), messages.Request(*block), messages.Request(*block),
        ]  # fmt: skip
        if kind >= 38:
            block = Block(self._number(), self._number(), self._number())
            said = [
                messages.Request(*block), messages.RejectRequest(*block), messages.HaveAll(),
                messages.HaveNone(),
                messages.Piece(index, block.begin, bytes(16384)), messages.Have(block.index),
                messages.Extended(9, b""),
            ]  # fmt: skip
        elif kind > 30:
            fast = [each for each in self._strangers if each.open and Extension.FAST in each.extensions]
            if fast:
                said = [
                    messages.SuggestPiece(index),
                    messages.RejectRequest(*block),
                    messages.AllowedFast(index),
                ]
                self.said += 1
                chosen = fast[self._script.below(len(fast))]
                chosen.unsent += said[kind % 3].encode()
                chosen.push(1 << 20)
                return
        self._say(said[kind % len(said)].encode())

    def _sayDamaged(self) -> None:
        mutator = self._damage[0]
        mutator.random.seed(self._script.random().random())
        self._say(mutator.mutated(mutator.random.choice(self._wire)))

    def _sayRaw(self) -> None:
        random = self._script.random()
        self._say(random.randbytes(random.choice((1, 2, 4, 5, 13, 17, 100))))

    def _answerable(self) -> tuple[Stranger, messages.Request] | None:
        for each in self._strangers:
            if each.open and each.requests:
                return each, each.requests.pop(self._script.below(len(each.requests)))
        return None

    def _tell(self) -> bool:
        """Somebody gives the metadata it is asked for, if anybody is."""
        for each in self._strangers:
            if each.open and each.wanted:
                piece, info = each.wanted.pop(), self._metainfo.infoBytes
                part = info[piece * METADATA_PIECE_LENGTH : (piece + 1) * METADATA_PIECE_LENGTH]
                payload = MetadataMessage(MetadataKind.DATA, piece, len(info), part or b"x").encode()
                each.unsent += messages.Extended(each.ids.get(MetadataMessage.name, 0), payload).encode()
                each.push(1 << 20)
                self.said += 1
                return True
        return False

    def _serve(self, damage: bool = False) -> None:
        if self._script.below(8) == 0 and self._tell():
            return None
        found = self._answerable()
        if found is None:
            return self._sayRight()
        stranger, request = found
        begin = self._metainfo.layout.pieceOffset(request.index) + request.begin
        data = self._swarm.content[begin : begin + request.length]
        if damage:
            how = self._script.below(5)
            data = (bytes(len(data)), data[:-1], data + b"x", b"", data[::-1])[how]
        self.said += 1
        stranger.unsent += messages.Piece(request.index, request.begin, data).encode()
        stranger.push(self._script.byte() * 256 if self._script.below(4) == 0 else 1 << 20)
        return None

    def _serveWrong(self) -> None:
        self._serve(damage=True)

    def _serveMany(self) -> None:
        for _ in range(1 + self._script.below(8)):
            self._serve()

    def _extended(self) -> None:
        info = self._metainfo.infoBytes
        kind = self._script.below(9)
        stranger = self._stranger()
        if Extension.EXTENDED not in stranger.extensions and self._script.below(8):
            return self._sayRight()
        number = self._script.below(4)
        part = info[number * METADATA_PIECE_LENGTH : (number + 1) * METADATA_PIECE_LENGTH]
        sizes = (len(info), len(info), len(info), 5, 1 << 24)
        size = sizes[self._script.below(5)]
        if kind < 2:
            self._say(
                ExtendedHandshake(NAMES, "x", 6881, 1 + self._script.byte(), metadataSize=size)
                .message()
                .encode()
            )
            return None
        if kind == 2:
            ids = {each: self._script.below(3) for each in NAMES}
            self._say(
                ExtendedHandshake(ids, port=self._script.byte() + 1, uploadOnly=True).message().encode()
            )
            return None
        name, payload = (
            (b"lt_donthave", DontHave(number).encode()),
            (b"ut_metadata", MetadataMessage(MetadataKind.REQUEST, number).encode()),
            (b"ut_metadata", MetadataMessage(MetadataKind.REJECT, number).encode()),
            (b"ut_metadata", MetadataMessage(MetadataKind.DATA, number, size, part or b"x").encode()),
            (b"ut_metadata", MetadataMessage(MetadataKind.DATA, 0, size, bytes(len(info))).encode()),
            (b"ut_pex", _PEX[number % 4]),
        )[kind - 3]
        self._say(messages.Extended(stranger.ids.get(name, self._script.below(5)), payload).encode())
        return None

    def _damagedExtended(self) -> None:
        which = 1 + self._script.below(3)
        mutator = self._damage[which]
        mutator.random.seed(self._script.random().random())
        name = (b"", b"ut_pex", b"ut_metadata")[which - 1]
        number = self._stranger().ids.get(name, self._script.below(5)) if name else 0
        self._say(messages.Extended(number, mutator.next()).encode())

    def _push(self) -> None:
        """Some of what is unsent, cut anywhere."""
        self._stranger().push(1 + self._script.byte())

    def _wait(self) -> None:
        self._network.advance(self._script.byte() / 10)

    def _longWait(self) -> None:
        if self._script.below(4) == 0:
            self._network.advance(self._script.byte())

    def _go(self) -> None:
        stranger = self._stranger()
        if stranger.open:
            if self._script.below(2):
                stranger.transport.abortConnection()
            else:
                stranger.close()

    def _hearOf(self) -> None:
        """The client hears of a stranger that listens, and dials it."""
        if self._member is None or self._crowded():
            return
        stranger = Stranger(self._metainfo.wireHash, len(self._strangers), frozenset(Extension))
        addr = stranger.listen(self._network.host())
        self._strangers.append(stranger)
        if self._script.below(3):
            stranger.unsent += Handshake(stranger.infoHash, stranger.peerId, stranger.extensions).encode()
            stranger.unsent += messages.HaveAll().encode() + messages.Unchoke().encode()
        self._member.session.peersFound([addr], "tracker")
