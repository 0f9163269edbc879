"""
Clients with a state of earlier runs: what older versions did not know, and many torrents at a time.
"""

from __future__ import annotations

import sqlite3

from tests.sessions.manycase import INTERVAL, ManyCase
from twisted_bt.sessions.catchingup import NOTE
from twisted_bt.tracker.announce import Event


class OlderTests(ManyCase):
    """Torrents registered by versions that had no timetable, nor a count."""

    def age(self, *more: str) -> None:
        """The client stops; its state is as an older version left it."""
        self.network.runUntil(self.client.stopService())
        self.store.heard.clear()
        connection = sqlite3.connect(self.stateDir / "state.sqlite")
        with connection:
            for each in (
                "DELETE FROM announces",
                "DELETE FROM notes",
                "DROP TRIGGER torrentsMore",
                "DROP TRIGGER torrentsLess",
                "DROP TABLE torrentCount",
                *more,
            ):
                connection.execute(each)
        connection.close()

    def test_announced(self) -> None:
        """They are announced after all, once each; the note says that it need not be looked for again."""
        self.register(*self.torrents(300))
        self.age()
        self.client = self.newClient()
        self.network.advance(INTERVAL)
        self.assertEqual(len(self.hashes()), 300)
        self.assertEqual(len(set(self.hashes())), 300)
        self.assertIsNotNone(self.client.assembly.notes.get(NOTE))

    def test_unreadable(self) -> None:
        """One whose torrent file is gone is left out, and keeps no other from it."""
        locs = list(self.torrents(3))
        self.register(*locs)
        locs[1].metafilePath.unlink()
        self.age()
        self.client = self.newClient()
        self.network.advance(60)
        self.assertEqual(len(set(self.hashes())), 2)

    def test_paused(self) -> None:
        """One that is paused stays so."""
        self.register(*self.torrents(3))
        self.age("UPDATE torrents SET paused=1 WHERE infoHash=(SELECT min(infoHash) FROM torrents)")
        self.client = self.newClient()
        self.network.advance(60)
        self.assertEqual(len(set(self.hashes())), 2)

    def test_counted(self) -> None:
        """How many are known is right: of an older version, and after each change."""
        locs = list(self.torrents(5))
        self.register(*locs[:3])
        self.age()
        self.client = self.newClient()
        self.assertEqual(len(self.client.torrentMap), 3)
        self.register(*locs[1:])
        self.assertEqual(len(self.client.torrentMap), 5)
        swarm = self.network.runUntil(self.client.addTorrent(locs[0].metafilePath, self.folder))
        self.assertEqual(len(self.client.torrentMap), 5)
        self.network.runUntil(self.client.removeTorrent(swarm.infoHash))
        self.network.runUntil(self.client.removeTorrent(swarm.infoHash))
        self.assertEqual(len(self.client.torrentMap), 4)


class RestoredTests(ManyCase):
    """Torrents that were added in earlier runs."""

    def add(self, count: int) -> None:
        """So many are added, and the client starts again."""
        for each in self.torrents(count):
            self.network.runUntil(self.client.addTorrent(each.metafilePath, self.folder))
        self.restart()

    def test_few(self) -> None:
        """A few are announced at once."""
        self.add(5)
        self.network.advance(0.5)
        self.assertEqual([each.event for _, each in self.store.heard], [Event.STARTED] * 5)

    def test_many(self) -> None:
        """Many are not announced in one breath, but all are in time."""
        self.add(100)
        began = self.network_seconds()
        self.network.advance(20)
        times = [at - began for at, _ in self.store.heard]
        self.assertEqual(len(times), 100)
        self.assertLess(max(sum(at <= each < at + 1 for each in times) for at in times), 50)
        self.assertLess(times[-1], 6)
