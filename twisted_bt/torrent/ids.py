"""
The names of torrents and of clients: info-hashes as people write them, and peer ids.

BEP 20 (conventions of peer ids), RFC 4648 (base32, hex).
"""

from __future__ import annotations

import re
from base64 import b32decode
from collections.abc import Callable, Sequence
from string import ascii_lowercase, ascii_uppercase, digits

from twisted_bt.interfaces import Random
from twisted_bt.torrent.clients import AZUREUS_CLIENTS, ODD_CLIENTS, SHADOW_CLIENTS

#: Ours, in the style of Azureus.
CLIENT_CODE = "TB"

#: Digits of versions in peer ids: 10 is A, 36 is a.
_DIGITS = digits + ascii_uppercase + ascii_lowercase
#: Shadow's, where a version goes on to 63.
_VALUES = {digit: value for value, digit in enumerate(_DIGITS + ".-")}

_HEX_HASH = re.compile(r"[0-9A-Fa-f]{40}\Z")


# ---------------------------------------------------------------- info-hashes


def decodeBase32(text: str) -> bytes:
    """
    The bytes that C{text} stands for.  Case does not matter, padding may be left out, and 1 is read
    as the I it was meant to be.

    @raise ValueError: it is not base32.
    """
    if not text.isascii():
        raise ValueError("base32 is made of ASCII letters and digits")
    bare = text.rstrip("=").upper().replace("1", "I")
    return b32decode(bare + "=" * (-len(bare) % 8))


def parseInfoHash(text: str) -> bytes:
    """
    The 20 bytes of an info-hash in 40 hexadecimal digits, or in 32 of base32.

    @raise ValueError: C{text} is neither.
    """
    if _HEX_HASH.match(text):
        return bytes.fromhex(text)
    if len(text) != 32:
        raise ValueError("an info-hash has 40 hexadecimal digits, or 32 of base32")
    found = decodeBase32(text)
    if len(found) != 20:  # padding among the 32
        raise ValueError("an info-hash has 20 bytes")
    return found


# ---------------------------------------------------------------- peer ids


def azureusPrefix(code: str, version: Sequence[int]) -> bytes:
    """
    The eight bytes a peer id in the style of Azureus begins with, like C{-TB0100-}.

    @param code: two letters or digits.
    @param version: up to four numbers from 0 to 61; those left out are 0.
    @raise ValueError: they do not fit.
    """
    numbers = [*version, 0, 0, 0, 0][: max(4, len(version))]
    if len(code) != 2 or not (code.isascii() and code.isalnum()):
        raise ValueError(f"a client's code is two letters or digits, not {code!r}")
    if len(numbers) != 4 or not all(0 <= number < len(_DIGITS) for number in numbers):
        raise ValueError(f"a version is four numbers from 0 to 61, not {tuple(version)}")
    return f"-{code}{''.join(_DIGITS[number] for number in numbers)}-".encode("ascii")


def makePeerId(random: Random, version: str) -> bytes:
    """
    A peer id of this client.

    @param version: like C{"0.1.0"}; what follows the first four numbers (C{".dev3"}) is left out.
    """
    parts = re.match(r"\d*(?:\.\d+){0,3}", version)
    numbers = [min(int(part), 61) for part in re.findall(r"\d{1,9}", parts.group() if parts else "")][:4]
    tail = "".join(random.choice(_DIGITS) for _ in range(12))
    return azureusPrefix(CLIENT_CODE, numbers) + tail.encode("ascii")


def clientName(peerId: bytes) -> str:
    """
    The software and version that chose C{peerId}, for people, like C{"Transmission 3.0"}; never fails.

    An unknown code of a known style is its own name; of no known style: C{"Unknown"} and what is
    printable of the id.
    """
    for style in (_odd, _azureus, _mainline, _shadow):
        name = style(peerId)
        if name is not None:
            return name
    if peerId[:12] == bytes(12):
        return "Generic"
    printable = re.sub(r"[^!-~]+", ".", peerId[:20].decode("latin-1"))
    return f"Unknown {printable}"


