"""
A libtorrent leecher: downloads a torrent from the peers at some ports of 127.0.0.1, then ends.  Run as a
script::

    libtorrent_leech.py TORRENT FOLDER PORT...

Its settings are libtorrent's own, but for what would look for other peers or encrypt.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import libtorrent as lt


def main() -> None:
    """Fetch, and see it flushed to the files."""
    torrent, folder, *ports = sys.argv[1:]
    settings: Any = {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_outgoing_utp": False,
        "enable_incoming_utp": False,
        "in_enc_policy": 2,
        "out_enc_policy": 2,
        "allow_multiple_connections_per_ip": True,
        "connections_limit": 1000,
        "connection_speed": 500,
        "alert_mask": lt.alert_category.status | lt.alert_category.storage,
    }
    session = lt.session(settings)
    params = lt.load_torrent_file(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)
    for port in ports:
        handle.connect_peer(("127.0.0.1", int(port)))
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert):
                handle.flush_cache()
            elif isinstance(alert, lt.cache_flushed_alert) and handle.status().is_finished:
                sys.stdout.flush()
                os._exit(0)  # the session's destructor would wait for trackers


if __name__ == "__main__":
    main()
