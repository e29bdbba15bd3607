"""The opener of floating point numbers that are integers times a step."""

import random
import struct

import numpy as np
import pytest
from formats.openers.checks import alike, damaged, left_alone, opened
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.openers.lattice import layout_of

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
    assert len(found.inner) == 1 + len(numbers) * (1 if kind == "all alike" else 2)
    damaged("lattice", found, numbers.nbytes, seed=len(kind), times=20)


@pytest.mark.parametrize("fill", [np.nan, np.inf, -9999.0, 9.96921e36, -0.0])
def test_what_is_no_number_becomes_a_mask(fill: float) -> None:
    numbers = np.concatenate([made("tenths")] * 3) + np.float32(1)
    gone = np.zeros(len(numbers), bool)
    gone[::7] = gone[5:90] = True
    numbers[gone] = fill
    found = opened("lattice", coded(numbers), width=4, columns=COLUMNS)
    layout = layout_of(found.inner, len(numbers), COLUMNS)
    assert (layout.masks, layout.width, layout.size) == (1, 2, len(found.inner))
    bits = np.unpackbits(np.frombuffer(found.inner, np.uint8, layout.held, 1).reshape(-1, 3), axis=1, count=COLUMNS)
    assert (bits.ravel() > 0).tolist() == gone.tolist()
    cells = np.frombuffer(found.inner, "<u2", len(numbers), layout.integers)
    assert cells[6] == cells[89] == cells[4]  # as the last one that is there
    damaged("lattice", found, numbers.nbytes, seed=3)


def test_two_masks() -> None:
    numbers = np.concatenate([made("scaled")] * 3)
    numbers[::5], numbers[2::11] = np.nan, 1e20
    found = opened("lattice", coded(numbers), width=4, columns=COLUMNS)
    assert layout_of(found.inner, len(numbers), COLUMNS).masks == 2
    numbers[3::17] = -np.inf
    left_alone("lattice", coded(numbers), width=4, columns=COLUMNS)


def test_what_is_no_lattice_is_left() -> None:
    noise = np.repeat(np.random.default_rng(2).normal(size=300), 3)
    left_alone("lattice", coded(noise), width=8, columns=10)
    left_alone("lattice", coded(noise.astype(np.float32)), width=4, columns=10)
    left_alone("lattice", coded(np.full(100, np.nan)), width=8, columns=10)
    # More integers than are told apart, and no fill values.
    left_alone("lattice", coded(np.repeat(np.array([0.0, 1.0, 1.3e9, 2.6e9]), 30)), width=8, columns=10)
    # As near to each other as numbers can be.
    left_alone("lattice", coded(1 + np.random.default_rng(3).random(4000).astype(np.float32)), width=4, columns=10)
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
    st.integers(0, 15), st.integers(0, 35), st.integers(1, 5), st.floats(width=64), st.floats(width=64),
    st.integers(0, 1 << 55), st.binary(min_size=160, max_size=160), st.integers(1, 5),
)  # fmt: skip
def test_any_numbers_are_as_the_reference_says(
    head: int, layout: int, columns: int, step: float, offset: float, base: int, held: bytes, rows: int
) -> None:
    masks, width, stored = layout >> 2 & 3, 8 if head & 2 else 4, (layout & 3) + 1 + (layout >> 4 & 1)
    tail = bytearray()
    while base >= 128:
        tail.append(base & 127 | 128)
        base >>= 7
    tail.append(base)
    recipe = bytes((head, columns)) + struct.pack("<2d", step, offset) + tail + held[: min(masks, 2) * width]
    inner = bytes((layout,)) + held[: masks * rows * ((columns + 7) // 8) + rows * columns * stored]
    alike("lattice", inner, recipe, rows * columns * width)


def test_random_grids_come_back() -> None:
    draw = random.Random(5)
    for seed in range(40):
        k = np.repeat(integers(seed, 80, draw.choice((9, 200, 2000))), 5)
        step = draw.choice((0.1, 0.01, 1 / 3, 2.0**-7, draw.random()))
        offset = draw.choice((0.0, -40.0 * step, draw.random()))
        numbers = (k * step + offset).astype(np.float32)
        opened("lattice", coded(numbers), width=numbers.itemsize, columns=draw.choice((1, 8, 20, 400)))


ORDERS = {
    "below zero": lambda k: (k - 700) * 0.1 + 273.15,
    "divided": lambda k: (k - 700) / 10 + 273.15,
    "thirds": lambda k: (k - 700) / 3.0 + 0.1,
    "times thirds": lambda k: (k - 700) * (1 / 3) + 0.1,
    "from above": lambda k: 1013.25 - k * 0.001,
    "no round step": lambda k: (k - 700) * 0.00123456789123456 - 40.5,
    "neither is round": lambda k: k * 0.00123456789123456 + 287.123456789123,
    "linspace": lambda k: np.linspace(0, 100, 3001)[k],
    "single numbers": lambda k: (k - 700).astype(np.float32) * np.float32(0.1) + np.float32(273.15),
}


@pytest.mark.parametrize("order", list(ORDERS))
@pytest.mark.parametrize("columns", [1, 20])
def test_offsets_of_all_kinds_and_orders_of_operations(order: str, columns: int) -> None:
    numbers = ORDERS[order](integers(4, 6000))
    found = opened("lattice", coded(numbers), width=numbers.itemsize, columns=columns)
    layout = layout_of(found.inner, len(numbers), columns)
    assert (layout.width, layout.off) == (2, 0)


@pytest.mark.parametrize("most", [60_000, 3_000_000, 100_000_000])
def test_integers_may_be_many_and_all_different(most: int) -> None:
    numbers = integers(5, 4000, most) * 0.1 - 40
    found = opened("lattice", coded(numbers), width=8, columns=1)
    assert layout_of(found.inner, len(numbers), 1).width == (3 if most < 1 << 23 else 4)
    damaged("lattice", found, numbers.nbytes, seed=6, times=20)


def test_a_few_units_of_the_last_place_are_told_apart() -> None:
    numbers = integers(6) * 0.1 + 273.15
    numbers[::40] = np.nextafter(numbers[::40], np.inf)
    numbers[5::50] = np.nextafter(numbers[5::50], -np.inf)
    numbers[7] = np.nan
    found = opened("lattice", coded(numbers), width=8, columns=COLUMNS)
    layout = layout_of(found.inner, len(numbers), COLUMNS)
    assert layout.masks == 1
    assert layout.off == 1 + layout.held
    off = np.frombuffer(found.inner, np.int8, len(numbers), layout.off)
    assert 8 <= np.count_nonzero(off) <= len(numbers) // 2
    damaged("lattice", found, numbers.nbytes, seed=8)
    numbers[::2] += np.random.default_rng(1).normal(size=len(numbers) // 2)
    left_alone("lattice", coded(numbers), width=8, columns=COLUMNS)