def _dotted(numbers: Sequence[int]) -> str:
    """A version of three numbers, and a fourth where it is not 0."""
    shown = numbers[:3] if not any(numbers[3:]) else numbers
    return ".".join(str(number) for number in shown)


def _azureus(peerId: bytes) -> str | None:
    """C{-AZ2060-}: a dash, two letters, four digits of version, a dash."""
    found = re.match(rb"-([0-9A-Za-z~]{2})([0-9A-Za-z.]{3,9})-", peerId)
    if found is None:
        # Some write their own mark in place of the last dash, or letters after the version.
        found = re.match(rb"-([0-9A-Za-z~]{2})([0-9A-Za-z]{4})", peerId)
        if found is None:
            return AZUREUS_CLIENTS.get(peerId[1:3].decode("latin-1")) if peerId[:1] == b"-" else None
    code, version = (part.decode("ascii") for part in found.groups())
    name = AZUREUS_CLIENTS.get(code, code)
    if "." in version:
        return f"{name} {version}"
    return f"{name} {_dotted([_VALUES[digit] for digit in version[:4]])}"


def _shadow(peerId: bytes) -> str | None:
    """C{S58B-----}: a letter, up to five digits of version, dashes.  Or three numbers as bytes."""
    letter = peerId[:1]
    if not letter.isalpha():
        return None
    name = SHADOW_CLIENTS.get(letter.decode("ascii"), letter.decode("ascii"))
    found = re.match(rb"([0-9A-Za-z.]{3,5})-{2,}", peerId[1:])
    if found is not None:
        return f"{name} {_dotted([_VALUES[digit] for digit in found[1].decode('ascii')])}"
    if len(peerId) > 8 and peerId[8] == 0 and all(number < 128 for number in peerId[1:4]):
        return f"{name} {_dotted(peerId[1:4])}"
    return None


def _mainline(peerId: bytes) -> str | None:
    """C{M4-20-8-}: a letter, three numbers and a dash after each."""
    found = re.match(rb"([A-Z])(\d{1,3})-(\d{1,3})-(\d{1,3})-", peerId)
    if found is None:
        return None
    code = found[1].decode("ascii")
    name = {"M": "Mainline", "Q": "Queen Bee", "A": "aria2"}.get(code, code)
    return f"{name} {int(found[2])}.{int(found[3])}.{int(found[4])}"


def _odd(peerId: bytes) -> str | None:
    """Those with a way of their own."""
    if peerId[:4] in (b"exbc", b"FUTB", b"xUTB") and len(peerId) > 5:  # two bytes, as numbers
        name = "BitLord" if peerId[6:10] == b"LORD" else "BitComet"
        return f"{name} {peerId[4]}.{peerId[5]}"
    for pattern, show in _ODD_STYLES:
        found = re.match(pattern, peerId, re.DOTALL)
        if found is not None:
            return show(found)
    return next((name for start, name in ODD_CLIENTS.items() if peerId.startswith(start)), None)


def _joined(name: str, join: str = ".") -> Callable[[re.Match[bytes]], str]:
    """Shows the groups of a match as the version of C{name}."""
    return lambda found: f"{name} {join.join(part.decode('ascii') for part in found.groups())}"


_ODD_STYLES: tuple[tuple[bytes, Callable[[re.Match[bytes]], str]], ...] = (
    (rb"OP(\d{4})", lambda found: f"Opera {int(found[1])}"),
    (rb"XBT(\d)(\d)(\d)", _joined("XBT")),
    (rb"-BOW(\w)(\w)(\w)", _joined("Bits on Wheels")),
    (rb"Mbrst(\d)-(\d)-(\d)", _joined("burst!")),
    (rb"A2-(\d+)-(\d+)-(\d+)", _joined("aria2")),
    (rb"BTM(\d)(\d)", _joined("BTuga Revolution")),
    (rb"(?:eX|-eX-)", lambda found: "eXeem"),
)
