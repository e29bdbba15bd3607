"""Where tensors lie in files of weights."""

from __future__ import annotations

import json
import random

import pytest
from formats.content.containers.tensors import makers
from hypothesis import given
from hypothesis import strategies as st
from models.tensor.made import floats, layers, packed, safetensors
from numba import config

import nzip
from nzip.formats.content.containers.search import budget_of, find, whole
from nzip.formats.content.containers.tensors import files
from nzip.formats.content.continued import behind, first

A, B, C = packed(floats(240, 1), "F32"), packed(floats(100, 2), "F16"), packed(floats(60, 3), "BF16")
COMPILED = not config.DISABLE_JIT

FILES = {
    "safetensors": safetensors([("a", "F32", (20, 12), A), ("b", "F16", (100,), B), ("c", "BF16", (6, 10), C)]),
    "onnx": makers.onnx([("a", (20, 12), A, 1), ("b", (100,), B, 10), ("c", (6, 10), C, 16)]),
    "gguf": makers.gguf([("a", (20, 12), A, 0), ("b", (100,), B, 1), ("c", (6, 10), C, 30)]),
    "tflite": makers.tflite([("a", (20, 12), A, 0), ("b", (100,), B, 1), ("c", (6, 10), C, 18)]),
    "pytorch": makers.pytorch([
        ("a", (20, 12), A, "FloatStorage"), ("b", (100,), B, "HalfStorage"), ("c", (6, 10), C, "BFloat16Storage")
    ]),
}  # fmt: skip
KNOWN = [(A, 4, 8, 48), (B, 2, 5, 0), (C, 2, 8, 20)]  # bytes, width, exponent, row


@pytest.mark.parametrize("name", FILES)
def test_tensors_are_found(name: str) -> None:
    data = FILES[name]
    found = find(data)
    seen = {
        data[each.start : each.stop]: (each.segment.width, each.segment.exponent, each.segment.row)
        for each in found
        if each.segment is not None and each.segment.kind == "weights"
    }
    assert seen == {values: tuple(rest) for values, *rest in KNOWN}


def test_arrays_of_numpy() -> None:
    for kind, width, exponent in (("<f4", 4, 8), (">f4", 4, 8), ("<f2", 2, 5), ("<f8", 8, 11)):
        data = makers.npy((15, 4), bytes(range(60)) * width, kind)
        (tensor,) = files.tensors(data, 0, budget_of(len(data)))
        assert (tensor.stop, tensor.width, tensor.exponent, tensor.row) == (len(data), width, exponent, 4)
        assert tensor.big == (kind[0] == ">")
    assert not find(makers.npy((60,), bytes(240), "<i4"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_or_changed_is_no_harm(name: str) -> None:
    data, dice = FILES[name], random.Random(3)
    tried = [data[:size] for size in range(0, len(data), 7)]
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(dice.randrange(1, 4)):
            changed[dice.randrange(min(len(data), 700))] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))
        tried.append(bytes(changed))
    for each in tried:
        at = 0
        for found in files.find(each, 0, budget_of(len(each))):
            assert at <= found.start < found.stop <= len(each)
            assert found.segment is not None
            assert found.segment.length == found.stop - found.start
            at = found.stop
        for segment in files.behind(each, 0, len(each)):
            assert segment.length > 0


@given(st.sampled_from(sorted(FILES)), st.binary(max_size=300))
def test_anything_behind_the_first_bytes(name: str, rest: bytes) -> None:
    data = FILES[name][:40] + rest
    for found in files.find(data, 0, budget_of(len(data))):
        assert found.stop <= len(data)


