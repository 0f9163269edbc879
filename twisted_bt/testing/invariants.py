"""
What must hold of a client after every event, and when it has ended.
"""

from __future__ import annotations

from twisted_bt.sessions.client import ClientSession
from twisted_bt.sessions.engine import Engine


def slotFaults(client: ClientSession) -> list[str]:
    """
    Whether every slot is held by somebody, and everybody holds one; for people, empty: all is well.

    To be asked between two events.  A session that waits for its swarm's slot, or for the peer's
    handshake to say which swarm, holds one of the client alone.
    """
    if not client.running:
        return []
    faults = []
    for swarm in client.swarmSessions.values():
        connected = len(swarm.connectedPeers)
        if swarm.slots.taken != connected:
            faults.append(f"{swarm.slots.taken} slots of {swarm.name} taken by {connected} sessions")
        if swarm.maxPeers - connected != swarm.vacantPeers:
            faults.append(f"{swarm.name}: {swarm.maxPeers} - {connected} is not {swarm.vacantPeers}")
        for addr, session in swarm.connectedPeers.items():
            if session.connectedPeerAddr != addr:
                faults.append(f"{session} is filed under {addr}")
        identities = [peer.peerId for peer in swarm.establishedPeers() if not peer.closing]
        if len(identities) != len(set(identities)):
            faults.append(f"{swarm.name} talks to somebody twice")
    slots = client.engine.clientSlots
    if not client.getPeerCount() <= slots.taken <= slots.limit:
        faults.append(
            f"{slots.taken} of {slots.limit} client slots taken for {client.getPeerCount()} sessions"
        )
    return faults


def endFaults(engine: Engine) -> list[str]:
    """What a client that has stopped still holds of its C{engine}, for people; empty: nothing."""
    faults = []
    for name in ("clientSlots", "activeSlots", "dialSlots"):
        taken = getattr(engine, name).taken
        if taken:
            faults.append(f"{taken} {name} taken")
    if engine.buffers.out:
        faults.append(f"{engine.buffers.out} bytes of piece buffers lent")
    return faults
