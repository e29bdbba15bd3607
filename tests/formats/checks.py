"""What every transform must do, whatever it is: `check_transform` raises AssertionError if one does not."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.transforms.base import WORKING, Params, Transform

DICE = random.Random(9)
BLOCKS = [
    b"",
    b"\0",
    b"\xff",
    b"\xe8",
    bytes(1000),
    b"\xff" * 1000,
    bytes(range(256)) * 5,
    b"the same words, and the same words again; " * 40,
    *(DICE.randbytes(size) for size in (1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 255, 256, 257, 4099)),
]

LARGE = DICE.randbytes((1 << 20) + 5)


def check_transform(transform: Transform, every_params: Iterable[Params], bad_params: Iterable[Params] = ()) -> None:
    """Check `transform` with each of `every_params`; `bad_params` must be refused.

    Checked are: class attributes; round trips of many kinds of blocks; sizes; the same result on threads; memory;
    parameters stored and read; malformed stored parameters; coded data that was damaged.
    """
    assert transform.name.isidentifier()
    assert 1 <= transform.id <= 127
    assert 1 <= transform.version <= 255
    for params in every_params:
        _check_params(transform, params)
        _check_blocks(transform, params)
        _check_threads(transform, params)
        _check_memory(transform, params)
        _check_damage(transform, params)
    for params in [*bad_params, {"no such parameter": 1}]:
        for refuse in (transform.pack, lambda p: transform.forward(b"block", p)):
            try:
                refuse(params)
            except ValueError:
                continue
            raise AssertionError(f"{transform.name} takes {params}")


def _check_memory(transform: Transform, params: Params) -> None:
    coded = transform.forward(LARGE, params)
    size = max(len(LARGE), len(coded))
    for act in (lambda: transform.forward(LARGE, params), lambda: transform.inverse(coded, len(LARGE), params)):
        tracemalloc.start()
        try:
            act()
            assert tracemalloc.get_traced_memory()[1] < (WORKING + 1) * size
        finally:
            tracemalloc.stop()


def _check_params(transform: Transform, params: Params) -> None:
    packed = transform.pack(params)
    assert len(packed) <= 255
    full = transform.unpack(packed)
    assert transform.pack(full) == packed
    assert {key: full[key] for key in params} == dict(params)
    for wrong in [packed + b"\0", packed[:-1], b"\xff" * 255, *([b""] if packed else [])]:
        if wrong != packed:
            _expect_corrupt(transform, wrong)
    for place in range(len(packed)):
        for value in range(256):
            changed = packed[:place] + bytes([value]) + packed[place + 1 :]
            try:
                assert transform.pack(transform.unpack(changed)) == changed
            except (CorruptError, UnsupportedError):
                continue


def _expect_corrupt(transform: Transform, packed: bytes) -> None:
    try:
        transform.unpack(packed)
    except CorruptError:
        return
    raise AssertionError(f"{transform.name} reads {packed!r} as parameters")


def _check_blocks(transform: Transform, params: Params) -> None:
    for block in BLOCKS:
        coded = transform.forward(block, params)
        assert isinstance(coded, bytes)
        assert len(coded) <= 2 * len(block)
        assert len(coded) > 0 or not block
        back = transform.inverse(coded, len(block), params)
        assert isinstance(back, bytes)
        assert back == block, (transform.name, params, block[:20])


def _check_threads(transform: Transform, params: Params) -> None:
    alone = [transform.forward(block, params) for block in BLOCKS]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda block: transform.forward(block, params), BLOCKS * 4))
    assert together == alone * 4


def _check_damage(transform: Transform, params: Params) -> None:
    """Damage may give wrong bytes, as many as there should be; or CorruptError."""
    for block in BLOCKS[-6:]:
        coded = transform.forward(block, params)
        damaged = [
            (coded, len(block) + 1),
            (coded, max(0, len(block) - 1)),
            (coded[:-1], len(block)),
            (b"", len(block)),
        ]
        for _ in range(8):
            place = DICE.randrange(len(coded))
            damaged.append((coded[:place] + DICE.randbytes(1) + coded[place + 1 :], len(block)))
        for wrong, size in damaged:
            try:
                assert len(transform.inverse(wrong, size, params)) == size
            except CorruptError:
                continue
