"""
What can be found wrong before anything is started, so that it is said at once and in one line.

A daemon that goes to the background can no longer say anything to the person who started it.
These checks come first; the services look again for themselves.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile

from twisted_bt.errors import SettingsError

_ALL = ("", "::", "0.0.0.0")


def checkFolder(path: Path, purpose: str, mode: int = 0o777) -> None:
    """
    Make the folder C{path} if it is missing, and see that files can be made in it.

    @param purpose: names it in the error, for example C{"--download-dir"}.
    @raise SettingsError: it cannot be used; the message says why.
    """
    try:
        path.mkdir(mode, parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = "is a file" if isinstance(error, FileExistsError) else os.strerror(error.errno or 0)
        raise SettingsError(f"{purpose}: cannot use the folder {path}: {reason}") from error


def checkPort(interfaces: Sequence[str], port: int) -> None:
    """
    See that C{port} can be listened on at each of C{interfaces} (C{""}: all addresses).

    Somebody may still take it in the moment until it is listened on.

    @raise SettingsError: it cannot; the message says which and why.
    """
    for interface in interfaces:
        families = _families(interface)
        for family in families:
            try:
                _tryListening(family, interface, port)
            except OSError as error:
                if not interface and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    continue
                raise SettingsError(listenMessage(interface, port, error)) from error


def listenMessage(interface: str, port: int, error: OSError) -> str:
    """One line that says why C{port} cannot be listened on."""
    where = f"port {port}" + ("" if interface in _ALL else f" of {interface}")
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: another program uses it"
    return f"cannot listen on {where}: {error.strerror or error}"


def _families(interface: str) -> tuple[socket.AddressFamily, ...]:
    if not interface:
        return (socket.AF_INET, socket.AF_INET6)
    return (socket.AF_INET6 if ":" in interface else socket.AF_INET,)


def _tryListening(family: socket.AddressFamily, interface: str, port: int) -> None:
    with closing(socket.socket(family, socket.SOCK_STREAM)) as trial:
        if os.name == "posix":  # as the reactor does: a port that only lingers is free
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found = socket.getaddrinfo(interface or None, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
        trial.bind(found[0][4])
        trial.listen(1)
