"""Tests for L{twisted_bt.control.preflight}."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_bt.control.preflight import checkFolder, checkPort, listenMessage
from twisted_bt.errors import SettingsError


class FolderTests(SynchronousTestCase):
    """Folders that will be written to."""

    def test_made(self) -> None:
        """A missing folder is made, its parents too, and left empty."""
        path = Path(self.mktemp()) / "a" / "b"
        checkFolder(path, "--download-dir")
        self.assertEqual(list(path.iterdir()), [])

    def test_mode(self) -> None:
        """It gets the mode that was asked for."""
        path = Path(self.mktemp())
        checkFolder(path, "--state-dir", 0o700)
        self.assertEqual(path.stat().st_mode & 0o077, 0)

    def test_file(self) -> None:
        """A file in its place is an error with purpose and path, also further up."""
        path = Path(self.mktemp())
        path.write_bytes(b"")
        for wrong in (path, path / "below"):
            message = str(self.assertRaises(SettingsError, checkFolder, wrong, "--state-dir"))
            self.assertIn("--state-dir", message)
            self.assertIn(str(wrong), message)


class PortTests(SynchronousTestCase):
    """Ports that will be listened on."""

    def taken(self) -> int:
        """The number of a port of 127.0.0.1 that is listened on during the test."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        number: int = listening.getsockname()[1]
        return number

    def test_any(self) -> None:
        """Port 0 is always free."""
        checkPort([""], 0)
        checkPort(["127.0.0.1"], 0)

    def test_occupied(self) -> None:
        """A port that somebody listens on is refused, at that address and at all of them."""
        port = self.taken()
        for interface in ("127.0.0.1", ""):
            message = str(self.assertRaises(SettingsError, checkPort, [interface], port))
            self.assertIn(f"port {port}", message)
            self.assertIn("another program uses it", message)

    def test_left(self) -> None:
        """A port that was checked is free afterwards."""
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        listening.close()
        checkPort(["127.0.0.1"], port)
        checkPort(["127.0.0.1"], port)

    def test_foreignAddress(self) -> None:
        """An address that is not this machine's is refused."""
        message = str(self.assertRaises(SettingsError, checkPort, ["192.0.2.1"], 0))
        self.assertIn("192.0.2.1", message)

    def test_message(self) -> None:
        """The system's reason is shown where we know no better."""
        self.assertEqual(
            listenMessage("", 80, OSError(errno.EACCES, "Permission denied")),
            "cannot listen on port 80: Permission denied",
        )
