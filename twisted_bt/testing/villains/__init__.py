"""
Peers that mean harm, for tests: each does one thing wrong, and says what a good client does about it.

    >>> villain = VILLAINS["liar"](swarm)
    >>> villain.attack(leecher)
"""

from twisted_bt.testing.villains.base import Effect, ITarget, Villain, VillainPeer, Way
from twisted_bt.testing.villains.dhtpoison import DhtPoison
from twisted_bt.testing.villains.floods import (
    CancelFlood,
    ConnectionFlood,
    DeafFlood,
    ExtensionAbuser,
    FastFlood,
    Flapper,
    GiantFrames,
    HaveFlood,
    RequestFlood,
)
from twisted_bt.testing.villains.liars import (
    BlockFlood,
    Corrupter,
    Liar,
    Mirror,
    Refuser,
    Shapeshifter,
    SubtleCorrupter,
    Teaser,
    TwoFaces,
)
from twisted_bt.testing.villains.poison import MetadataPoison, PexFlood, PexPoison
from twisted_bt.testing.villains.registry import VILLAINS, someVillain, villain
from twisted_bt.testing.villains.slow import ByteAMinute, Idle, Mute, SlowHandshake, SlowMessages

__all__ = [
    "VILLAINS",
    "BlockFlood",
    "ByteAMinute",
    "CancelFlood",
    "ConnectionFlood",
    "Corrupter",
    "DeafFlood",
    "DhtPoison",
    "Effect",
    "ExtensionAbuser",
    "FastFlood",
    "Flapper",
    "GiantFrames",
    "HaveFlood",
    "ITarget",
    "Idle",
    "Liar",
    "MetadataPoison",
    "Mirror",
    "Mute",
    "PexFlood",
    "PexPoison",
    "Refuser",
    "RequestFlood",
    "Shapeshifter",
    "SlowHandshake",
    "SlowMessages",
    "SubtleCorrupter",
    "Teaser",
    "TwoFaces",
    "Villain",
    "VillainPeer",
    "Way",
    "someVillain",
    "villain",
]
