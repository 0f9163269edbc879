"""
What a simulated network carried, in one word; here, and in another process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

from twisted_bt.testing.network import Network, Traffic


class Trace:
    """All that C{network} carries from now on; C{str} of it also tells when and after how many events."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._seen = sha256()
        network.watchers.append(self._watch)

    def _watch(self, traffic: Traffic) -> None:
        head = (traffic.time, traffic.kind, traffic.source.host, traffic.source.port, traffic.target.host)
        self._seen.update(repr(head).encode() + traffic.data)

    def __str__(self) -> str:
        return f"{self._seen.hexdigest()} {self._network.events} {self._network.now!r}"


def printedElsewhere(program: str, hashSeed: int) -> list[str]:
    """The lines that C{program} prints in another process whose C{PYTHONHASHSEED} is C{hashSeed}."""
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONHASHSEED": str(hashSeed), "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()
