"""What every engine must do: one function a property, each for a case of `models.cases`.

Small inputs only, so that an engine with compiled kernels passes in seconds; with the JIT off they are smaller still.
"""

from __future__ import annotations

import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from models.cases import JIT_OFF, SEVERAL, SMALL, Case

from nzip.errors import CorruptError, UnsupportedError
from nzip.params import Digest, Number

SLACK = 1 << 19  # bytes that Python's own objects may take beside what an engine states


def check_identity(case: Case) -> None:
    engine = case.coder
    assert engine.name == case.engine == engine.name.lower()
    assert 0 <= engine.id <= 127
    assert 1 <= engine.version <= 255
    assert engine.__doc__


def check_params(case: Case) -> None:
    """Packing and unpacking mirror each other; what `pack` does not write is refused."""
    engine = case.coder
    packed = engine.pack(engine.fit(case.params, 5000))
    assert isinstance(packed, bytes)
    assert len(packed) <= 255
    unpacked = engine.unpack(packed)
    assert set(unpacked) == {parameter.name for parameter in engine.parameters}
    assert engine.pack(unpacked) == packed
    for size in (1, 2, 1000, 1 << 20, 1 << 30):
        fitted = engine.fit(case.params, size)
        assert engine.unpack(engine.pack(fitted)) == fitted
        assert engine.fit(fitted, size) == fitted
    for refuse in (engine.pack, lambda params: engine.fit(params, 1000), engine.parameters.check):
        with pytest.raises(ValueError, match="does not know the parameter 'no such parameter'"):
            refuse({**case.params, "no such parameter": 1})
    text = any(not parameter.bits for parameter in engine.parameters)  # of any length
    named = any(isinstance(parameter, Digest) for parameter in engine.parameters)  # a model, which is not here
    # Another length is damage; a text has any, but none of these is one.
    longer = {packed + b"\0", bytes(255), b"\xff" * 255}
    for malformed in (longer if text else longer | {b"", packed[:-1], packed * 2}) - {packed}:
        with pytest.raises(CorruptError):
            engine.unpack(malformed)
    with pytest.raises((CorruptError, UnsupportedError)):  # numbers out of range, or of a later version
        engine.unpack(b"\xff" * (len(packed) or 1))
    for parameter in engine.parameters:
        beyond = (parameter.low - 1, parameter.high + 1) if isinstance(parameter, Number) else (2, -1)
        for value in (*beyond, "none of these", 1.5, b"1", -(1 << 70), 1 << 70):
            with pytest.raises(ValueError, match=parameter.name):
                engine.parameters.check({**case.params, parameter.name: value})
    dice = random.Random(12)
    for _ in range(300):
        noise = bytearray(packed) if dice.randrange(2) else bytearray(dice.randbytes(dice.randrange(8)))
        if noise:
            noise[dice.randrange(len(noise))] = dice.randrange(256)
        try:
            taken = engine.unpack(bytes(noise))
        except (CorruptError, UnsupportedError):
            continue
        # What is accepted is what `pack` writes, and asking what it needs is safe.
        assert engine.pack(taken) == noise
        assert named or engine.memory(taken, 1 << 30) >= 0


def check_declaration(case: Case) -> None:
    """Every parameter says what it is for; its default, and the ends of its range, are taken."""
    declared = case.coder.parameters
    for parameter in declared:
        assert parameter.help.endswith(".")
        assert parameter.range
        assert parameter.default is None or declared.parse([f"{parameter.name}={parameter.default}"])


def check_stated_memory(case: Case) -> None:
    """Stated memory is a whole number, never shrinks with the block, and is what a block header can state."""
    engine = case.coder
    last = 0
    for size in (1, 100, 1 << 10, 1 << 16, 1 << 20, 1 << 25, 1 << 30):
        fitted = engine.fit(case.params, size)
        needed = engine.memory(fitted, size)
        assert isinstance(needed, int)
        assert last <= needed <= 15 << 41
        last = needed
        assert isinstance(engine.encode_memory(fitted, size), int)
        assert engine.encode_memory(fitted, size) >= 0
    assert last > 0 or engine.id == 0
    # The block header rounds up, and the reader asks again with the same parameters.
    fitted = engine.fit(case.params, 5000)
    assert engine.memory(engine.unpack(engine.pack(fitted)), 5000) == engine.memory(fitted, 5000)


