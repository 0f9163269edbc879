"""
Content for swarms: made from a seed, so that a failed run can be repeated, and compared by SHA-256.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bencodepy

#: Odd in every way: an empty file, one of a byte, pieces of 32 KiB that begin and end inside files,
#: folders, and a last piece of one byte (see L{oddSizes}).
_ODD: tuple[tuple[str, int], ...] = (
    ("readme.txt", 1_234),
    ("empty.bin", 0),
    ("one.bin", 1),
    ("deeper/first half.dat", 3 * 32_768 - 17),
    ("deeper/still/second half.dat", 900_001),
    ("zz small/a", 7),
    ("zz small/ü ñ 水.txt", 65_536),
)
ODD_PIECE_LENGTH = 32_768
_NOTHING = hashlib.sha256().hexdigest()


def oddSizes(least: int = 0, pieceLength: int = ODD_PIECE_LENGTH) -> dict[str, int]:
    """
    Lengths of files, by path: those above and one more, so that all together are C{least} bytes or a
    little more, and the last piece has exactly one byte.
    """
    sizes = dict(_ODD)
    total = sum(sizes.values())
    wanted = max(least, total + 1)
    sizes["zzz last.bin"] = wanted + (1 - wanted) % pieceLength - total
    return sizes


def write(path: Path, length: int, seed: int) -> None:
    """A file of C{length} bytes that look like chance and depend on C{seed} only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(seed)
    with path.open("wb") as file:
        while length > 0:
            chunk = source.randbytes(min(length, 1 << 22))
            file.write(chunk)
            length -= len(chunk)


def treeDigests(path: Path) -> dict[str, str]:
    """SHA-256 of every file below C{path}, by its path there; of a file, its own, by its name."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    base = path if path.is_dir() else path.parent
    digests = {}
    for each in files:
        with each.open("rb") as file:
            digests[each.relative_to(base).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


@dataclass(frozen=True, slots=True)
class Content:
    """
    Content on disk and the torrent of it.

    @ivar name: the name of the file or folder.
    @ivar folder: where that is; a seeder's data folder.
    @ivar torrent: the torrent file.
    @ivar infoHash: of version 1, in hexadecimal.
    @ivar size: bytes of all files.
    @ivar digests: as L{treeDigests}.
    """

    name: str
    folder: Path
    torrent: Path
    infoHash: str
    size: int
    digests: Mapping[str, str]

    def withTrackers(self, *trackers: str) -> Path:
        """The same torrent, with other announce URLs, in a file of its own; its path."""
        top: dict[bytes, Any] = bencodepy.decode(self.torrent.read_bytes())
        top.pop(b"announce", None)
        top.pop(b"announce-list", None)
        named = hashlib.sha256("\n".join(trackers).encode("utf-8")).hexdigest()[:8]
        path = self.torrent.with_name(f"{self.torrent.stem} {named}.torrent")
        path.write_bytes(bencodepy.encode({**top, **_trackers(trackers)}))
        return path

    def check(self, folder: Path, emptyToo: bool = True) -> None:
        """
        What lies in C{folder} under this name is the same, file by file.

        @param emptyToo: empty files too must be there; Transmission 3.00 and aria2 make none.
        @raise AssertionError: it is not; the message names the files.
        """
        found = treeDigests(folder / self.name) if (folder / self.name).exists() else {}
        expected = dict(self.digests)
        if not emptyToo:
            found = {path: digest for path, digest in found.items() if digest != _NOTHING}
            expected = {path: digest for path, digest in expected.items() if digest != _NOTHING}
        wrong = dict.fromkeys(expected.keys() - found.keys(), "absent")
        wrong |= dict.fromkeys(found.keys() - expected.keys(), "not in the torrent")
        wrong |= {path: "differs" for path in found.keys() & expected.keys() if found[path] != expected[path]}
        assert not wrong, f"{folder / self.name}: {wrong}"


def makeContent(
    folder: Path,
    sizes: Mapping[str, int] | int,
    *,
    name: str = "content",
    pieceLength: int = ODD_PIECE_LENGTH,
    trackers: Sequence[str] = (),
    private: bool = False,
    seed: int = 1,
) -> Content:
    """
    Files in C{folder}/data and their torrent beside it.

    @param sizes: of each file by its path below C{name}; a number: of the one file C{name}.
    @param trackers: announce URLs, each a tier of its own.
    """
    data = folder / "data"
    if isinstance(sizes, int):
        write(data / name, sizes, seed)
    else:
        for number, (path, length) in enumerate(sorted(sizes.items())):
            write(data / name / path, length, seed * 1000 + number)
    torrent = folder / f"{name}.torrent"
    infoHash = makeTorrent(data / name, torrent, pieceLength, trackers, private)
    size = sizes if isinstance(sizes, int) else sum(sizes.values())
    return Content(name, data, torrent, infoHash, size, treeDigests(data / name))


def makeTorrent(
    path: Path, torrent: Path, pieceLength: int, trackers: Sequence[str] = (), private: bool = False
) -> str:
    """
    Write the torrent (BEP 3, and BEP 12 where there are trackers) of the file or folder C{path}.  Not
    made by our own code, so that what that reads was not written by it.  Returns its info-hash in
    hexadecimal.
    """
    info: dict[str, Any] = {"name": path.name, "piece length": pieceLength}
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if path.is_dir():
        info["files"] = [
            {"length": each.stat().st_size, "path": list(each.relative_to(path).parts)} for each in files
        ]
    else:
        info["length"] = path.stat().st_size
    info["pieces"] = b"".join(hashlib.sha1(piece).digest() for piece in _pieces(files, pieceLength))
    if private:
        info["private"] = 1
    torrent.write_bytes(bencodepy.encode({b"created by": "swarmfiles", b"info": info, **_trackers(trackers)}))
    return hashlib.sha1(bencodepy.encode(info)).hexdigest()


def _trackers(urls: Sequence[str]) -> dict[bytes, Any]:
    return {b"announce": urls[0], b"announce-list": [[url] for url in urls]} if urls else {}


def _pieces(files: Sequence[Path], pieceLength: int) -> Iterator[bytes]:
    part = b""
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(pieceLength - len(part)):
                part += chunk
                if len(part) == pieceLength:
                    yield part
                    part = b""
    if part:
        yield part
