"""What the levels say of the memory that coding a block takes."""

from __future__ import annotations

import io
import os
import random
import tracemalloc
import zipfile

import pytest

from nzip.codec import blocks
from nzip.codec.coding import Coding
from nzip.formats.container.structures import BUNDLE_ENGINE, BlockHeader
from nzip.formats.container.wire import Reader
from nzip.settings import LEVELS, block_memory, has_room, largest_part, resolve


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"), reason="Python's numbers take memory")
def test_memory_is_stated_for_blocks_that_are_opened() -> None:
    """What is seen of it, in both directions, and what the header says, is no more than the level's rule has."""
    words = b" ".join(b"%d words" % (k * k) for k in range(60_000))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("noise", random.Random(3).randbytes(100_000))
        file.writestr("words", words)
        file.writestr("more", words[::-1])
    data = archive.getvalue() + words[:100_000]
    chosen = resolve(5)
    some = Coding(chosen.engines, opened=chosen.opened, block_size=chosen.block_size)
    blocks.encode_block(data, some)  # what is kept
    tracemalloc.start()
    try:
        chunk = blocks.encode_block(data, some)
        _, encoding = tracemalloc.get_traced_memory()
        reader = Reader(chunk)
        header = BlockHeader.parse(reader)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        assert blocks.decode_block(header, chunk[reader.pos :]) == data
        _, decoding = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert header.engine == BUNDLE_ENGINE
    assert encoding < chosen.encode_memory(len(data))
    assert decoding - before < blocks.memory_needed(header) <= chosen.decode_memory(len(data))


@pytest.mark.parametrize("number", sorted(LEVELS)[2:])
def test_encoding_takes_no_less_than_decoding_and_grows_with_the_block(number: int) -> None:
    level = LEVELS[number]
    last = 0
    for size in (1 << 10, 1 << 16, 1 << 20, 1 << 22, level.block_size):
        room = level.opened.within(level.block_size, size) if level.opened else None
        taken = block_memory(level.engines, size, room, encoding=True)
        assert taken >= block_memory(level.engines, size, room) >= 0
        assert taken >= last or room is not None  # a smaller block has more room for what comes out of it
        last = taken
    assert level.memory == level.encode_memory() >= level.encode_memory(1 << 10)


@pytest.mark.parametrize("number", [3, 6, 7, 9])
def test_the_largest_part_has_room_and_a_larger_one_has_not(number: int) -> None:
    engines = LEVELS[number].engines
    for choice in engines[:-1]:
        most = largest_part(choice, engines)
        assert has_room(choice, most, engines)
        assert not has_room(choice, most + (1 << 16), engines)
        assert most >= 5 << 20