def test_headers_that_ask_for_much() -> None:
    def header(entries: object) -> bytes:
        text = json.dumps(entries).encode()
        return len(text).to_bytes(8, "little") + text + bytes(1000)

    entry = {"dtype": "F32", "shape": [1 << 60, 1 << 60], "data_offsets": [0, 1 << 122]}
    for entries in (
        {"a": entry}, {"a": {**entry, "shape": [-1], "data_offsets": [4, 0]}}, {"a": {**entry, "shape": [0] * 100}},
        {"a": {**entry, "shape": [16], "data_offsets": [0, 64]}, "b": {**entry, "data_offsets": [32, 68]}},
        [], {"a": 1}, {"a": {"dtype": 4, "shape": [], "data_offsets": []}},
    ):  # fmt: skip
        data = header(entries)
        assert all(found.stop <= len(data) for found in files.find(data, 0, budget_of(len(data))))
    deep = b""
    for _ in range(500):
        deep = makers.field(7, makers.field(1, makers.field(5, makers.field(6, deep))))[:60000]
    assert not find(makers.field(1, 8) + makers.field(2, b"maker") + deep + bytes(100))
    words = b"GGUF\3\0\0\0" + (1).to_bytes(8, "little") + (1).to_bytes(8, "little")
    words += (1).to_bytes(8, "little") + b"a" + (9).to_bytes(4, "little") + (8).to_bytes(4, "little") + b"\xff" * 8
    assert not find(words + bytes(1000))


def test_a_pickle_is_not_run() -> None:
    evil = b"cos\nsystem\n(S'touch /tmp/nzip-was-here'\ntR."
    endless = b"\x80\2" + b"(" * 5000 + b"X\xff\xff\xff\x7f"
    for pickle in (evil, endless):
        data = makers.pytorch([("a", (20, 12), A, "FloatStorage")], pickle=pickle)
        assert not files.find(data, 0, budget_of(len(data)))


def test_what_follows_a_block_is_known() -> None:
    data = FILES["safetensors"]
    start = data.index(A)
    for size in (start + 100, start + len(A), start + len(A) + 50, len(data) - 1):
        begun = behind(data[:size])
        assert size + sum(segment.length for segment in begun) == len(data)
        assert begun[0].width in (2, 4)
        assert (size + begun[0].offset - start) % (48 if size < start + len(A) else 2) == 0
    assert behind(data) == ()
    begun = behind(data[: start + 100])
    assert [segment.length for segment in first(begun, 900)] == [860, 40]
    assert behind(data[start + 100 :], begun) == ()


def test_tensors_of_a_file_are_one_whole() -> None:
    data = FILES["safetensors"]
    assert whole(find(data)) == [(data.index(A), len(data))]


@pytest.mark.skipif(not COMPILED, reason="takes minutes without compiled code")
@pytest.mark.parametrize("level", [1, 2, 3, 6])
@pytest.mark.parametrize("name", FILES)
def test_files_come_back(name: str, level: int) -> None:
    data = FILES[name]
    assert nzip.decompress(nzip.compress(data, level)) == data


@pytest.mark.skipif(not COMPILED, reason="takes minutes without compiled code")
def test_what_is_copied_moves_no_tensor() -> None:
    layer, other = packed(floats(60_000, 4), "BF16"), packed(floats(60_000, 5), "BF16")
    zeros = bytes(30_000)
    data = safetensors([
        ("a", "BF16", (100, 600), layer), ("b", "BF16", (15_000,), zeros), ("c", "BF16", (100, 600), other)
    ])  # fmt: skip
    packed_ = nzip.compress(data, 2, block_size=1 << 16)
    assert nzip.decompress(packed_) == data
    assert len(packed_) < 0.75 * len(data)


@pytest.mark.skipif(not COMPILED, reason="takes minutes without compiled code")
@pytest.mark.parametrize("level", [1, 3, 6])
def test_blocks_of_a_file_know_their_tensors(level: int) -> None:
    data = layers("BF16", (60, 300), (300,), (90, 100))
    size = len(data) // 3
    blocks = nzip.compress(data, level, block_size=size)
    assert nzip.decompress(blocks) == data
    assert len(blocks) < 0.85 * len(data)
