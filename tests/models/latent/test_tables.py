"""Families of tables with escapes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nzip.errors import CorruptError
from nzip.models.latent.priors.tables import Reader, Tables, Writer, tables_of


@pytest.fixture(scope="module")
def tables() -> Tables:
    random = np.random.default_rng(1)
    return tables_of([random.uniform(0, 1, n) for n in (2, 5, 40, 300)], [0, -2, 7, -150]).check()


def test_symbols_come_back(tables):
    random = np.random.default_rng(2)
    parts = []
    for count in (0, 1, 500):
        rows = random.integers(0, 4, (3, count))
        parts.append((tables.offsets[rows] + random.integers(-3, tables.lengths[rows] + 3), rows))
    far = np.array([-(1 << 26), 1 << 26, -32768, 32767, -1, 0, 15, 16])
    parts.append((far, np.zeros(8, int)))
    writer = Writer()
    for symbols, rows in parts:
        writer.write(symbols, rows, tables)
    reader = Reader(writer.finish())
    for symbols, rows in parts:
        assert np.array_equal(reader.read(rows, tables), symbols)
    reader.finish()


def test_nothing_is_nothing():
    reader = Reader(Writer().finish())
    reader.finish()


def test_code_is_as_long_as_its_symbols_cost(tables):
    random = np.random.default_rng(3)
    rows = random.integers(0, 4, 4000)
    shares = np.diff(tables.cdf.astype(float), axis=1) / 65536
    places = np.array([random.choice(tables.lengths[r] - 1, p=(p := shares[r, : tables.lengths[r] - 1]) / p.sum())
                       for r in rows])  # fmt: skip
    writer = Writer()
    writer.write(places + tables.offsets[rows], rows, tables)
    assert abs(8 * len(writer.finish()) - tables.bits()[rows, places].sum()) < 100


def test_what_cannot_be_written_is_refused(tables):
    with pytest.raises(ValueError, match="too far"):
        Writer().write(np.array([1 << 28]), np.array([0]), tables)


def test_damage_is_seen(tables):
    random = np.random.default_rng(4)
    rows = random.integers(0, 4, 300)
    symbols = tables.offsets[rows] + random.integers(-1, tables.lengths[rows])
    writer = Writer()
    writer.write(symbols, rows, tables)
    code = writer.finish()

    def read(data: bytes) -> None:
        reader = Reader(data)
        reader.read(rows, tables)
        reader.finish()

    read(code)
    for cut in range(0, len(code), 7):
        with pytest.raises(CorruptError):
            read(code[:cut])
    for at in range(0, 8 * len(code), 13):
        bad = bytearray(code)
        bad[at // 8] ^= 1 << at % 8
        with pytest.raises(CorruptError):
            read(bytes(bad))


def test_bad_tables_are_refused(tables):
    changes = [
        {"cdf": tables.cdf.astype(np.int64)}, {"cdf": tables.cdf[:0], "lengths": tables.lengths[:0]},
        {"lengths": tables.lengths + 1}, {"lengths": tables.lengths * 0}, {"offsets": tables.offsets + (1 << 21)},
        {"cdf": tables.cdf[:, ::-1].copy()}, {"lengths": tables.lengths[:2]},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(CorruptError):
            dataclasses.replace(tables, **change).check()
