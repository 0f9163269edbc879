"""
Torrents that were registered before there was a timetable of announces: entered into it, once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from twisted.logger import Logger

from twisted_bt.errors import BitTorrentError, MetainfoError, SessionStopped
from twisted_bt.sessions.assembly import Assembly
from twisted_bt.sessions.registering import registration
from twisted_bt.sessions.timetable import Registration
from twisted_bt.sessions.torrentmap import TorrentRow

#: Torrents looked at by one job.
BATCH = 128
#: The note that says that it was done.
NOTE = "every registered torrent was scheduled"


class CatchingUp:
    """
    @param registered: told how many torrents came to each station of the timetable.
    """

    _log = Logger()

    def __init__(self, parts: Assembly, registered: Callable[[Mapping[int, int]], Awaitable[None]]) -> None:
        self._parts = parts
        self._registered = registered
        self._stopped = False

    def stop(self) -> None:
        """No more than what is under way; the next run goes on."""
        self._stopped = True

    async def run(self) -> None:
        """
        Enter all that are missing, a few at a time.  One whose torrent file cannot be read is left out, as
        it could not be opened either.
        """
        try:
            await self._run()
        except SessionStopped:
            pass
        except BitTorrentError as reason:
            self._log.error("torrents of earlier versions are not announced: {reason}", reason=str(reason))

    async def _run(self) -> None:
        parts = self._parts
        if parts.notes.get(NOTE) is not None:
            return
        after = b""
        entered = 0
        while not self._stopped:
            rows = await parts.torrents.unscheduled(after, BATCH)
            if not rows:
                await parts.notes.put(NOTE, b"")
                if entered:
                    self._log.info("{count} torrents of earlier versions are announced now", count=entered)
                return
            found = await parts.metafiles.submit(partial(self._read, rows))
            stations = await parts.torrents.schedule(found, parts.engine.wallClock())
            await self._registered(stations)
            entered += len(found)
            after = rows[-1].infoHash

    def _read(self, rows: Sequence[TorrentRow]) -> list[Registration]:
        """On a thread."""
        found = []
        for row in rows:
            try:
                metainfo = self._parts.metafiles.readNow(row.loc.metafilePath)
            except MetainfoError:
                continue
            if metainfo.wireHash == row.infoHash:
                found.append(registration(metainfo))
        return found
