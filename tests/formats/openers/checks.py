"""What every opener keeps: the very bytes, one kind of error, and what its page says of damaged recipes too."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import naive_openers
from naive_openers import Corrupt

from nzip.errors import CorruptError
from nzip.formats.openers.base import Opened, Opener
from nzip.registry import OPENERS

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")  # whether kernels are compiled

Naive = Callable[[bytes, bytes, int], bytes]
MOST = 1 << 24


def redeflate(plain: bytes, recipe: bytes) -> bytes:
    """As the page of openers has it, by the opener of deflate; corrupt where that says so."""
    try:
        made: bytes = OPENERS.by_name("deflate").close_within(plain, recipe, MOST)
    except CorruptError:
        raise Corrupt from None
    return made


NAIVE: dict[str, Naive] = {
    "rows": lambda inner, recipe, size: naive_openers.rows(inner, recipe),
    "zlib": lambda inner, recipe, size: naive_openers.zlib_streams(inner, recipe, redeflate),
    "gzip": lambda inner, recipe, size: naive_openers.gzip(inner, recipe, redeflate),
    "png": lambda inner, recipe, size: naive_openers.png(inner, recipe, size, redeflate),
    "zip": lambda inner, recipe, size: naive_openers.archive(inner, recipe, size, redeflate),
    "shuffle": lambda inner, recipe, size: naive_openers.shuffle(inner, recipe),
    "lattice": naive_openers.lattice,
    "packed": lambda inner, recipe, size: naive_openers.packed(inner, recipe),
}


def opened(name: str, coded: bytes, **hints: Any) -> Opened:
    """Return what an opener gives for `coded`, which it must open, and which must come back."""
    opener: Opener = OPENERS.by_name(name)
    found = opener.open(coded, MOST, **hints)
    assert found is not None
    assert opener.close(found.inner, found.recipe, len(coded)) == coded
    assert NAIVE[name](found.inner, found.recipe, len(coded)) == coded
    if name != "zip":  # whose members are opened as far as there is room
        assert opener.open(coded, len(found.inner), **hints) == found
    short = opener.open(coded, len(found.inner) - 1, **hints)
    assert short is None or len(short.inner) < len(found.inner)
    assert opener.memory(len(found.inner), len(coded)) >= len(coded)
    return found


def left_alone(name: str, coded: bytes, **hints: Any) -> None:
    """Check that an opener does not open `coded`, and says so without an error."""
    assert OPENERS.by_name(name).open(coded, MOST, **hints) is None


def alike(name: str, inner: bytes, recipe: bytes, size: int) -> None:
    """Check that an opener makes of any bytes what plain Python makes, or that both make nothing."""
    try:
        expected = NAIVE[name](inner, recipe, size)
    except Corrupt:
        expected = b""
    try:
        made = OPENERS.by_name(name).close(inner, recipe, size)
    except CorruptError:
        made = b""
    assert made == (expected if len(expected) == size else b"")


def damaged(name: str, found: Opened, size: int, seed: int, times: int = 60) -> None:
    """Check that recipes and inner bytes that are changed, and other sizes, are as the page says."""
    draw = random.Random(seed)
    alike(name, found.inner, found.recipe, size)
    for cut in range(min(len(found.recipe), 64)):
        alike(name, found.inner, found.recipe[:cut], size)
    for _ in range(times):
        inner, recipe = bytearray(found.inner), bytearray(found.recipe)
        for part in draw.choice(((recipe,), (inner,), (recipe, inner))):
            changed(part, draw)
        alike(name, bytes(inner), bytes(recipe), max(1, size + draw.choice((0, 0, 0, -1, 1, 12))))


def changed(data: bytearray, draw: random.Random, near: Sequence[int] = (0, 1, 127, 128, 255)) -> None:
    """Change, lose or repeat a few bytes, mostly near the beginning."""
    for _ in range(draw.randint(1, 3)):
        at = draw.randint(0, len(data))
        if draw.random() < 0.7:
            at = min(int(draw.expovariate(0.05)), max(0, len(data) - 1))
        kind = draw.randint(0, 3)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randint(0, 7)
        elif kind == 1 and at < len(data):
            data[at] = draw.choice(near)
        elif kind == 2:
            del data[at : at + draw.randint(1, 3)]
        else:
            data[at:at] = data[at : at + draw.randint(1, 3)]
