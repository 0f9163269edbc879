"""
The end of a simulated computer, or of what runs on it, at any moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted_bt.testing.abandon import abandon
from twisted_bt.testing.clock import VirtualCall
from twisted_bt.testing.ports import PortTable

if TYPE_CHECKING:
    from twisted_bt.testing.host import Host

#: What has its own way to find that it is dead.
_OURS = "twisted_bt.testing."


def stopDead(host: Host) -> None:
    """
    Nothing runs on C{host} any more: its programs, timers, connections and ports are gone, and nobody is
    told.  Of the jobs that its disk was doing any part is done.
    """
    held: list[object] = []
    for stream in [*host.streams, *list(host.dialling)]:
        held.append(stream.protocol)
        stream.vanish()
    host.dialling.clear()
    for table in (host.tcpPorts, host.udpPorts):
        for socket in table.sockets():
            socket.listening = False
            held += vars(socket).values()
    for queue in host.queues:
        held += queue.abandon(host.files.random)
    host.queues.clear()
    host.endThreads()
    held += _forgetCalls(host)
    abandon(host, [each for each in held if each is not None and each is not host])
    _forgetCalls(host)  # what the dead did in their last breath
    host.tcpPorts = PortTable(host.localAddresses)
    host.udpPorts = PortTable(host.localAddresses)


def _forgetCalls(host: Host) -> list[object]:
    """
    None of what was to be called on it is.  What the network and the disk do goes on, and meets nobody.

    @return: what would have been called.
    """
    clock = host.network.clock
    held: list[object] = []
    for _, _, owner, _, call in list(clock._queue):
        if owner is host and isinstance(call, VirtualCall) and call.active():
            held += (call._function, call._arguments)
            module = getattr(call._function, "__module__", None) or ""
            if call._owner is not None or not module.startswith(_OURS):
                call.cancel()
    host.late.clear()
    return held
