"""What every engine passes: `check_engine(engine, params)`.

Small inputs only, so that an engine with compiled kernels passes in seconds; with the JIT off they are smaller still.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.base import Engine

DICE = random.Random(11)
NOISE = DICE.randbytes(600)
WORDS = b"the cat and the dog and the bird sat on the mat. "
BLOCKS = {
    "one byte": b"a",
    "byte 0": b"\0",
    "byte 255": b"\xff",
    "two bytes": b"ab",
    "three bytes": b"\0\0\1",
    "noise": NOISE,
    "run": b"\0" * 1000,
    "run of 255": b"\xff" * 700,
    "two runs": b"a" * 400 + b"b" * 400,
    "text": WORDS * 15,
    "text, then noise": WORDS * 5 + NOISE[:300],
    "every byte": bytes(range(256)) * 2,
    "records": b"".join(bytes((n & 255, n >> 8, 0, 7 * n & 255)) for n in range(250)),
    "repeat at a distance": NOISE + NOISE,
}

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
if JIT_OFF:
    BLOCKS = {about: block[:40] for about, block in BLOCKS.items()}


def check_engine(engine: Engine, params: Mapping[str, int]) -> None:
    """Run every check on `engine` with `params`."""
    check_identity(engine)
    check_params(engine, params)
    check_memory(engine, params)
    check_round_trips(engine, params)
    check_determinism(engine, params)
    check_damage(engine, params)


def check_identity(engine: Engine) -> None:
    assert engine.name
    assert engine.name == engine.name.lower()
    assert 0 <= engine.id <= 127
    assert 1 <= engine.version <= 255
    assert engine.__doc__


def check_params(engine: Engine, params: Mapping[str, int]) -> None:
    """Packing and unpacking mirror each other; what `pack` does not write is refused."""
    packed = engine.pack(engine.fit(params, 5000))
    assert isinstance(packed, bytes)
    assert len(packed) <= 255
    unpacked = engine.unpack(packed)
    assert all(isinstance(key, str) and isinstance(value, int) for key, value in unpacked.items())
    assert engine.pack(unpacked) == packed
    for size in (1, 2, 1000, 1 << 20, 1 << 30):
        fitted = engine.fit(params, size)
        assert engine.unpack(engine.pack(fitted)) == fitted
        assert engine.fit(fitted, size) == fitted
    with pytest.raises(ValueError):
        engine.pack({**params, "no such parameter": 1})
    for malformed in {
        packed + b"\0",
        packed + packed + b"\1",
        packed[:-1] if packed else b"\1",
        b"\xff" * (len(packed) or 1),
        bytes(255),
        b"\xff" * 255,
    } - {packed}:
        with pytest.raises((CorruptError, UnsupportedError)):
            engine.unpack(malformed)
    dice = random.Random(12)
    for _ in range(300):
        noise = dice.randbytes(dice.choice((len(packed), dice.randrange(8))))
        try:
            taken = engine.unpack(noise)
        except (CorruptError, UnsupportedError):
            continue
        # What is accepted is what `pack` writes, and asking what it needs is safe.
        assert engine.pack(taken) == noise
        assert engine.memory(taken, 1 << 30) >= 0


def check_memory(engine: Engine, params: Mapping[str, int]) -> None:
    """Stated memory is a whole number, never shrinks with the block, and is what a block header can state."""
    last = 0
    for size in (1, 100, 1 << 10, 1 << 16, 1 << 20, 1 << 25, 1 << 30):
        needed = engine.memory(engine.fit(params, size), size)
        assert isinstance(needed, int)
        assert last <= needed <= 15 << 41
        last = needed
        assert isinstance(engine.encode_memory(engine.fit(params, size), size), int)
        assert engine.encode_memory(engine.fit(params, size), size) >= 0
    assert last > 0 or engine.id == 0
    # The block header rounds up, and the reader asks again with the same parameters.
    unpacked = engine.unpack(engine.pack(engine.fit(params, 5000)))
    assert engine.memory(unpacked, 5000) == engine.memory(engine.fit(params, 5000), 5000)


def check_round_trips(engine: Engine, params: Mapping[str, int]) -> None:
    for about, block in BLOCKS.items():
        fitted = engine.fit(params, len(block))
        payload = engine.encode(block, fitted)
        assert isinstance(payload, bytes), about
        if len(payload) >= len(block) and engine.id:
            assert JIT_OFF or about not in ("run", "text"), "an engine makes these smaller"
            continue  # it is stored
        # The decoder knows the parameters only from their packed form.
        back = engine.decode(payload, len(block), engine.unpack(engine.pack(fitted)))
        assert isinstance(back, bytes), about
        assert back == block, about
        assert len(payload) <= 2 * len(block) + 64, about


def check_determinism(engine: Engine, params: Mapping[str, int]) -> None:
    """The payload depends on the block alone: not on what came before, and not on other threads."""
    blocks = [BLOCKS[name] for name in ("text", "noise", "run", "records")]
    fitted = [engine.fit(params, len(block)) for block in blocks]
    expected = [engine.encode(block, own) for block, own in zip(blocks, fitted, strict=True)]
    assert [engine.encode(b, p) for b, p in zip(blocks[::-1], fitted[::-1], strict=True)] == expected[::-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(engine.encode, blocks * 3, fitted * 3)) == expected * 3
        smaller = [(e, b, p) for e, b, p in zip(expected, blocks, fitted, strict=True) if len(e) < len(b)] * 3
        decoded = pool.map(lambda item: engine.decode(item[0], len(item[1]), item[2]), smaller)
        assert list(decoded) == [block for _, block, _ in smaller]


def check_damage(engine: Engine, params: Mapping[str, int]) -> None:
    """A damaged payload gives `size` bytes or CorruptError: it never crashes and never hangs."""
    for name in ("text", "one byte", "records") if not JIT_OFF else ("text",):
        block = BLOCKS[name]
        fitted = engine.fit(params, len(block))
        payload = engine.encode(block, fitted)
        dice = random.Random(13)
        damaged = [
            b"",
            payload[:-1],
            payload[: len(payload) // 2],
            payload + b"\0",
            payload * 2,
            b"\xff" * len(payload),
        ]
        damaged += [bytes(len(payload)), dice.randbytes(len(payload)), dice.randbytes(1)]
        for _ in range(12):
            changed = bytearray(payload)
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
            damaged.append(bytes(changed))
        for wrong in damaged:
            for size in (len(block), len(block) + 1, 1, 3 * len(block)) if not JIT_OFF else (len(block),):
                try:
                    out = engine.decode(wrong, size, fitted)
                except CorruptError:
                    continue
                assert isinstance(out, bytes)
                assert len(out) == size
