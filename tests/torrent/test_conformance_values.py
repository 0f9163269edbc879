"""The conformance vectors of bencoding, text, addresses, lengths and hash trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance import ConformanceTestCase, cases, dataFile, fromHex
from twisted_bt.errors import BencodeError
from twisted_bt.torrent import merkle
from twisted_bt.torrent.addresses import PeerAddr, decodeCompact
from twisted_bt.torrent.bencoding import decode, decodePrefix, encode
from twisted_bt.torrent.paths import decodeText
from twisted_bt.torrent.pieces import PieceLayout

BIG = 1 << 24


def untagged(value: Any) -> Any:
    """A value of the vectors as Python has it; of a repeated key the first counts."""
    if isinstance(value, list):
        return [untagged(each) for each in value]
    ((tag, content),) = value.items()
    match tag:
        case "i":
            return int(content)
        case "s":
            return bytes.fromhex(content)
        case _:
            found: dict[bytes, Any] = {}
            for key, each in content:
                found.setdefault(bytes.fromhex(key), untagged(each))
            return found


class BencodingTests(ConformanceTestCase):
    """Sections C{bencode_decode} and C{bencode_encode}."""

    #: What the vectors give as a recipe, made.
    recipes = {
        '1024 * "l" + 1024 * "e"': b"l" * 1024 + b"e" * 1024,
        '"l" + 5119 * "0:" + "e"': b"l" + b"0:" * 5119 + b"e",
        '"1000000:" + 1000000 * NUL': b"1000000:" + bytes(1000000),
        '"l" + "".join("i%de" % i for i in range(1000)) + "e"': b"l"
        + b"".join(b"i%de" % i for i in range(1000))
        + b"e",
    }

    def test_decode(self) -> None:
        """
        Valid input is decoded and malformed input refused.  Keys out of order or repeated are accepted;
        numbers with leading zeros are not: BEP 3 calls them invalid, and no torrent is known to have them.
        """
        for case in cases("bencode_decode"):
            expect = case["expect"]
            recipe = case.get("input_recipe")
            data = fromHex(case["input"]) if recipe is None else self.recipes[recipe]
            lenient = all("dict key" in each for each in expect.get("violations", []))
            tooDeep = "depth limit" in expect.get("note", "")
            if expect["class"] == "valid" or (expect["class"] == "non-canonical" and lenient):
                if tooDeep:
                    with self.assertRaises(BencodeError, msg=case["id"]):
                        decode(data, BIG)
                    continue
                value = decode(data, BIG)
                if "value" in expect:
                    self.assertEqual(value, untagged(expect["value"]), case["id"])
                if "length" in expect:
                    assert isinstance(value, list)
                    self.assertEqual(len(value), expect["length"], case["id"])
                if expect["class"] == "valid":
                    self.assertEqual(encode(value), data, case["id"])
                else:
                    with self.assertRaises(BencodeError, msg=case["id"]):
                        decode(data, BIG, strictKeys=True)
                continue
            with self.assertRaises(BencodeError, msg=case["id"]):
                decode(data, BIG)
            if expect["class"] == "trailing-data":
                end = len(data) - expect["trailing_bytes"]
                self.assertEqual(decodePrefix(data, BIG), (untagged(expect["value"]), end), case["id"])

    def test_encode(self) -> None:
        """Each value has its only correct encoding."""
        for case in cases("bencode_encode"):
            self.assertEqual(encode(untagged(case["value"])), fromHex(case["expect"]), case["id"])


class TextTests(ConformanceTestCase):
    """Section C{utf8}."""

    def test_text(self) -> None:
        """UTF-8 is decoded, and what is none becomes underscores."""
        for case in cases("utf8"):
            raw = fromHex(case["bytes"]) if "bytes" in case else dataFile(case["data_file"])
            expect = case["expect"]
            valid = expect.get("valid", expect.get("valid_utf8"))
            if "fixed" in expect:
                self.assertEqual(decodeText(raw), expect["fixed"], case["id"])
            elif valid:
                self.assertEqual(decodeText(raw).encode("utf-8"), raw, case["id"])
            else:
                self.assertIn("_", decodeText(raw), case["id"])
            if expect.get("one_code_point"):
                self.assertEqual(len(decodeText(raw)), 1, case["id"])


class AddressTests(ConformanceTestCase):
    """Section C{compact_addresses}, as far as it is of compact addresses."""

    def test_compact(self) -> None:
        """Compact addresses are decoded, and encoded again to the same."""
        seen = 0
        for case in cases("compact_addresses"):
            expect = case["expect"]
            if "bytes" not in case:
                continue
            data = fromHex(case["bytes"])
            if "ip" in expect:
                packed, texts = [data], [str(PeerAddr(expect["ip"], expect["port"]))]
            elif "endpoints" in expect:
                listed = decode(data, BIG)
                assert isinstance(listed, list)
                packed, texts = [each for each in listed if isinstance(each, bytes)], expect["endpoints"]
            elif "]:" in expect.get("value", ""):
                value = decode(data, BIG)
                assert isinstance(value, bytes)
                packed, texts = [value], [expect["value"]]
            elif "multiple of 6" in expect.get("error", ""):
                value = decode(data, BIG)
                assert isinstance(value, bytes)
                with self.assertRaises(ValueError, msg=case["id"]):
                    decodeCompact(value)
                seen += 1
                continue
            else:
                continue
            found = [decodeCompact(each, ipv6=len(each) == 18)[0] for each in packed]
            self.assertEqual([str(each) for each in found], texts, case["id"])
            self.assertEqual([each.compact() for each in found], packed, case["id"])
            seen += 1
        self.assertGreaterEqual(seen, 4)


class LengthTests(ConformanceTestCase):
    """Section C{metainfo_inline}, the cases of lengths."""

    def test_lengths(self) -> None:
        """Pieces and blocks of real torrents are counted right."""
        seen = 0
        for case in cases("metainfo_inline"):
            if "total" not in case:
                continue
            layout = PieceLayout(case["total"], case["piece_length"])
            last = layout.pieceCount - 1
            found = {
                "num_pieces": layout.pieceCount,
                "last_piece_length": layout.pieceSize(last),
                "blocks_per_piece": layout.blocksPerPiece,
                "blocks_in_last_piece": layout.blockCount(last),
                "last_block_length": layout.block(last, layout.blockCount(last) - 1).length,
                "first_block_absolute_index_of_last_piece": last * layout.blocksPerPiece,
            }
            for key, value in case["expect"].items():
                self.assertEqual(found[key], value, f"{case['id']} {key}")
            seen += 1
        self.assertGreaterEqual(seen, 2)


class MerkleTests(ConformanceTestCase):
    """Section C{merkle}."""

    operations: dict[str, Callable[..., int]] = {
        "merkle_num_leafs": merkle.leafCount,
        "merkle_num_nodes": merkle.nodeCount,
        "merkle_num_layers": merkle.layerCount,
        "merkle_first_leaf": merkle.firstLeaf,
        "merkle_get_parent": merkle.parent,
        "merkle_get_sibling": merkle.sibling,
        "merkle_get_first_child": merkle.firstChild,
        "merkle_get_layer": merkle.layerOf,
        "merkle_get_layer_offset": merkle.offsetInLayer,
        "merkle_layer_start": merkle.layerStart,
        "merkle_to_flat_index": merkle.flatIndex,
    }

    def test_numbering(self) -> None:
        """Flat numbers are those that others compute."""
        for case in cases("merkle"):
            operation = self.operations[case["op"]]
            self.assertEqual(operation(*case["args"]), case["expect"], case["id"])
