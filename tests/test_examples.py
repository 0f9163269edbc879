"""
The plug-ins in C{docs/examples} keep what their interfaces promise.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_bt import Metainfo, PeerAddr, Plugins, ProtocolError, Settings
from twisted_bt.interfaces import IChoker, IExtension, IPeerPolicy, IPiecePicker, IStorage, PeerInfo
from twisted_bt.testing.chokers import ChokerContract
from twisted_bt.testing.extensions import ExtensionContract
from twisted_bt.testing.pickers import PickerContract
from twisted_bt.testing.policies import PeerPolicyContract
from twisted_bt.testing.storages import Sample, StorageContract

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def example(name: str) -> dict[str, Any]:
    """What the file C{name} defines."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


class PickerExampleTests(PickerContract, SynchronousTestCase):
    """The picker for players."""

    def makePicker(self) -> IPiecePicker:
        plugins: Plugins = example("picker")["plugins"]
        return plugins.picker(Random(1))


class ChokerExampleTests(ChokerContract, SynchronousTestCase):
    """The choker that keeps a slot for newcomers."""

    def makeChoker(self) -> IChoker:
        plugins: Plugins = example("choker")["plugins"]
        return plugins.choker(Random(1))


class StorageExampleTests(StorageContract, SynchronousTestCase):
    """The storage in a mapping."""

    def makeStorage(self, sample: Sample) -> IStorage:
        made: IStorage = example("storage")["MappingStorage"](sample.hashes, {})
        return made


class PolicyExampleTests(PeerPolicyContract, SynchronousTestCase):
    """The policy that refuses clients by name."""

    def makePolicy(self, settings: Settings) -> IPeerPolicy:
        plugins: Plugins = example("policy")["plugins"]
        return plugins.peerPolicy(settings)

    def test_refuses(self) -> None:
        """A client of the list is refused once its name is known, unless it is a friend."""
        plugins: Plugins = example("policy")["plugins"]
        policy = plugins.peerPolicy(Settings())
        self.assertTrue(verifyObject(IPeerPolicy, policy))
        stranger, friend = PeerAddr("192.0.2.1", 1), PeerAddr("192.0.2.7", 1)
        self.assertTrue(policy.accepts(PeerInfo(stranger, incoming=True)))
        self.assertFalse(policy.accepts(PeerInfo(stranger, incoming=True, client="Xunlei 1.0")))
        self.assertTrue(policy.accepts(PeerInfo(friend, incoming=True, client="Xunlei 1.0")))
        self.assertEqual(policy.slots(seeding=True), 80)


class ExtensionExampleTests(ExtensionContract, SynchronousTestCase):
    """The extension that greets."""

    def setUp(self) -> None:
        """It prints what it hears."""
        self.patch(sys, "stdout", StringIO())

    def makeExtensions(self, metainfo: Metainfo) -> Sequence[IExtension]:
        plugins: Plugins = example("extension")["plugins"]
        return plugins.extensions(metainfo)

    def test_limits(self) -> None:
        """It provides the interface, and ends the session of a peer that says too much."""
        extension = example("extension")["Greeting"]("hello")
        self.assertTrue(verifyObject(IExtension, extension))
        with self.assertRaises(ProtocolError):
            extension.received(object(), b"x" * 201)


class SimulatedExampleTests(example("simulated")["LastFirstTests"]):  # type: ignore[misc]
    """The test that is an example itself."""


class ApplicationExampleTests(example("application")["MirrorTests"]):  # type: ignore[misc]
    """The test of an application, likewise."""
