"""
Target: recordings of what went over the wire, which come with reports of bugs.
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from tests.fuzz.target import ACCEPTED, REJECTED, Tally, Target, outcome, require
from twisted_bt.testing.recording import FORMAT, VERSION, Recorder, Recording, RecordingError


def _written(recording: Recording) -> str:
    """C{recording} as a file."""
    events: list[dict[str, Any]] = []
    for each in recording.conversations:
        named = {"dialled": each.dialled, "here": each.here, "there": each.there}
        lines: list[dict[str, Any]] = [{"t": each.openedAt, "e": "opened", **named}]
        text: list[str] = []
        writer = Recorder(text.append, lambda: 0.0)
        for said in each.said:
            writer.data(each.number, "received" if said.received else "sent", said.data)
            lines.append({**json.loads(text[-1]), "t": said.time})
        if each.closedAt is not None:
            lines.append({"t": each.closedAt, "e": "closed", "why": each.why})
        events += [{**line, "c": each.number} for line in lines]
    events.sort(key=lambda line: float(line["t"]))
    first = {"format": FORMAT, "version": VERSION, "note": recording.note}
    return "".join(json.dumps(line) + "\n" for line in (first, *events))


class Recordings(Target):
    """L{twisted_bt.testing.recording}."""

    name = "recording"
    words = (
        b'{"t": 1, "c": 1, "e": "sent", "data": "AAAA"}\n',
        b'{"t": 2, "c": 2, "e": "opened", "dialled": true}\n',
        b'{"t": 3, "c": 1, "e": "truncated"}\n', b'"data": ', b'"why": ', b"null", b"true", b"NaN",
        b"Infinity", b"1e400",
        b"-1", b"\n", b"[" * 990, b"]" * 990, b"{", b"}", b"=", b"==", b"\xc3\xa4", b"\\u00e4", b"\\ud800",
        b"9" * 5000,
    )  # fmt: skip

    def seeds(self) -> list[bytes]:
        """What a recorder writes."""
        lines: list[str] = []
        now = [0.0]
        recorder = Recorder(lines.append, lambda: now[0], "a note")
        for connection, dialled in ((1, True), (2, False)):
            now[0] += 0.25
            recorder.opened(dialled, None, None)
            recorder.data(connection, "sent", b"\x13BitTorrent protocol" + bytes(8))
            recorder.data(connection, "received", b"\x13BitTorrent")
            now[0] += 1
            recorder.data(connection, "received", bytes(range(256)))
        recorder.closed(1, "it was enough")
        whole = "".join(lines).encode()
        return [whole, lines[0].encode(), whole.replace(b"NoneType", b"[::1]:6881")]

    def run(self, data: bytes) -> Tally:
        """One exception; bounded; what is read is written to the same."""
        text = data.decode("utf-8", "replace")
        found = outcome(
            lambda: Recording.read(StringIO(text), maxData=4000, maxConnections=5), RecordingError
        )
        if found is None:
            return REJECTED
        require(len(found.conversations) <= 5, "few connections", len(found.conversations))
        held = sum(len(said.data) for each in found.conversations for said in each.said)
        require(held <= 4000, "little data", held)
        again = Recording.read(StringIO(_written(found)))
        require(again.note == found.note, "read(written(x)) == x", found.note)
        ordered = [{each.number: each for each in one.conversations} for one in (found, again)]
        require(ordered[0] == ordered[1], "read(written(x)) == x", *ordered)
        require({each.number for each in found.peers()} <= set(ordered[0]), "peers are of it")
        return ACCEPTED
