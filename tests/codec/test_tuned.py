"""Weights like those of an old file: which stand beside which, in blocks of any size; and what falls back."""

from __future__ import annotations

import random

import pytest
from models.tensor import made
from numba import config

import nzip
from nzip.codec.like import Old
from nzip.codec.tuned import alike, within
from nzip.errors import CorruptError, UnsupportedError
from nzip.settings import resolve

COMPILED = not config.DISABLE_JIT
COUNT = 4000 if COMPILED else 120


def network(names: str, seed: int = 1, step: float = 0.0, kind: str = "BF16", count: int = COUNT) -> bytes:
    """A file of layers, which are the same for the same seed but for steps of training."""
    layers = []
    for name in names:
        dice = random.Random(ord(name))
        values = [value + dice.gauss(0, step) for value in made.floats(count, seed + ord(name))]
        layers.append((f"layer.{name}", kind, (count // 20, 20), made.packed(values, kind)))
    return made.safetensors(layers)


@pytest.mark.parametrize("level", [1, 3, 6])
@pytest.mark.parametrize("kind", ["BF16", "F32"])
def test_a_network_that_was_trained_further(level: int, kind: str) -> None:
    old, new = network("abc", kind=kind), network("abc", step=0.0005, kind=kind)
    packed = nzip.compress(new, level, like=old)
    assert nzip.decompress(packed, like=old) == new
    assert not COMPILED or len(packed) < 0.75 * len(nzip.compress(new, level))
    with pytest.raises(UnsupportedError):
        nzip.decompress(packed)
    with pytest.raises(UnsupportedError):
        nzip.decompress(packed, like=new)


def test_blocks_of_any_size() -> None:
    old, new = network("abcd"), network("abcd", step=0.0005)
    for size in (4096, 5001, 16384):
        packed = nzip.compress(new, resolve(3, block_size=size), like=old)
        assert nzip.decompress(packed, like=old) == new
        assert not COMPILED or len(packed) < 0.7 * len(nzip.compress(new, 3))


def test_layers_in_another_order_some_new_and_some_the_same() -> None:
    old = network("abcd")
    steps = {"d": 0.0005, "a": 0.0, "x": 0.0, "b": 0.0005}
    count = COUNT
    layers = []
    for name, step in steps.items():
        dice = random.Random(5)
        values = [value + dice.gauss(0, step) for value in made.floats(count, 1 + ord(name))]
        layers.append((f"layer.{name}", "BF16", (count // 20, 20), made.packed(values, "BF16")))
    new = made.safetensors(layers)
    found = alike(new, Old(old))
    assert [each.base >= 0 for each in found] == [True] * 4  # the new one stands beside the one that is left
    packed = nzip.compress(new, 3, like=old)
    assert nzip.decompress(packed, like=old) == new


def test_names_that_changed_are_found_by_order() -> None:
    old, new = network("abc"), network("abc", step=0.0005).replace(b"layer.", b"block.")
    assert [each.base for each in alike(new, Old(old))] == [each.start for each in alike(new, Old(old))]
    assert nzip.decompress(packed := nzip.compress(new, 3, like=old), like=old) == new
    assert not COMPILED or len(packed) < 0.75 * len(nzip.compress(new, 3))


def test_what_is_the_same_is_copied() -> None:
    old = network("abc")
    packed = nzip.compress(old, 3, like=old)
    assert len(packed) < 200
    assert nzip.decompress(packed, like=old) == old


def test_files_that_have_nothing_in_common() -> None:
    old, new = network("ab"), network("ab", seed=77, kind="F32", count=COUNT // 2)
    assert nzip.decompress(nzip.compress(new, 3, like=old), like=old) == new
    assert not alike(new, Old(b"text" * 50))
    assert not alike(b"text" * 50, Old(old))
    far = network("ab", seed=99)
    assert len(nzip.compress(far, 3, like=old)) < len(nzip.compress(far, 3)) + 200


def test_a_network_that_is_cut_off() -> None:
    old, new = network("abc"), network("abc", step=0.0005)
    for part in (new[: len(new) * 2 // 3 + 1], new + b"more"):
        assert nzip.decompress(nzip.compress(part, 3, like=old), like=old) == part
    for base in (old[: len(old) // 2], old + b"more"):
        assert nzip.decompress(nzip.compress(new, 3, like=base), like=base) == new


def test_parts_of_tensors_keep_rows() -> None:
    tensors = alike(network("a"), Old(network("a")))
    start, stop = tensors[0].start, tensors[0].stop
    (part,) = within(tensors, start + 50, stop - 1)
    assert (part.start, part.stop, part.base) == (0, stop - start - 51, start + 50)
    assert (part.segment.offset, part.segment.length) == (30, stop - start - 51)


def test_a_damaged_block() -> None:
    old, new = network("a", count=100), network("a", step=0.0005, count=100)
    packed = nzip.compress(new, 3, like=old)
    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 1 << place % 8
        with pytest.raises((CorruptError, UnsupportedError)):
            nzip.decompress(bytes(damaged), like=old)
