"""
A thousand hostile connections, kept up: a process of its own.  Run as a script::

    hostile_villains.py '{"port": 6881, "infoHash": "...", "pieces": 2048, "connections": 1000}'

Each connection plays one part of L{PARTS}; who is cut off comes back, under a new peer id, a second
later.  Half of them come from one address, the others each from one of its own in 127.0.0.0/8.  On a
line of its input it prints one JSON object: what was done so far.  It ends at the end of its input.

Needs nothing of this project.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import resource
import selectors
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

#: Seconds after which who was cut off is back.
COMEBACK = 1.0
#: Bytes of a flood given to the socket at a time, and seconds between two: 1.3 MB/s for each.
FLOOD = 1 << 16
FLOOD_EVERY = 0.05
#: Where half of them come from.
CROWD = "127.66.66.66"

_PROTOCOL = b"\x13BitTorrent protocol"
_FAST_EXTENDED = bytes([0, 0, 0, 0, 0, 0x10, 0, 0x04])
_HAVE_ALL, _HAVE_NONE = b"\0\0\0\1\x0e", b"\0\0\0\1\x0f"
_UNCHOKE, _INTERESTED, _NOT_INTERESTED = b"\0\0\0\1\1", b"\0\0\0\1\2", b"\0\0\0\1\3"
_BLOCK = 1 << 14


class Villain:
    """One hostile connection, again and again."""

    def __init__(self, attack: Attack, part: str, home: str) -> None:
        self.attack = attack
        self.part = part
        self.home = home
        self.socket: socket.socket | None = None
        self.life = 0  # counts connections, so that timers of one that is gone do nothing
        self.connected = False
        self.script: Callable[[Villain], None] = PARTS[part][1]
        self.step = 0

    def begin(self) -> None:
        """Dial."""
        attack = self.attack
        self.life += 1
        self.step = 0
        self.connected = False
        mine = socket.socket()
        mine.setblocking(False)
        try:
            mine.bind((self.home, 0))
            mine.connect(("127.0.0.1", attack.port))
        except BlockingIOError:
            pass
        except OSError:
            mine.close()
            attack.count["not dialled"] += 1
            attack.after(COMEBACK, self.begin)
            return
        self.socket = mine
        attack.selector.register(mine, selectors.EVENT_WRITE, self)

    def after(self, delay: float, call: Callable[[], None]) -> None:
        """Call later, if this connection is still there."""
        life = self.life

        def still() -> None:
            if self.life == life and self.socket is not None:
                call()

        self.attack.after(delay, still)

    def event(self, mask: int) -> None:
        """The socket is ready."""
        mine = self.socket
        if mine is None:
            return
        if not self.connected:
            if mine.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.end("refused")
                return
            self.connected = True
            self.attack.count["connections"] += 1
            # Those that never read leave it to the daemon to bound what it has to say.
            events = 0 if self.part == "never reads" else selectors.EVENT_READ
            if events:
                self.attack.selector.modify(mine, events, self)
            else:
                self.attack.selector.unregister(mine)
            self.script(self)
        elif mask & selectors.EVENT_READ:
            try:
                got = mine.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError:
                got = b""
            self.attack.count["bytes heard"] += len(got)
            if not got:
                self.end("cut off")

    def say(self, data: bytes) -> bool:
        """As much of it as goes; C{False} if it was not all."""
        if self.socket is None:
            return False
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            return False
        except OSError:
            self.end("cut off")
            return False
        self.attack.count["bytes said"] += sent
        return sent == len(data)

    def end(self, why: str, comeback: float = COMEBACK) -> None:
        """The connection is over; another follows."""
        self.attack.count[why] += 1
        self.attack.outcomes[f"{self.part}: {why}"] += 1
        if self.socket is not None:
            with suppress(KeyError, ValueError):
                self.attack.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None
        self.attack.after(comeback * self.attack.random.uniform(0.7, 1.3), self.begin)

    # -- words

    def greet(self) -> bytes:
        """A right handshake, under a new peer id."""
        peerId = b"-XX0001-" + self.attack.random.randbytes(12)
        return _PROTOCOL + _FAST_EXTENDED + self.attack.infoHash + peerId

    def flood(self, data: bytes) -> None:
        """C{data} again and again, at a rate that a home line has."""
        rest = b""

        def more() -> None:
            nonlocal rest
            out = rest or data
            try:
                assert self.socket is not None
                sent = self.socket.send(out)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.end("cut off")
                return
            self.attack.count["bytes said"] += sent
            rest = out[sent:]
            self.after(FLOOD_EVERY, more)

        more()


# -- the parts


def _silent(villain: Villain) -> None:
    """Says nothing."""


def _drip(villain: Villain) -> None:
    """The handshake, a byte every 0.3 seconds."""
    whole = villain.greet()

    def more() -> None:
        villain.step += 1
        if villain.step <= len(whole) and villain.say(whole[villain.step - 1 : villain.step]):
            villain.after(0.3, more)

    more()


def _mute(villain: Villain) -> None:
    """The handshake, and nothing after it."""
    villain.say(villain.greet())


def _haves(villain: Villain) -> None:
    """The same pieces, told again and again."""
    pieces = villain.attack.pieces
    villain.say(villain.greet() + _HAVE_NONE)
    frames = b"".join(struct.pack(">IBI", 5, 4, each % pieces) for each in range(FLOOD // 9))
    villain.after(0.1, lambda: villain.flood(frames))


def _requests(villain: Villain) -> None:
    """Requests for all there is, choked or not."""
    pieces = villain.attack.pieces
    villain.say(villain.greet() + _HAVE_NONE + _INTERESTED)
    frames = b"".join(
        struct.pack(">IBIII", 13, 6, each % pieces, each // pieces % 16 * _BLOCK, _BLOCK)
        for each in range(FLOOD // 17)
    )
    villain.after(0.1, lambda: villain.flood(frames))


def _fickle(villain: Villain) -> None:
    """Interested, not interested, interested ..."""
    villain.say(villain.greet() + _HAVE_NONE)
    villain.after(0.1, lambda: villain.flood((_INTERESTED + _NOT_INTERESTED) * (FLOOD // 10)))


def _neverReads(villain: Villain) -> None:
    """Asks for 2,000 blocks and reads none."""
    pieces = villain.attack.pieces
    villain.say(villain.greet() + _HAVE_NONE + _INTERESTED)
    frames = b"".join(struct.pack(">IBIII", 13, 6, each % pieces, 0, _BLOCK) for each in range(2000))

    def ask() -> None:
        villain.say(frames)
        villain.after(5.0, ask)

    villain.after(0.5, ask)


def _giant(villain: Villain) -> None:
    """Announces a frame of 512 KiB, just legal, and sends it slowly; or one of 2 GiB."""
    villain.step = villain.attack.random.randrange(2)
    if villain.step:
        villain.say(villain.greet() + _HAVE_NONE + struct.pack(">IB", (1 << 31) - 1, 7) + bytes(4096))
    else:
        villain.say(villain.greet() + _HAVE_NONE + struct.pack(">IBB", 1 << 19, 20, 0))
        villain.after(0.1, lambda: villain.flood(b"l" * 8192))


def _garbage(villain: Villain) -> None:
    """Noise; before the handshake or after it."""
    noise = villain.attack.random.randbytes(4096)
    villain.say(noise if villain.attack.random.random() < 0.5 else villain.greet() + noise)


def _storm(villain: Villain) -> None:
    """Connects and closes, ten times a second."""
    villain.end("closed", comeback=0.1)


def _claimedSeed(villain: Villain) -> None:
    """Has everything, serves everybody, never sends a block."""
    villain.say(villain.greet() + _HAVE_ALL + _UNCHOKE)


def _byteAMinute(villain: Villain) -> None:
    """A claimed seed that begins a block and sends a byte of it a minute."""
    villain.say(villain.greet() + _HAVE_ALL + _UNCHOKE + struct.pack(">IBII", 9 + _BLOCK, 7, 0, 0))

    def more() -> None:
        if villain.say(b"x"):
            villain.after(60.0, more)

    villain.after(1.0, more)


#: Of a hundred, how many play it; and how.
PARTS: dict[str, tuple[int, Callable[[Villain], None]]] = {
    "silent": (14, _silent),
    "drips its handshake": (10, _drip),
    "mute": (10, _mute),
    "have flood": (10, _haves),
    "request flood": (10, _requests),
    "fickle": (5, _fickle),
    "never reads": (5, _neverReads),
    "giant frames": (6, _giant),
    "garbage": (10, _garbage),
    "storm": (5, _storm),
    "claimed seed": (10, _claimedSeed),
    "byte a minute": (5, _byteAMinute),
}


class Attack:
    """All of them, on one thread."""

    def __init__(self, port: int, infoHash: str, pieces: int, connections: int, parts: list[str]) -> None:
        self.port = port
        self.infoHash = bytes.fromhex(infoHash)
        self.pieces = pieces
        self.random = random.Random(4)
        self.selector = selectors.DefaultSelector()
        self.count: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        cast = [part for part in PARTS if not parts or part in parts for _ in range(PARTS[part][0])]
        self.villains = []
        for number in range(connections):
            home = CROWD if number % 2 else f"127.{self._octet()}.{self._octet()}.{self._octet()}"
            self.villains.append(Villain(self, cast[number * 37 % len(cast)], home))

    def _octet(self) -> int:
        return self.random.randrange(1, 255)

    def after(self, delay: float, call: Callable[[], None]) -> None:
        """Call in C{delay} seconds."""
        self._number += 1
        heapq.heappush(self._timers, (time.monotonic() + delay, self._number, call))

    def report(self) -> dict[str, Any]:
        """What was done so far."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        standing = sum(1 for each in self.villains if each.socket is not None and each.connected)
        dialling = sum(1 for each in self.villains if each.socket is not None and not each.connected)
        return {
            "standing": standing,
            "dialling": dialling,
            "cpu": used.ru_utime + used.ru_stime,
            **self.count,
            "outcomes": dict(self.outcomes),
        }

    def run(self) -> None:
        """Until the input ends."""
        for number, villain in enumerate(self.villains):
            self.after(2.0 * number / len(self.villains), villain.begin)  # all are there after two seconds
        self.selector.register(sys.stdin.buffer.fileno(), selectors.EVENT_READ, None)
        while True:
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
            wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else 1.0
            for key, mask in self.selector.select(wait):
                if key.data is not None:
                    key.data.event(mask)
                elif os.read(sys.stdin.buffer.fileno(), 4096):
                    print(json.dumps(self.report()), flush=True)
                else:
                    return


def main() -> None:
    """Attack."""
    wanted = json.loads(sys.argv[1])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Attack(
        wanted["port"],
        wanted["infoHash"],
        wanted["pieces"],
        wanted["connections"],
        wanted.get("parts", []),
    ).run()


if __name__ == "__main__":
    main()
