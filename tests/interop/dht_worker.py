"""
A private DHT of libtorrent nodes, all in one process of its own.

Run as a script with a JSON object C{{"nodes": n, "bootstrap": "host:port"}}.  Standard input takes one
JSON object a line, C{{"id": n, "do": name, ...}}; standard output gives C{{"id": n, "result": ...}} or
C{{"id": n, "error": text}} for each.  It ends at the end of its input.

Needs libtorrent and nothing of this project.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import suppress
from typing import Any

import libtorrent as lt

HOST = "127.0.0.1"

#: All on one address, which elsewhere would look like an attack.
SETTINGS: dict[str, Any] = {
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_ip_notifier": False,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_prefer_verified_node_ids": False,
    "dht_enforce_node_id": False,
    "dht_ignore_dark_internet": False,
    "dht_block_ratelimit": 10_000,
    "dht_upload_rate_limit": 10_000_000,
    "alert_queue_size": 20_000,
    "alert_mask": lt.alert_category.dht | lt.alert_category.dht_operation | lt.alert_category.status,
}


class Worker:
    """The nodes, numbered from 0."""

    def __init__(self, nodes: int, bootstrap: str) -> None:
        self.sessions: list[Any] = []
        for _ in range(nodes):
            chosen: Any = {**SETTINGS, "listen_interfaces": f"{HOST}:0", "dht_bootstrap_nodes": ""}
            session = lt.session(chosen)
            self.sessions.append(session)
            while not session.listen_port():
                time.sleep(0.01)
        ports = self.do_ports()
        for number, session in enumerate(self.sessions):
            # Not as routers: those are in nobody's table.
            if bootstrap:
                session.add_dht_node((HOST, int(bootstrap.partition(":")[2])))
            else:
                for step in (1, 2, 3, 5, 8):
                    session.add_dht_node((HOST, ports[(number + step) % nodes]))

    # -- what can be asked

    def do_ports(self) -> list[int]:
        """The UDP ports of all."""
        return [session.listen_port() for session in self.sessions]

    def do_knowing(self, port: int, nodeId: str) -> int:
        """How many name the node with that id and port to a stranger who asks for nodes near it."""
        query: Any = {
            b"t": b"kn",
            b"y": b"q",
            b"q": b"find_node",
            b"ro": 1,
            b"a": {b"id": bytes(20), b"target": bytes.fromhex(nodeId)},
        }
        wanted = bytes.fromhex(nodeId) + socket.inet_aton(HOST) + port.to_bytes(2, "big")
        count = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(1.0)
            for each in self.do_ports():
                stranger.sendto(lt.bencode(query), (HOST, each))
                with suppress(TimeoutError):
                    answer: Any = lt.bdecode(stranger.recv(2048))
                    count += wanted in answer[b"r"][b"nodes"]
        return count

    def do_announce(self, node: int, infoHash: str, port: int) -> None:
        """Have one announce."""
        self.sessions[node].dht_announce(lt.sha1_hash(bytes.fromhex(infoHash)), port, 0)

    def do_getPeers(self, node: int, infoHash: str, seconds: float = 5.0) -> list[str]:
        """Have one search; the peers of the first answer that has any."""
        session = self.sessions[node]
        session.pop_alerts()
        session.dht_get_peers(lt.sha1_hash(bytes.fromhex(infoHash)))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            session.wait_for_alert(100)
            for alert in session.pop_alerts():
                if isinstance(alert, lt.dht_get_peers_reply_alert) and alert.num_peers():
                    return [f"{host}:{port}" for host, port in alert.peers()]
        return []


def main() -> None:
    """Serve until the input ends."""
    worker = Worker(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        message = json.loads(line)
        number, name = message.pop("id"), message.pop("do")
        try:
            answer = {"id": number, "result": getattr(worker, "do_" + name)(**message)}
        except Exception as error:
            answer = {"id": number, "error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # a session's destructor waits for its sockets
