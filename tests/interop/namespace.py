"""
A network of its own for a program: another address, reached through a pair of virtual interfaces.

For programs that treat 127.0.0.0/8 specially.  Needs Linux, the C{ip} command and the right to use
it.
"""

from __future__ import annotations

import os
import socket
import subprocess
from unittest import SkipTest

from tests.interop.programs import require

#: 198.18.0.0/15 is set aside for tests of networks (RFC 2544); four addresses for each namespace.
_NETWORK = "198.18"


class Namespace:
    """
    A network namespace.

    @ivar inside: the address of the programs in it.
    @ivar outside: the address at which these reach us.
    """

    def __init__(self, name: str, number: int) -> None:
        """See L{create}."""
        self.name = name
        self.outside = f"{_NETWORK}.{number // 64}.{number % 64 * 4 + 1}"
        self.inside = f"{_NETWORK}.{number // 64}.{number % 64 * 4 + 2}"
        self._ip = require("ip")

    @classmethod
    def create(cls) -> Namespace:
        """
        A new one, numbered by our process id.

        @raise SkipTest: this system or user may not make any.
        """
        number = os.getpid() % (64 * 128)
        made = cls(f"twistedbt{os.getpid()}", number)
        try:
            made._build()
        except subprocess.CalledProcessError as error:
            made.remove()
            raise SkipTest(f"network namespaces cannot be made here: {error.stderr.strip()}") from error
        return made

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._ip, *arguments], check=True, capture_output=True, text=True, timeout=10)

    def _build(self) -> None:
        ours, theirs = f"tb{os.getpid()}", "peer"
        self._run("netns", "add", self.name)
        self._run("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.name)
        self._run("address", "add", f"{self.outside}/30", "dev", ours)
        self._run("link", "set", ours, "up")
        self._run("-n", self.name, "address", "add", f"{self.inside}/30", "dev", theirs)
        self._run("-n", self.name, "link", "set", theirs, "up")
        self._run("-n", self.name, "link", "set", "lo", "up")

    def addOutsideIPv6(self, address: str) -> int:
        """Give our end an IPv6 address too; the number of its interface."""
        device = f"tb{os.getpid()}"
        self._run("address", "add", f"{address}/64", "dev", device, "nodad")
        return socket.if_nametoindex(device)

    def command(self) -> list[str]:
        """What to put before a command so that it runs inside."""
        return [self._ip, "netns", "exec", self.name]

    def remove(self) -> None:
        """Take it away, its interfaces with it."""
        subprocess.run([self._ip, "netns", "delete", self.name], capture_output=True, timeout=10)
