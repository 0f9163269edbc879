"""Tests of L{twisted_bt.storage.filepool}."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.doubles import folderFor, openFiles
from twisted_bt.storage.filepool import FilePool


class FilePoolTests(SynchronousTestCase):
    """A bounded set of open files."""

    def setUp(self) -> None:
        self.folder = folderFor(self)
        self.opened: list[tuple[str, bool]] = []
        self.before = openFiles()

    def opener(self, name: str) -> Callable[[bool], int]:
        """Opens C{name}, and notes it."""
        path: Path = self.folder / name
        path.touch()

        def opener(write: bool) -> int:
            self.opened.append((name, write))
            return os.open(path, os.O_RDWR if write else os.O_RDONLY)

        return opener

    def use(self, pool: FilePool, name: str, write: bool = False, owner: object = "owner") -> int:
        """Lease C{name} for a moment; returns the descriptor it had."""
        with pool.lease(owner, name, write, self.opener(name)) as fd:
            os.fstat(fd)
            return fd

    def test_kept(self) -> None:
        """A file that is used again is not opened again."""
        pool = FilePool(2)
        self.use(pool, "a")
        self.use(pool, "a")
        self.assertEqual(self.opened, [("a", False)])
        pool.close("owner")

    def test_forWriting(self) -> None:
        """It is opened for writing only when it is to be written to, and then serves readers too."""
        pool = FilePool(2)
        self.use(pool, "a")
        self.use(pool, "a", write=True)
        self.use(pool, "a")
        self.assertEqual(self.opened, [("a", False), ("a", True)])
        self.assertEqual(openFiles(), self.before + 1)
        pool.close("owner")

    def test_bounded(self) -> None:
        """Never more than the limit stay open; the one used longest ago goes."""
        pool = FilePool(2)
        for name in "abacb":
            self.use(pool, name)
        self.assertEqual([name for name, _ in self.opened], ["a", "b", "c", "b"])
        self.assertEqual(len(pool), 2)
        self.assertEqual(openFiles(), self.before + 2)
        pool.close("owner")

    def test_notKept(self) -> None:
        """A file that nobody is expected to use again is closed at once, unless it was open before."""
        pool = FilePool(2)
        with pool.lease("owner", "a", True, self.opener("a"), keep=False) as fd:
            self.assertEqual((len(pool), os.fstat(fd).st_nlink), (0, 1))
        self.assertEqual(openFiles(), self.before)
        self.use(pool, "a", write=True)
        with pool.lease("owner", "a", True, self.opener("a"), keep=False):
            pass
        self.assertEqual(len(self.opened), 2)
        self.assertEqual(openFiles(), self.before + 1)
        pool.close("owner")

    def test_folders(self) -> None:
        """Folders count as files do, and are not asked whether they were deleted."""
        pool = FilePool(2)
        folder = self.folder / "folder"
        folder.mkdir()
        self.assertIsNone(pool.held("owner", ("folder",)))
        with pool.hold("owner", ("folder",), os.open(folder, os.O_RDONLY)) as first:
            folder.rmdir()
            lease = pool.held("owner", ("folder",))
            assert lease is not None
            with lease as second:
                self.assertEqual(second, first)
        self.use(pool, "a")
        self.use(pool, "b")
        self.assertIsNone(pool.held("owner", ("folder",)))
        self.assertEqual(openFiles(), self.before + 2)
        pool.close("owner")

    def test_inUse(self) -> None:
        """A file in use is not closed, even over the limit; it is once given back."""
        pool = FilePool(1)
        with ExitStack() as stack:
            held = [stack.enter_context(pool.lease(1, n, False, self.opener(n))) for n in "abc"]
            for fd in held:
                os.fstat(fd)
        self.assertEqual(openFiles(), self.before + 1)
        pool.close(1)

    def test_replacedInUse(self) -> None:
        """A read-only file in use stays open for its reader while another writes."""
        pool = FilePool(4)
        with pool.lease(1, "a", False, self.opener("a")) as reading:
            with pool.lease(1, "a", True, self.opener("a")) as writing:
                self.assertNotEqual(reading, writing)
            os.fstat(reading)
        self.assertEqual(openFiles(), self.before + 1)
        pool.close(1)

    def test_close(self) -> None:
        """Closing closes one owner's files: idle ones at once, the others when given back."""
        pool = FilePool(4)
        self.use(pool, "a", owner="other")
        with pool.lease("owner", "a", False, self.opener("a")) as fd:
            self.use(pool, "b")
            pool.close("owner")
            os.fstat(fd)
            self.assertEqual(openFiles(), self.before + 2)
        self.assertEqual(openFiles(), self.before + 1)
        pool.close("other")
        self.assertEqual(openFiles(), self.before)

    def test_deleted(self) -> None:
        """A file that was deleted while open is opened again, and the old one closed."""
        pool = FilePool(4)
        self.use(pool, "a")
        (self.folder / "a").unlink()
        self.use(pool, "a")
        self.assertEqual(len(self.opened), 2)
        self.assertEqual(openFiles(), self.before + 1)
        pool.close("owner")

    def test_openFails(self) -> None:
        """What opening raises comes out, and nothing is kept."""
        pool = FilePool(4)

        def opener(write: bool) -> int:
            raise PermissionError(errno.EACCES, "no")

        with self.assertRaises(PermissionError), pool.lease("owner", "a", False, opener):
            self.fail("leased")
        self.assertEqual(len(pool), 0)

    def test_jobFails(self) -> None:
        """A file is given back when its user fails."""
        pool = FilePool(1)
        with self.assertRaises(ZeroDivisionError), pool.lease("owner", "a", False, self.opener("a")):
            _ = 1 // 0
        pool.close("owner")
        self.assertEqual(openFiles(), self.before)

    def test_noDescriptors(self) -> None:
        """When the process has no descriptor left, ours that are idle are given up for the new one."""
        pool = FilePool(4)
        self.use(pool, "a")
        self.use(pool, "b")
        tries: list[int] = []

        def opener(write: bool) -> int:
            tries.append(len(pool))
            if len(pool):
                raise OSError(errno.EMFILE, "too many")
            return self.opener("c")(write)

        with pool.lease("owner", "c", False, opener):
            self.assertEqual(tries, [2, 0])
        pool.close("owner")

    def test_threads(self) -> None:
        """Many threads at once always have a file of the right name, and leave none open too many."""
        pool = FilePool(3)
        names = "abcdefgh"
        openers = {name: self.opener(name) for name in names}
        for name in names:
            (self.folder / name).write_text(name)
        wrong: list[object] = []

        def work(seed: int) -> None:
            random = Random(seed)
            try:
                for _ in range(400):
                    name = random.choice(names)
                    with pool.lease(1, name, random.random() < 0.3, openers[name]) as fd:
                        if os.pread(fd, 1, 0) != name.encode():
                            wrong.append(name)
            except BaseException as reason:
                wrong.append(reason)

        threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertLessEqual(len(pool), 3)
        self.assertEqual(openFiles(), self.before + len(pool))
        pool.close(1)
        self.assertEqual(openFiles(), self.before)
