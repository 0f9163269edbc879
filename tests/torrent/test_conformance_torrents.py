"""Every torrent and path of the conformance material, against what libtorrent makes of it."""

from __future__ import annotations

from typing import Any

from tests.conformance import ConformanceTestCase, cases, dataFile, expected, fromHex
from tests.torrent.torrents import file, folder, read, single, torrent
from twisted_bt.errors import MetainfoError
from twisted_bt.torrent.metainfo import Metainfo
from twisted_bt.torrent.paths import safeElement, safeName

#: Verdicts that differ from libtorrent's on purpose, and why.
DEVIATIONS: dict[str, str] = {}
_ONLY_V2 = "of version 2 only: refused by that name until it is built"


def deviation(name: str, oracle: dict[str, Any]) -> str | None:
    """Why our verdict on a torrent is another than the oracle's; C{None}: it must not be."""
    if oracle["ok"] and oracle["info_hash_v1"] is None:
        return _ONLY_V2
    return DEVIATIONS.get(name)


class VerdictTests(ConformanceTestCase):
    """Which torrents are accepted."""

    def test_verdicts(self) -> None:
        """What libtorrent accepts is accepted, what it refuses is refused, but for what is recorded here."""
        for name, oracle in expected().items():
            try:
                Metainfo.fromBytes(dataFile(name))
                accepted, reason = True, ""
            except MetainfoError as refusal:
                accepted, reason = False, str(refusal)
            why = deviation(name, oracle)
            self.assertEqual(accepted, oracle["ok"] != (why is not None), f"{name}: {reason}")
            if why == _ONLY_V2:
                self.assertIn("version 2 only", reason)


class ContentTests(ConformanceTestCase):
    """What is read from those that are accepted."""

    def accepted(self) -> list[tuple[str, Metainfo, dict[str, Any]]]:
        """The name, what we read, and what the oracle read, of each torrent that both accept."""
        found = [
            (name, Metainfo.fromBytes(dataFile(name)), oracle)
            for name, oracle in expected().items()
            if oracle["ok"] and deviation(name, oracle) is None
        ]
        self.assertGreater(len(found), 20)
        return found

    def test_hashes(self) -> None:
        """Both info-hashes are the same, also by the reader that hashes the bytes as they are."""
        for name, m, oracle in self.accepted():
            self.assertEqual(m.infoHash and m.infoHash.hex(), oracle["info_hash_v1"], name)
            self.assertEqual(m.infoHashV2 and m.infoHashV2.hex(), oracle["info_hash_v2"], name)
            self.assertEqual(m.wireHash.hex(), oracle["raw"]["info_sha1"], name)
            start, length = oracle["raw"]["info_offset"], oracle["raw"]["info_length"]
            self.assertEqual(m.infoBytes, dataFile(name)[start : start + length], name)

    def test_content(self) -> None:
        """Name, sizes, pieces, paths and attributes of files are the same."""
        for name, m, oracle in self.accepted():
            self.assertEqual(m.name, oracle["name"], name)
            self.assertEqual(m.layout.pieceLength, oracle["piece_length"], name)
            self.assertEqual(m.layout.pieceCount, oracle["num_pieces"], name)
            self.assertEqual(m.totalSize, oracle["total_size"], name)
            paths = [path for path, _, _ in oracle["files"]]
            for index, path in oracle["renamed_files"].items():
                paths[int(index)] = path
            self.assertEqual(["/".join(each.path) for each in m.files], paths, name)
            self.assertEqual(
                [[each.length, each.isPad] for each in m.files],
                [[length, isPad] for _, length, isPad in oracle["files"]],
                name,
            )
            for attributes in oracle["file_attrs"]:
                entry = m.files[attributes["index"]]
                self.assertEqual(entry.offset, attributes.get("offset", entry.offset), name)
                self.assertEqual(entry.isExecutable, attributes.get("executable", False), name)
                self.assertEqual(entry.isHidden, attributes.get("hidden", False), name)
                self.assertEqual(entry.symlink and "/".join(entry.symlink), attributes.get("symlink"), name)
                root = entry.piecesRoot
                self.assertEqual(root and root.hex(), attributes.get("pieces_root"), name)

    def test_beside(self) -> None:
        """Trackers, web seeds, nodes and words are the same."""
        for name, m, oracle in self.accepted():
            self.assertEqual([list(tier) for tier in m.trackers], oracle["trackers"], name)
            self.assertEqual(list(m.webSeeds), oracle["webseeds"], name)
            self.assertEqual(list(m.httpSeeds), oracle["httpseeds"], name)
            self.assertEqual(m.private, oracle["private"], name)
            self.assertEqual(m.creationDate, oracle["creation_date"], name)
            self.assertEqual(m.comment, oracle["comment"], name)
            self.assertEqual(m.createdBy, oracle["created_by"], name)
            self.assertEqual([list(node) for node in m.nodes], oracle["dht_nodes"], name)
            self.assertEqual([each.hex() for each in m.similar], oracle["similar"], name)
            self.assertEqual(sorted(m.collections), oracle["collections"], name)

    def test_written(self) -> None:
        """Written and read again, each says the same."""
        for name, m, _ in self.accepted():
            self.assertEqual(Metainfo.fromBytes(m.encode()), m, name)
            self.assertEqual(Metainfo.fromInfo(m.infoBytes).files, m.files, name)


