"""
A whole swarm in a test: a simulated network on a virtual clock, and contracts for plug-ins of your own.

What most tests need is here; the rest is in the modules.

  - The network: L{Network<network.Network>}, its hosts (L{host}), their L{Link<link.Link>}s; L{nat} and
    L{natkinds}, L{firewall}, L{multicast}, L{partition}; names and addresses in L{resolver} and L{route}.
  - How it carries: L{clock}, L{carrier}, L{stream}, L{tcp}, L{udp}; L{flow} is the cheap way.
  - Disks: L{disk} (how quick), L{filesystem} (as programs see it), L{volume} (what is on it, and what a crash
    leaves), L{diskfaults} (what goes wrong), L{faults} (storages that fail).
  - Clients: L{SimulatedSwarm<swarm.SimulatedSwarm>}; what must always hold of them is in L{invariants}.
    They crash and run again: L{crashing}.
  - Others: L{ScriptedPeer<scripted.ScriptedPeer>} says what a test wants; L{trackers}, L{dht}; L{villains}
    mean harm, and L{footprint} is what they make a client keep.
  - What went over the wire, L{recording}, and L{replaying} it (L{script} is a peer's part).
  - Contracts: L{pickers}, L{chokers}, L{policies}, L{storages}, L{files}, L{diskqueues}, L{extensions},
    L{trackerclients}, L{observers}.
"""

from twisted_bt.testing.chokers import ChokerContract
from twisted_bt.testing.dht import SimulatedDht
from twisted_bt.testing.disk import Disk
from twisted_bt.testing.diskfaults import Fault
from twisted_bt.testing.diskqueues import DiskQueueContract
from twisted_bt.testing.extensions import ExtensionContract
from twisted_bt.testing.files import FilesContract
from twisted_bt.testing.firewall import Firewall
from twisted_bt.testing.host import Host
from twisted_bt.testing.link import Link
from twisted_bt.testing.network import Network, NotFired
from twisted_bt.testing.observers import ObserverContract
from twisted_bt.testing.pickers import PickerContract
from twisted_bt.testing.policies import PeerPolicyContract
from twisted_bt.testing.recording import Recorder, Recording
from twisted_bt.testing.replaying import Pace, Replay
from twisted_bt.testing.scripted import ScriptedPeer
from twisted_bt.testing.storages import Sample, StorageContract
from twisted_bt.testing.swarm import Member, SimulatedSwarm, makeTorrent
from twisted_bt.testing.trackerclients import TrackerClientContract
from twisted_bt.testing.trackers import SimulatedTracker

__all__ = [
    "ChokerContract",
    "Disk",
    "DiskQueueContract",
    "ExtensionContract",
    "Fault",
    "FilesContract",
    "Firewall",
    "Host",
    "Link",
    "Member",
    "Network",
    "NotFired",
    "ObserverContract",
    "Pace",
    "PeerPolicyContract",
    "PickerContract",
    "Recorder",
    "Recording",
    "Replay",
    "Sample",
    "ScriptedPeer",
    "SimulatedDht",
    "SimulatedSwarm",
    "SimulatedTracker",
    "StorageContract",
    "TrackerClientContract",
    "makeTorrent",
]
