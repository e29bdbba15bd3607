"""Sets of records in files: where they are, what is before them, and what is no such set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nzip.codec.records import read_records
from nzip.errors import FileError

VALUES = np.arange(5 * 4 * 6, dtype=np.uint8).reshape(5, 4, 6)


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(int(size).to_bytes(4, "big") for size in values.shape)
    return bytes((0, 0, 8, values.ndim)) + sizes + values.tobytes()


def test_an_idx_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(idx(VALUES))
    found = read_records([str(tmp_path / "a")])
    assert np.array_equal(found.values, VALUES.reshape(5, 24))
    assert found.line == 6
    assert found.head == idx(VALUES)[:16]
    (tmp_path / "rows").write_bytes(idx(VALUES.reshape(20, 6)))
    rows = read_records([str(tmp_path / "rows")])
    assert rows.values.shape == (20, 6)
    assert rows.line == 0


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for number, picture in enumerate(VALUES):
        (tmp_path / f"{number}.pgm").write_bytes(b"P5\n6 4\n255\n" + picture.tobytes())
    found = read_records([str(tmp_path)])
    assert np.array_equal(found.values, VALUES.reshape(5, 24))
    assert (found.line, found.head) == (6, b"P5\n6 4\n255\n")


def test_bytes_of_a_record_that_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ab" + VALUES.tobytes())
    found = read_records([str(tmp_path / "a")], 24)
    assert np.array_equal(found.values, VALUES.reshape(5, 24))
    assert (found.line, found.head) == (0, b"ab")


@pytest.mark.parametrize("data", [b"", b"some words that are no records", idx(VALUES)[:20]])
def test_what_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(FileError, match="say how many bytes each has"):
        read_records([str(tmp_path / "a")])


def test_others_than_before(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(idx(VALUES))
    (tmp_path / "b").write_bytes(idx(VALUES.reshape(5, 6, 4)[:, :5]))
    with pytest.raises(FileError, match="records of 20 bytes, and those before of 24"):
        read_records([str(tmp_path)])


def test_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hold no records"):
        read_records([str(tmp_path)])
