"""
libtorrent in a process of its own, so that its threads and ours do not disturb each other.

Run as a script.  Standard input takes one JSON object a line, C{{"id": n, "do": name, ...}}; standard
output gives C{{"id": n, "result": ...}} or C{{"id": n, "error": text}} for each, not always in that
order: C{wait} is answered once the torrent is complete.  It ends at the end of its input.

Needs libtorrent and nothing of this project.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
from typing import Any

import libtorrent as lt

#: Nothing but what a test asks for: no peers from elsewhere, no look at the network around.
SETTINGS: dict[str, Any] = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_ip_notifier": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True,
    "ssrf_mitigation": False,  # a tracker on 127.0.0.1 is what we have
    "min_reconnect_time": 1,
    "unchoke_interval": 1,  # by default 15 s, and a test would wait for most of that
    "alert_queue_size": 20_000,
    "alert_mask": lt.alert_category.status | lt.alert_category.error | lt.alert_category.storage,
}


class Worker:
    """One session, and those who wait for one of its torrents."""

    def __init__(self, settings: dict[str, Any]) -> None:
        chosen: Any = {**SETTINGS, **settings}
        self.session = lt.session(chosen)
        self.handles: dict[str, Any] = {}
        self.complete: set[str] = set()
        self.waiting: dict[str, list[int]] = {}
        self.errors: list[str] = []

    def reply(self, **what: Any) -> None:
        """One line out."""
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    def request(self, line: str) -> None:
        """One line in; whatever goes wrong is the answer."""
        message = json.loads(line)
        number, name = message.pop("id"), message.pop("do")
        if name == "wait":
            self.waiting.setdefault(message["infoHash"], []).append(number)
            self.tellCompleted()
            return
        try:
            self.reply(id=number, result=getattr(self, "do_" + name)(**message))
        except Exception as error:
            self.reply(id=number, error=f"{type(error).__name__}: {error}")

    def alerts(self) -> None:
        """Look at what the session has to say."""
        for alert in self.session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert):
                # On disk before anybody compares: the alert comes when the last piece has hashed.
                alert.handle.flush_cache()
            elif isinstance(alert, lt.cache_flushed_alert):
                if alert.handle.is_valid() and alert.handle.status().is_finished:
                    self.complete.add(str(alert.handle.info_hash()))
            elif alert.category() & lt.alert_category.error:
                self.errors.append(alert.message())
                del self.errors[:-50]
        self.tellCompleted()

    def tellCompleted(self) -> None:
        """Answer those who wait for what is complete now."""
        for infoHash in self.complete & self.waiting.keys():
            for number in self.waiting.pop(infoHash):
                self.reply(id=number, result=True)

    # -- what can be asked

    def do_port(self) -> int:
        """The port it listens on."""
        port: int = self.session.listen_port()
        return port

    def do_add(
        self,
        torrent: str,
        saveDir: str,
        seed: bool = False,
        trackers: bool = True,
        flags: list[str] | None = None,
    ) -> str:
        """
        Add a torrent file; its info-hash in hexadecimal.

        @param seed: take the content for complete, unread.
        @param trackers: whether to announce to those in the file.
        @param flags: names of libtorrent's C{torrent_flags} to set besides.
        """
        params = lt.load_torrent_file(torrent)
        params.save_path = saveDir
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        for name in flags or []:
            params.flags |= getattr(lt.torrent_flags, name)
        if seed:
            params.flags |= lt.torrent_flags.seed_mode
        if not trackers:
            params.trackers = []
        handle = self.session.add_torrent(params)
        infoHash = str(handle.info_hash())
        self.handles[infoHash] = handle
        if seed:
            self.complete.add(infoHash)
        return infoHash

    def do_addMagnet(self, link: str, saveDir: str) -> str:
        """Add a magnet link; its info-hash in hexadecimal."""
        params = lt.parse_magnet_uri(link)
        params.save_path = saveDir
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        handle = self.session.add_torrent(params)
        infoHash = str(handle.info_hash())
        self.handles[infoHash] = handle
        return infoHash

    def do_addNode(self, host: str, port: int) -> None:
        """There may be a DHT node."""
        self.session.add_dht_node((host, port))

    def do_seek(self, infoHash: str) -> None:
        """Look for peers in the DHT now."""
        self.handles[infoHash].force_dht_announce()

    def do_connect(self, infoHash: str, host: str, port: int) -> None:
        """Dial a peer."""
        self.handles[infoHash].connect_peer((host, port))

    def do_announce(self, infoHash: str) -> None:
        """Announce to the trackers now."""
        self.handles[infoHash].force_reannounce(0, -1, lt.torrent_handle.ignore_min_interval)

    def do_status(self, infoHash: str) -> dict[str, Any]:
        """What it knows of a torrent; rates in bytes a second."""
        status = self.handles[infoHash].status()
        return {
            "state": str(status.state),
            "progress": status.progress,
            "finished": status.is_finished,
            "seeding": status.is_seeding,
            "peers": status.num_peers,
            "seeds": status.num_seeds,
            "downloaded": status.total_payload_download,
            "uploaded": status.total_payload_upload,
            "failed": status.total_failed_bytes,
            "redundant": status.total_redundant_bytes,
            "downloadRate": status.download_payload_rate,
            "hasMetadata": status.has_metadata,
            "error": status.errc.message() if status.errc.value() else "",
        }

    def do_peers(self, infoHash: str) -> list[dict[str, Any]]:
        """Whom it is connected to."""
        return [
            {
                "address": f"{peer.ip[0]}:{peer.ip[1]}",
                "client": peer.client.decode("utf-8", "replace"),
                "seed": bool(peer.flags & lt.peer_info.seed),
                "flags": [
                    name
                    for name in ("interesting", "choked", "remote_interested", "remote_choked")
                    if peer.flags & getattr(lt.peer_info, name)
                ],
                "sources": [
                    name
                    for name in ("tracker", "dht", "pex", "lsd")
                    if peer.source & getattr(lt.peer_info, name)
                ],
                "downloaded": peer.total_download,
                "uploaded": peer.total_upload,
            }
            for peer in self.handles[infoHash].get_peer_info()
        ]

    def do_limit(self, infoHash: str, download: int = 0, upload: int = 0) -> None:
        """Rates in bytes a second that it keeps under; 0: none."""
        self.handles[infoHash].set_download_limit(download)
        self.handles[infoHash].set_upload_limit(upload)

    def do_pause(self, infoHash: str) -> None:
        """Leave the swarm."""
        self.handles[infoHash].pause()

    def do_resume(self, infoHash: str) -> None:
        """Enter it again."""
        self.handles[infoHash].resume()

    def do_remove(self, infoHash: str) -> None:
        """Forget the torrent; its files stay."""
        self.session.remove_torrent(self.handles.pop(infoHash))
        self.complete.discard(infoHash)

    def do_errors(self) -> list[str]:
        """The last errors of the session."""
        return self.errors


def main() -> None:
    """Serve until the input ends."""
    worker = Worker(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
    wakeRead, wakeWrite = os.pipe()
    os.set_blocking(wakeRead, False)
    os.set_blocking(wakeWrite, False)
    worker.session.set_alert_fd(wakeWrite)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.buffer.fileno(), selectors.EVENT_READ)
    selector.register(wakeRead, selectors.EVENT_READ)
    part = b""
    while True:
        for key, _ in selector.select():
            data = os.read(key.fd, 1 << 16)
            if key.fd == wakeRead:
                worker.alerts()
                continue
            if not data:
                return
            *lines, part = (part + data).split(b"\n")
            for line in lines:
                worker.request(line.decode())


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # a session's destructor waits for its trackers
