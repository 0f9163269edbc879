"""
libtorrent and a shelf of torrents, in a process of its own.  Prints one JSON object.  Run as a script::

    shelf_libtorrent.py TASK SHELF COUNT [SECONDS]

Its settings are libtorrent's own, but for what would look for peers.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import libtorrent as lt

from tests.benchmarks.gauges import memory, processor
from tests.benchmarks.shelf import Crowd, dataOf, metafileOf


def session(active: int) -> Any:
    """A session that looks for nobody."""
    settings: Any = {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "alert_queue_size": 1_000_000,
        "alert_mask": lt.alert_category.status | lt.alert_category.error,
        "connections_limit": 10_000,
        "allow_multiple_connections_per_ip": True,
    }
    if active:
        settings["active_limit"] = settings["active_seeds"] = active
    return lt.session(settings)


def add(ours: Any, shelf: Path, count: int, folder: Path, seed: bool) -> None:
    """Add all of the shelf; returns when they are there."""
    for number in range(count):
        params = lt.load_torrent_file(str(metafileOf(shelf, number)))
        params.save_path = str(folder)
        if seed:
            params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
            params.flags |= lt.torrent_flags.seed_mode
        ours.async_add_torrent(params)
    added = 0
    while added < count:
        ours.wait_for_alert(1000)
        added += sum(isinstance(each, lt.add_torrent_alert) for each in ours.pop_alerts())


def main() -> None:
    """Do one task."""
    task, name, amount, *rest = sys.argv[1:]
    shelf, count = Path(name), int(amount)
    ours = session(count if task in ("idle", "peers") else 0)
    before, cpu, begun = memory(), processor(), time.perf_counter()
    found: dict[str, Any] = {}
    if task == "add":
        add(ours, shelf, count, shelf / "nothing", seed=False)
        found = {"seconds": time.perf_counter() - begun, "cpu": processor() - cpu}
        begun = time.perf_counter()
        for handle in ours.get_torrents():
            ours.remove_torrent(handle)
        removed = 0
        found["memory"] = memory() - before
        while removed < count:
            ours.wait_for_alert(1000)
            removed += sum(isinstance(each, lt.torrent_removed_alert) for each in ours.pop_alerts())
        found["remove"] = time.perf_counter() - begun
    elif task == "idle":
        add(ours, shelf, count, dataOf(shelf), seed=True)
        time.sleep(min(3.0, float(rest[0])))
        cpu = processor()
        time.sleep(float(rest[0]))
        found = {"cpu": (processor() - cpu) / float(rest[0]), "memory": memory() - before}
    elif task == "peers":
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        add(ours, shelf, 1, dataOf(shelf), seed=True)
        handle = ours.get_torrents()[0]
        handle.set_max_connections(count + 100)
        before = memory()
        crowd = Crowd(ours.listen_port(), handle.info_hashes().v1.to_bytes(), count)
        time.sleep(min(3.0, float(rest[0])))
        cpu = processor()
        time.sleep(float(rest[0]))
        found = {"cpu": (processor() - cpu) / float(rest[0]), "memory": memory() - before}
        found["connected"] = handle.status().num_peers
        crowd.leave()
    print(json.dumps(found), flush=True)
    os._exit(0)  # the session's destructor would wait for trackers


if __name__ == "__main__":
    main()