class PathTests(ConformanceTestCase):
    """
    Paths.  The vectors call all of it policy; ours is libtorrent's, so that both find each other's files.
    """

    def joined(self, case: dict[str, Any], windows: bool) -> str:
        """The elements of C{case}, made safe."""
        elements = [fromHex(each) for each in case["elements"]]
        if case["force"]:
            return "/".join(safeElement(each, windows) for each in elements)
        found = [safeName(each, windows) for each in elements]
        return "/".join(each for each in found if each) or "_"

    def test_sanitise(self) -> None:
        """Elements and names become what libtorrent makes of them, here and on Windows."""
        for case in cases("path_sanitise"):
            if "elements" not in case:
                info = single(**{"name": case["name"].encode(), "name.utf-8": case["name_utf8"].encode()})
                self.assertEqual(read(info).name, case["expect"], case["id"])
                continue
            self.assertEqual(self.joined(case, False), case["expect"], case["id"])
            if "windows_expect" in case:
                self.assertEqual(self.joined(case, True), case["windows_expect"], case["id"])

    def test_probes(self) -> None:
        """In a torrent too, and torrents without a usable name are refused or named alike."""
        for case in cases("path_probe"):
            result = case["result"]
            if case["kind"] == "element":
                info = folder(file("x") | {b"path": [fromHex(case["element"])]})
            elif case["torrent_kind"] == "multi":
                info = folder(file("a"), name=fromHex(case["name_bytes"]))
            else:
                info = single(name=fromHex(case["name_bytes"]))
            if "error" in result:
                with self.assertRaises(MetainfoError, msg=case["id"]):
                    read(info)
                continue
            m = read(info)
            self.assertEqual("/".join(m.files[0].path), result["path"], case["id"])
            if "name" in result:
                self.assertEqual(m.name, result["name"], case["id"])
                assert m.infoHash is not None
                self.assertEqual(m.infoHash.hex(), result["info_hash_v1"], case["id"])

    def test_cut(self) -> None:
        """
        Where another client cuts a name to any length, we cut at 240 bytes only, as libtorrent does; but
        like that client on a whole character, and keeping the extension.
        """
        for case in cases("path_other"):
            if "max_bytes" not in case:
                continue
            name = case["name"]
            self.assertEqual(safeElement(name.encode(), windows=False), name, case["id"])
            long = name[0] * 240 + name
            found = safeElement(long.encode(), windows=False)
            end = name[name.rindex(".") :] if "." in name else ""
            self.assertEqual(found, long[: 240 // len(name[0].encode())] + end, case["id"])


class CollisionTests(ConformanceTestCase):
    """Section C{metainfo_inline}, the cases of paths.  Policy too, and libtorrent's."""

    def test_depth(self) -> None:
        """Paths may be deep, but not as deep as one likes."""
        seen = 0
        for case in cases("metainfo_inline"):
            recipe = case.get("torrent_recipe", "")
            if "components" not in recipe:
                continue
            depth = int(recipe.split(" components")[0].split()[-1])
            data = torrent(folder(file("d/" * (depth - 1) + "file.txt")))
            if case["expect"]["ok"]:
                self.assertEqual(len(Metainfo.fromBytes(data).files[0].path), depth + 1)
            else:
                with self.assertRaises(MetainfoError):
                    Metainfo.fromBytes(data)
            seen += 1
        self.assertGreaterEqual(seen, 2)

    def test_collisions(self) -> None:
        """Files with equal paths, but for case, are renamed; folders win over files."""
        seen = 0
        for case in cases("metainfo_inline"):
            if "final_paths" not in case["expect"]:
                continue
            m = Metainfo.fromBytes(fromHex(case["torrent"]))
            self.assertEqual(
                ["/".join(each.path) for each in m.files], case["expect"]["final_paths"], case["id"]
            )
            self.assertEqual([each.length for each in m.files], [each["size"] for each in case["files"]])
            self.assertEqual([each.isPad for each in m.files], [each["pad"] for each in case["files"]])
            seen += 1
        self.assertGreaterEqual(seen, 10)
