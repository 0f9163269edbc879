"""
libtorrent looking through files it knows nothing of.  Run as a script::

    libtorrent_recheck.py TORRENT FOLDER

Prints, as JSON, the seconds that took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import libtorrent as lt


def main() -> None:
    """Check it all."""
    torrent, folder = sys.argv[1:]
    settings: Any = {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "alert_mask": lt.alert_category.status | lt.alert_category.storage,
    }
    session = lt.session(settings)
    params = lt.load_torrent_file(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    begun = time.perf_counter()
    session.add_torrent(params)
    while True:
        session.wait_for_alert(1000)
        if any(isinstance(alert, lt.torrent_checked_alert) for alert in session.pop_alerts()):
            break
    print(json.dumps({"seconds": time.perf_counter() - begun}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
