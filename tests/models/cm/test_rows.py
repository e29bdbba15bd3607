"""What is known of rows, equal to the plain-Python model for lines of every kind, and for bytes that are no lines."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from models.cm.maps import log, noise, objects, sheet
from naive_rows import Rows

from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import Content, Segment
from nzip.models.cm import layout, presets
from nzip.models.cm.components.rows import renew_rows
from nzip.models.cm.engine import CmEngine
from nzip.models.cm.layout import KEYED, LINES, ROWS, TABLE, TEXT
from nzip.models.cm.presets import SOURCES
from nzip.models.cm.segments import Stretch, unpack

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
MANY = 12 if JIT else 1
NAMES = ("ALIGNED", "CELL", "SPOT", "LINESHAPE", "GUESSES", "BESIDE", "FIRSTCELL", "UNLIKE")


def _changed(text: bytes, seed: int) -> bytes:
    """Return a text with bytes changed, left out and doubled here and there."""
    dice, out = random.Random(seed), bytearray()
    for byte in text:
        fate = dice.randrange(60)
        other = dice.choice(b"0159 :.,\n\"af-<")
        out += bytes((byte, other)) if fate == 0 else b"" if fate == 1 else bytes((other if fate == 2 else byte,))
    return bytes(out)


def _same(text: bytes, mode: int) -> None:
    v, fields = np.zeros(SOURCES, np.uint64), np.zeros(layout.R_FIELDS, np.uint64)
    spots, buf = np.zeros(layout.SPOTS, np.uint32), np.frombuffer(text, np.uint8).copy()
    rows, known = Rows(), dict.fromkeys(NAMES, 0)
    data: list[int] = []
    for pos, byte in enumerate(text, 1):
        data.append(byte)
        rows.update(known, data, mode)
        # What is to come is unknown: nothing may depend on it.
        renew_rows(v, fields, spots, buf[:pos], pos, mode)
        assert {name: int(v[getattr(presets, name)]) for name in NAMES} == known, pos
        guessed = fields[layout.R_BYTES : layout.R_BYTES + 4].tolist()
        assert guessed == rows.bytes, pos
        cells = fields[layout.R_CELLS : layout.R_CELLS + 4].tolist()
        assert [cell for cell, byte in zip(cells, guessed, strict=True) if byte] == [
            cell for cell, byte in zip(rows.cells, guessed, strict=True) if byte
        ]
        assert max(cells) < layout.GUESS_CELLS // 2


@pytest.mark.parametrize("mode", [LINES, KEYED, 44, 10, 34, 255])
def test_rows_equal_the_naive_model(mode: int) -> None:
    text = log(5 * MANY) + sheet(6 * MANY) + objects(5 * MANY) + noise(40 * MANY)
    _same(text, mode)
    _same(_changed(text, mode), mode)


def test_numbers_of_every_width_equal_the_naive_model() -> None:
    numbers = [0, 9, 10, 99, 7 * 10**8, 10**9, 10**16, 10**17 - 1, 10**17, 10**18 - 1, 10**18, 10**19, 10**25]
    lines = [b"a %d b%09d c=%d\n" % (n + k, k, n - min(n, k)) for n in numbers for k in range(6)]
    _same(b"".join(lines[: None if JIT else 12]), LINES)
    clocks = [(23, 59, 58), (0, 0, 0), (24, 0, 9)]
    times = [b"%02d:%02d:%02d x %02d.%02d.%02d\n" % (*clock, *clock) for clock in clocks]
    _same(b"5 " + b"".join(times * 3) + b"12:34:5", LINES)


@pytest.mark.skipif(not JIT, reason="a megabyte takes minutes without the compiler")
@pytest.mark.parametrize(
    "block",
    [b"x" * (1 << 20), b"," * (1 << 20), b"7" * (1 << 20), b"1,2;" * (1 << 18), b"\n" * (1 << 20), b"a1 " * 350_000],
    ids=["one token", "only separators", "one number", "a million fields", "no line holds anything", "no line ends"],
)
@pytest.mark.parametrize("mode", [LINES, KEYED, 44])
def test_what_are_no_rows_come_back(block: bytes, mode: int) -> None:
    engine = CmEngine()
    params = {"preset": 1, "bits": 12, "primer": 0}
    payload = engine.encode_stretches(block, params, [Stretch(TABLE if mode else ROWS, len(block), mode=mode)])
    assert len(payload) < len(block) // 100
    assert engine.decode(payload, len(block), params) == block


@pytest.mark.compiled
def test_lines_that_look_like_rows_are_what_suits_their_middle() -> None:
    """Keys before values, lines of one shape, and prose behind a few names."""
    dice, engine = random.Random(7), CmEngine()
    words = ["alpha", "beta", "gamma", "delta", "river", "stone", "over", "under", "green", "light"]
    keyed = "".join(
        f"- name: {dice.choice(words)}{k}\n  colour: {dice.choice(words)}\n  size: {k * 37 % 101}\n  at: /srv/{k}\n"
        for k in range(400)
    ).encode()
    content = detect(keyed)
    assert content.whole.lines
    payload = engine.encode(keyed, engine.fit({"preset": 3}, len(keyed)), content)
    found, _ = unpack(payload, len(keyed), 7)
    assert [(stretch.type, stretch.mode) for stretch in found] == [(TABLE, KEYED)]
    noise = random.Random(1).randbytes(1 << 14).hex().encode()
    plain = Content((Segment("text", len(noise), TEXT, lines=True),))  # lines only by what is said of them
    payload = engine.encode(noise, engine.fit({"preset": 3}, len(noise)), plain)
    assert engine.decode(payload, len(noise), engine.fit({"preset": 3}, len(noise))) == noise
