"""Small models of records, made of nothing but a seed, and records for them."""

from __future__ import annotations

import random

import numpy as np

from nzip.models.circuit.layout import CONTEXTS, LANES, ROWS
from nzip.models.circuit.model import FINAL, Circuit, Lessons

SIZE, LINE, STATES = 6, 3, 3
BASES = 10, 200  # from which values of records go up


def circuit(bits: int = 10, seed: int = 1, head: bytes = b"", size: int = SIZE, line: int = LINE) -> Circuit:
    """Return a circuit whose tables are drawn, with lessons where `bits` is not 0."""
    dice = random.Random(seed)

    def codes(count: int, most: int) -> list[int]:
        return [dice.choice((0, dice.randrange(most), most - 1)) for _ in range(count - 1)] + [most - 1]

    order = list(range(size))
    dice.shuffle(order)
    parents = [0] * size
    for at, place in enumerate(order):
        parents[place] = order[dice.randrange(at)] if at else place
    places = list(range(size))
    dice.shuffle(places)
    rows = [codes(STATES, 66) for _ in range(size * STATES)]
    leaves = [codes(256, 20) for _ in range(size * STATES)]
    for row in leaves:
        for base in BASES:
            row[base : base + 3 * SIZE] = [dice.randrange(45, 55) for _ in range(3 * SIZE)]
    return Circuit(
        size, line, STATES, head, np.array(places), np.array(parents), np.array(codes(STATES, 60), np.uint8),
        np.array(rows, np.uint8).reshape(size, STATES, STATES),
        np.array(leaves, np.uint8).reshape(size, STATES, 256), lessons(bits, dice) if bits else None,
    )  # fmt: skip


def lessons(bits: int, dice: random.Random) -> Lessons:
    """Return lessons that are drawn."""
    none = Lessons.none(bits)
    chosen = (0, 1, 2, 3, 6, 16, 64, 500)
    cells = [(dice.randrange(1 << 22) << 10 | dice.choice(chosen)) ^ 1 << 31 for _ in range(CONTEXTS << bits)]
    cells = [cell if cell & 1023 else 0 for cell in cells]
    mixer = none.mixer + np.array([dice.randrange(-900, 900) for _ in range(ROWS * LANES)], np.int32)
    final = np.array([dice.choice((0, 0, dice.randrange(1 << 16))) for _ in range(FINAL)], np.uint32)
    uses = np.array([dice.choice((0, dice.randrange(1 << 16))) for _ in range(ROWS)])
    return Lessons(np.array(cells, np.uint32), bits, mixer, uses, final)


def records(count: int, seed: int = 2) -> bytes:
    """Return records that are alike."""
    dice = random.Random(seed)
    out = bytearray()
    for _ in range(count):
        base = dice.choice(BASES)
        out += bytes((base + dice.randrange(3 * k + 1)) % 256 for k in range(SIZE))
    return bytes(out)
