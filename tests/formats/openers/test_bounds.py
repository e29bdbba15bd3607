"""Recipes that ask for much: told to be damage, soon, and within the memory that openers state."""

import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from numba import config

from nzip.errors import CorruptError
from nzip.formats.container.wire import uleb
from nzip.formats.openers.base import Opener
from nzip.formats.openers.plan import Account, opened_stretch, rebuild, stream_stretch
from nzip.formats.openers.zip import directory
from nzip.registry import OPENERS

SIZE = 1 << 20
SECONDS = 8.0  # of the processor; what is not bounded takes minutes

Case = tuple[str, bytes, bytes, int]  # opener, inner bytes, recipe, size


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def zip_of_long_fields() -> Case:
    """Members without bytes, all with the longest extra field and comment, which stand once."""
    first = [bytes(width) for width in directory.WIDTHS]
    first[directory.CENTRAL_EXTRA] = first[directory.COMMENT] = bytes(0xFFFF)
    count = SIZE // 64
    text = directory.written(directory.Directory([first] * count, [0] * count, True, [], 0, b"", b""))
    return "zip", uleb(len(text)) + text + b"a\n" * count, b"", SIZE


LZW = bytes((3, 8, 0, 1))  # as a TIFF has it; one stream
PACKBITS = bytes((0, 2, 2, 128, 128, 1, 1))  # rows of a byte; one stream
CASES: dict[str, Callable[[], Case]] = {
    "lzw, clears": lambda: ("lzw", b"abcd", LZW + b"\0" + uleb(8 * SIZE) + uleb(8 * SIZE), SIZE),
    "lzw, clears of no codes": lambda: ("lzw", b"abcd", LZW + b"\0" + uleb(8 * SIZE // 9) + b"\0", SIZE),
    "lzw, clears of 3 bits": lambda: ("lzw", b"", bytes((3, 2, 0, 1, 0)) + uleb(8 * SIZE // 3) + b"\0", SIZE),
    "lzw, odd phrases": lambda: ("lzw", b"abcd", LZW + b"\x08\0" + uleb(SIZE // 17) + bytes(SIZE // 17 * 2), SIZE),
    "lzw, blocks of a byte": lambda: ("lzw", noise(SIZE // 3), bytes((4, 8, 1, 0, 1, 4, 0)), SIZE),
    "lzw, rows of a byte": lambda: ("lzw", noise(SIZE), bytes((15, 8, 255, 1, 0, 1, 4, 0)), 2 * SIZE),
    "lzw, streams of nothing": lambda: ("lzw", b"", LZW[:3] + uleb(1 << 14) + bytes(3 << 14), 6 * SIZE),
    "fax, streams of nothing": lambda: ("fax", b"", b"\0\x08" + uleb(1 << 14) + bytes(2 << 14), 4 * SIZE),
    "packbits, packets": lambda: ("packbits", b"abcd", PACKBITS + uleb(SIZE // 17) + bytes(SIZE // 17 * 2), SIZE),
    "packbits, a table": lambda: (
        "packbits", noise(SIZE // 4), bytes((2, 2, 2, 128, 128, 2, 1, 1, 0, 0)), SIZE // 4 * 4
    ),
    "base64, short lines": lambda: ("base64", noise(SIZE), b"\0" + bytes((64, 64, 0, 1, 10)), SIZE // 3 * 4 + 21846),
    "hexadecimal, long lines": lambda: ("hexadecimal", noise(SIZE), b"\1" + uleb(SIZE) + uleb(SIZE) + b"\0\1\n",
                                        2 * SIZE + 1),
    "png, chunks": lambda: ("png", b"", b"\1\1" + uleb(SIZE // 12) + bytes(SIZE // 12) + b"\0\0", SIZE),
    "deflate, flushes of nothing": lambda: ("deflate", b"", bytes((0x89, 0x88, 6, 1, 4)) + uleb(1 << 14), 1 << 10),
    "deflate, flushes never": lambda: ("deflate", b"", bytes((0x89, 0x88, 6)) + uleb(1 << 17) + b"\1\0" * (1 << 17),
                                       SIZE),
    "zip, long fields": zip_of_long_fields,
}  # fmt: skip


def whole(name: str, inner: bytes, recipe: bytes, size: int) -> bytes:
    """Return what a plan gives in which this stands, with the memory that is stated for it."""
    opener: Opener = OPENERS.by_name(name)
    plan = opened_stretch(0, size, len(inner), recipe) + (stream_stretch(0, len(inner)) if inner else b"")
    stated = 2 * size + 2 * len(inner) + size + opener.memory(len(inner), size)
    return rebuild(plan, [inner], [opener], size, Account(stated, 1 << 40))


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes, and its time says nothing, without the compiler")
@pytest.mark.parametrize("case", CASES)
def test_what_a_recipe_asks_for_is_bounded(case: str, traced: None) -> None:
    name, inner, recipe, size = CASES[case]()
    opener: Opener = OPENERS.by_name(name)
    assert len(recipe) <= opener.longest_recipe(size)
    opener.prepare()
    stated = opener.memory(len(inner), size) + size
    tracemalloc.reset_peak()
    before, start = tracemalloc.get_traced_memory()[0], time.process_time()
    with suppress(CorruptError):
        assert len(opener.close(inner, recipe, size)) == size
    assert time.process_time() - start < SECONDS
    assert tracemalloc.get_traced_memory()[1] - before + len(recipe) <= stated


@pytest.mark.parametrize("name", list(OPENERS))
@pytest.mark.parametrize("size", [1, 1000, SIZE])
def test_recipes_are_no_longer_than_they_may_be(name: str, size: int) -> None:
    opener: Opener = OPENERS.by_name(name)
    longest = opener.longest_recipe(size)
    assert longest <= size + (1 << 20)
    with pytest.raises(CorruptError, match="too long"):
        whole(name, b"abcd", bytes(longest + 1), size)
    with pytest.raises(CorruptError) as told:
        whole(name, b"abcd", bytes(longest), size)
    assert "recipe of opener" not in str(told.value)


def test_a_recipe_ends_with_its_plan() -> None:
    opener: Opener = OPENERS.by_name("deflate")
    plan = opened_stretch(0, 9, 0, b"")[:-1] + uleb(7) + b"six by"
    with pytest.raises(CorruptError, match="too long"):
        rebuild(plan, [], [opener], 9, Account(1 << 30, 1 << 30))
