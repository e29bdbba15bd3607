"""The opener of floating point numbers that are integers times a step."""

import random
import struct

import numpy as np
import pytest
from formats.openers.checks import alike, damaged, left_alone, opened
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.openers.lattice import masks_of

COLUMNS = 20


def integers(seed: int, count: int = 400, most: int = 3000) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, most, count)


def made(kind: str) -> np.ndarray:
    """Return numbers as programs write them."""
    k = integers(1)
    single = np.float32
    return {
        "tenths": (k / 10).astype(single),
        "tenths, double": k / 10.0,
        "halves of halves": (k * 0.25 - 3).astype(single),
        "scaled": (k * 0.00173 + 273.15).astype(single),
        "scaled, double": (k - k.min()) * 0.00173 + 273.15,
        "scaled by single numbers": k.astype(single) * single(0.00173) + single(273.15),
        "times a tenth": k * 0.1,
        "whole": k.astype(single),
        "large": (k.astype(np.float64) + 1e9),
        "negative": -(k / 100).astype(single),
        "of GRIB": ((k * 2.0**-3 + 2731) / 10).astype(single),
        "all alike": np.full(400, 7.5, single),
    }[kind]


KINDS = (
    "tenths", "tenths, double", "halves of halves", "scaled", "scaled, double", "scaled by single numbers",
    "times a tenth", "whole", "large", "negative", "of GRIB", "all alike",
)  # fmt: skip


def coded(numbers: np.ndarray, *, big: bool = False) -> bytes:
    return numbers.astype(numbers.dtype.newbyteorder(">" if big else "<")).tobytes()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_become_integers(kind: str, big: bool) -> None:
    numbers = np.concatenate([made(kind)] * 3)
    hints = {"width": numbers.itemsize, "columns": COLUMNS, "big": big}
    found = opened("lattice", coded(numbers, big=big), **hints)
    assert len(found.inner) == len(numbers) * (1 if kind == "all alike" else 2)
    damaged("lattice", found, numbers.nbytes, seed=len(kind), times=20)


@pytest.mark.parametrize("fill", [np.nan, np.inf, -9999.0, 9.96921e36, -0.0])
def test_what_is_no_number_becomes_a_mask(fill: float) -> None:
    numbers = np.concatenate([made("tenths")] * 3) + np.float32(1)
    gone = np.zeros(len(numbers), bool)
    gone[::7] = gone[5:90] = True
    numbers[gone] = fill
    found = opened("lattice", coded(numbers), width=4, columns=COLUMNS)
    masks, held, width = masks_of(len(found.inner), len(numbers), COLUMNS)
    assert (masks, width) == (1, 2)
    bits = np.unpackbits(np.frombuffer(found.inner, np.uint8, held).reshape(-1, 3), axis=1, count=COLUMNS)
    assert (bits.ravel() > 0).tolist() == gone.tolist()
    cells = np.frombuffer(found.inner, "<u2", len(numbers), held)
    assert cells[6] == cells[89] == cells[4]  # as the last one that is there
    damaged("lattice", found, numbers.nbytes, seed=3)


def test_two_masks() -> None:
    numbers = np.concatenate([made("scaled")] * 3)
    numbers[::5], numbers[2::11] = np.nan, 1e20
    found = opened("lattice", coded(numbers), width=4, columns=COLUMNS)
    assert masks_of(len(found.inner), len(numbers), COLUMNS)[0] == 2
    numbers[3::17] = -np.inf
    left_alone("lattice", coded(numbers), width=4, columns=COLUMNS)


def test_what_is_no_lattice_is_left() -> None:
    noise = np.repeat(np.random.default_rng(2).normal(size=300), 3)
    left_alone("lattice", coded(noise), width=8, columns=10)
    left_alone("lattice", coded(noise.astype(np.float32)), width=4, columns=10)
    left_alone("lattice", coded(np.full(100, np.nan)), width=8, columns=10)
    # More integers than are told apart, and no fill values.
    left_alone("lattice", coded(np.repeat(np.array([0.0, 1.0, 40000.0, 65536.0]), 30)), width=8, columns=10)
    whole = coded(made("whole"))
    for width, columns in ((2, 20), (4, 0), (4, 7), (8, 150)):
        left_alone("lattice", whole, width=width, columns=columns)
    left_alone("lattice", whole[:-1], width=4, columns=COLUMNS)
    left_alone("lattice", b"", width=4, columns=COLUMNS)


def test_long_noise_is_left_after_a_look_at_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nzip.formats.openers.lattice.SAMPLE", 100)
    numbers = np.concatenate((np.random.default_rng(4).normal(size=100), np.zeros(300)))
    left_alone("lattice", coded(numbers), width=8, columns=10)
    opened("lattice", coded(np.concatenate([made("tenths")[:50]] * 8)), width=4, columns=10)
    empty = np.concatenate((np.full(100, np.nan, np.float32), np.repeat(made("tenths"), 3)))
    opened("lattice", coded(empty), width=4, columns=10)


@given(st.binary(max_size=80), st.binary(max_size=40), st.integers(1, 64))
def test_any_recipe_is_as_its_reference_says(inner: bytes, recipe: bytes, size: int) -> None:
    alike("lattice", inner, recipe, size)


@given(
    st.integers(0, 255), st.integers(1, 5), st.floats(width=64), st.floats(width=64), st.integers(0, 1 << 55),
    st.binary(min_size=80, max_size=80), st.integers(1, 5),
)  # fmt: skip
def test_any_numbers_are_as_the_reference_says(
    head: int, columns: int, step: float, offset: float, base: int, held: bytes, rows: int
) -> None:
    masks, width, wide = head >> 5, 8 if head & 2 else 4, 2 if head & 16 else 1
    tail = bytearray()
    while base >= 128:
        tail.append(base & 127 | 128)
        base >>= 7
    tail.append(base)
    recipe = bytes((head, columns)) + struct.pack("<2d", step, offset) + tail + held[: min(masks, 2) * width]
    inner = held[: masks * rows * ((columns + 7) // 8) + rows * columns * wide]
    alike("lattice", inner, recipe, rows * columns * width)


def test_random_grids_come_back() -> None:
    draw = random.Random(5)
    for seed in range(40):
        k = np.repeat(integers(seed, 80, draw.choice((9, 200, 2000))), 5)
        step = draw.choice((0.1, 0.01, 1 / 3, 2.0**-7, draw.random()))
        offset = draw.choice((0.0, -40.0 * step, draw.random()))
        numbers = (k * step + offset).astype(np.float32)
        opened("lattice", coded(numbers), width=numbers.itemsize, columns=draw.choice((1, 8, 20, 400)))