def check_used_memory(case: Case) -> None:
    """Coding takes no more than is stated, beside the block and the payload; what libraries take is not seen."""
    if case.compiled or JIT_OFF:
        return  # while its threads run, tracemalloc cannot be stopped without a crash; and Python's numbers take memory
    engine, blocks = case.coder, case.blocks()
    for name in (name for name in (SMALL, "text", SEVERAL) if name in blocks):
        block = blocks[name]
        fitted = engine.fit(case.params, len(block))
        payload = case.encode(block)
        if len(payload) >= len(block):
            continue
        engine.decode(payload, len(block), fitted)  # what is loaded once is there
        beside = 2 * len(block) + len(payload) + SLACK
        for run, most in (
            (partial(case.encode, block), engine.encode_memory(fitted, len(block))),
            (partial(engine.decode, payload, len(block), fitted), engine.memory(fitted, len(block))),
        ):
            tracemalloc.start()
            try:
                run()
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert peak <= most + beside, name


def check_round_trips(case: Case) -> None:
    engine, shrunk = case.coder, set()
    for about, block in case.blocks().items():
        fitted = engine.fit(case.params, len(block))
        payload = case.encode(block)
        assert isinstance(payload, bytes), about
        assert len(payload) <= 2 * len(block) + 64, about
        if len(payload) >= len(block) and engine.id:
            continue  # it would be stored
        shrunk.add(about)
        # The decoder knows the parameters only from their packed form.
        back = engine.decode(payload, len(block), engine.unpack(engine.pack(fitted)))
        assert isinstance(back, bytes), about
        assert back == block, about
    assert "run" in shrunk or case.text_only
    assert "text" in shrunk or JIT_OFF  # its blocks are short


def check_naive(case: Case) -> None:
    """The kernels write what plain Python writes."""
    assert case.naive is not None
    engine, equal = case.coder, 0
    for block in case.blocks().values():
        part = block[:200]
        fitted = engine.fit(case.params, len(part))
        payload = case.encode(part)
        if len(payload) > len(part):
            continue
        assert case.naive(part, fitted, payload) == payload
        equal += 1
    assert equal > 3


def check_determinism(case: Case) -> None:
    """The payload depends on the block alone: not on what came before, and not on other threads."""
    engine, known = case.coder, case.blocks()
    blocks = [known[name] for name in ("text", "noise", "run", "records", SEVERAL) if name in known]
    fitted = [engine.fit(case.params, len(block)) for block in blocks]
    expected = [case.encode(block) for block in blocks]
    assert [case.encode(block) for block in blocks[::-1]] == expected[::-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(case.encode, blocks * 3)) == expected * 3
        smaller = [(e, b, p) for e, b, p in zip(expected, blocks, fitted, strict=True) if len(e) < len(b)] * 3
        decoded = pool.map(lambda item: engine.decode(item[0], len(item[1]), item[2]), smaller)
        assert list(decoded) == [block for _, block, _ in smaller]


def check_damage(case: Case) -> None:
    """A damaged payload gives `size` bytes or an error: it never crashes and never hangs."""
    engine, blocks = case.coder, case.blocks()
    few = JIT_OFF or case.brief
    for name in (SMALL,) if few else (SMALL, "text", "one byte", "records", *{SEVERAL} & {*blocks}):
        block = blocks[name][:200] if blocks[name].startswith(b"the") else blocks[name]
        fitted = engine.fit(case.params, len(block))
        payload = case.encode(block)
        dice = random.Random(13)
        damaged = [payload[:cut] for cut in dice.sample(range(len(payload)), min(12, len(payload)))]
        damaged += [b"", payload[:-1], payload + b"\0", payload * 2, b"\xff" * len(payload), bytes(len(payload))]
        damaged += [dice.randbytes(len(payload)), dice.randbytes(1)]
        for at in dice.sample(range(len(payload)), min(6 if few else 24, len(payload))):
            changed = bytearray(payload)
            changed[at] ^= 1 << dice.randrange(8)
            damaged.append(bytes(changed))
        for wrong in damaged:
            for size in (len(block),) if few else (len(block), len(block) + 1, 1, 3 * len(block)):
                try:
                    out = engine.decode(wrong, size, fitted)
                except case.faults:
                    continue
                assert isinstance(out, bytes)
                assert len(out) == size
