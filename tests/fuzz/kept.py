"""
Targets: what is read from our own disk, where anybody may have written to it.
"""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

from bitarray import bitarray

from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target, outcome, require
from twisted_bt.control.config import readConfig
from twisted_bt.control.options import DaemonConfig, allOptions, fromText
from twisted_bt.errors import SettingsError
from twisted_bt.storage import resume
from twisted_bt.storage.resume import ResumeState
from twisted_bt.storage.signature import FileState, decodeSignature, encodeSignature
from twisted_bt.storage.trust import trust

#: A folder that is no disk, on Linux.
_MEMORY = Path("/dev/shm")

_CONFIG = b"""
torrents = ["a.torrent", "magnet:?xt=urn:btih:aa", "http://x/y.torrent", "~/b.torrent"]
listen-port = 6881
interface = ["0.0.0.0", "::1%eth0"]
download-dir = "~/down"
state_dir = "/var/x"
peer = ["1.2.3.4:5", "[::1]:6", "host:7"]
max-peers = 10
max_peers_per_torrent = 20
upload-slots = 3
seed-ratio = 1.5
no-dht = true
dht-bootstrap = ["router:6881"]
exit-when-complete = false
preallocate = true
"""


class Configuration(Target):
    """L{twisted_bt.control.config} and the options of the command line."""

    name = "config"
    memory = 3 << 20  # reading makes room for the longest there may be
    words = (
        *(b"%b = " % option.name.encode() for option in allOptions()), b"true", b"nan", b"inf", b"-inf",
        b"1e400", b"0x10",
        b"1_0", b"2000-01-01", b"12:00:00", b'"""', b"'''", b"[", b"]", b"{", b"}", b"[[a]]", b"[a.b]",
        b"a.b=1\n", b"\\u0000",
        b"~nobody/", b"\"~", b"#", b"\n", b"9" * 500, b"9" * 5000, b"\\ud800", b"\xef\xbb\xbf",
        b"1.2.3.4:99999", b"[::1%a]:1",
    )  # fmt: skip

    def __init__(self) -> None:
        folder = mkdtemp(prefix="twisted_bt-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None)
        finalize(self, rmtree, folder)
        self._file = Path(folder) / "config.toml"
        self._options = list(allOptions())

    def seeds(self) -> list[bytes]:
        """All of it, and each line."""
        return [_CONFIG, *(line + b"\n" for line in _CONFIG.splitlines() if line)]

    def run(self, data: bytes) -> Tally:
        """One exception, from the file to the settings; so with texts on the command line."""
        text = data.decode("utf-8", "surrogateescape")
        for option in self._options[len(data) % len(self._options) :][:3]:
            outcome(lambda option=option: fromText(option, text.partition("= ")[2][:200]), SettingsError)  # type: ignore[misc]
        self._file.write_bytes(data)
        values = outcome(lambda: readConfig(self._file), SettingsError)
        if values is None or outcome(lambda: DaemonConfig(**values).settings(), SettingsError) is None:
            return REJECTED
        return ACCEPTED


def _columns(data: bytes) -> list[Any]:
    """A row of the database, of any types, from bytes: what SQLite may give for a damaged file."""
    values: list[Any] = []
    at = 0
    for _ in range(6):
        kind, size = (data[at] if at < len(data) else 9), (data[at + 1] if at + 1 < len(data) else 0)
        part = data[at + 2 : at + 2 + size]
        at += 2 + size
        number = int.from_bytes(part[:8], "big", signed=True)
        values.append(
            (
                part,
                number,
                number / 7,
                part.decode("utf-8", "replace"),
                None,
                float("nan"),
                float("inf"),
                part,
                number,
            )[kind % 9]
        )
    return values


class ResumeStates(Target):
    """L{twisted_bt.storage.resume}: rows, signatures of files, and what they are worth."""

    name = "resume"
    words = (
        b"files1",
        b"\0\x10",
        b"\1\x01\1",
        b"\2\x08",
        b"\x14\0\0\1",
        b"\x03\xff\xff\xff",
        b"\0\x06\2\x0a\0\xff\xc0\0",
    )

    def seeds(self) -> list[bytes]:
        """Rows as they are written."""
        states = []
        for count in (0, 1, 9, 200, 3000):
            bits = bitarray(count)
            bits.setall(False)
            bits[: count // 3] = True
            signature = encodeSignature([FileState(0, max(count - 1, 0), 99, 5), FileState(0, 0, -1, 0)])
            states.append(ResumeState(bits, signature, count % 2 == 0, 1000.5, 7, 8))
        return [self._row(each) for each in states]

    def _row(self, state: ResumeState) -> bytes:
        verified, signature, writing, savedAt, up, down = resume._encode(state)
        parts = (
            (0, verified),
            (0, signature),
            (1, bytes((writing,))),
            (2, int(savedAt * 7).to_bytes(8, "big")),
        )
        counts = ((1, up.to_bytes(8, "big")), (1, down.to_bytes(8, "big")))
        return b"".join(
            bytes((kind, len(part))) + part[:255] for kind, part in (*parts, *counts) if len(part) < 256
        )

    def run(self, data: bytes) -> Tally:
        """A state or nothing; what is read is written to the same, and never claims more than it says."""
        row: Any = _columns(data)
        state = resume._decode(*row)
        loose = resume._decodeBits(data[2:])
        require(loose is None or len(loose) <= resume.MAX_PIECES, "bounded", data)
        for count in (1, 9, 3000):
            parts = decodeSignature(data[2:], count)
            if parts is not None:
                require(
                    decodeSignature(encodeSignature(parts), count) == parts, "decode(encode(x)) == x", parts
                )
        if state is None:
            return REJECTED
        require(resume._decode(*resume._encode(state)) == state, "decode(encode(x)) == x", state)
        for count in {1, 9, 3000, len(state.verified)}:
            for signature in (state.signature, data[2:], b""):
                judged = trust(state, signature, count, 30.0)
                require(len(judged.claim) == len(judged.check) == count, "of this torrent", judged)
                if len(state.verified) == count:
                    require(not (judged.claim & ~state.verified).any(), "no claim that was not saved", judged)
                    require(
                        (judged.claim | judged.check | ~state.verified).all(), "no piece forgotten", judged
                    )
                else:
                    require(not judged.claim.any() and judged.check.all(), "of another torrent", judged)
        return ACCEPTED
