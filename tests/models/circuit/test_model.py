"""The files of circuits: what is written is read, and what is damaged, hostile or missing is refused in a line."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from models.circuit_files import SIZE, STATES, circuit, records

from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.container.wire import uleb
from nzip.models.circuit import engine, model, models
from nzip.models.circuit.engine import ALONE, APART, TOGETHER, CircuitEngine


def file_of(
    numbers: tuple[int, ...], places: list[int], parents: list[int], body: bytes, head: bytes = b"", version: int = 1
) -> bytes:
    """Return the file of a model whose hash is right, whatever else is not."""
    plain = np.array(places, "<u2").tobytes() + np.array(parents, "<u2").tobytes() + body
    front = b"".join(map(uleb, numbers)) + head
    frame = zstandard.ZstdCompressor(level=1, write_content_size=False).compress(plain)
    return model.MAGIC + bytes((version,)) + model._digest(front, plain) + front + frame


def small(
    n: int = 3, line: int = 3, places: list[int] | None = None, parents: list[int] | None = None, code: int = 9
) -> bytes:
    """Return the file of a model of `n` bytes and two states."""
    body = bytes((code,)) * (2 + n * 4 + n * 512)
    return file_of((n, line, 2, 0, 0), places or [*range(n)], parents or [0] * n, body)


@pytest.mark.parametrize("bits", [0, 10])
def test_what_is_written_is_read(bits: int) -> None:
    made = circuit(bits, head=b"front")
    read = model.parse(made.packed)
    assert (read.id, read.size, read.line, read.states, read.head) == (made.id, SIZE, 3, STATES, b"front")
    for one, two in zip(made.codes, read.codes, strict=True):
        assert np.array_equal(one, two)
    assert (read.lessons is None) == (bits == 0)
    # What was read is written as it was.
    again = model.Circuit(
        read.size, read.line, read.states, read.head, read.places, read.parents, *read.codes, read.lessons
    )
    assert again.packed == made.packed


def test_the_counts_of_codes() -> None:
    levels = model.levels()
    assert levels[:6] == (0, 1, 1, 1, 2, 2)
    assert levels[-5:] == (32768, 38968, 46341, 55109, 65536)
    assert list(levels) == sorted(levels)
    made = model.parse(circuit(0).packed).tables
    for table in (made["tables"].reshape(-1, STATES), made["start"][None]):
        assert set(table.sum(axis=1, dtype=int).tolist()) <= {0, 65535}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no model of records"),
        (b"no model", "is no model of records"),
        (small()[:40], "do not match its hash"),
        (small(n=0), "records have 0 bytes"),
        (small(line=2), "in lines of 2"),
        (small(places=[0, 1, 1]), "places"),
        (small(parents=[0, 2, 1]), "circle"),
        (small(parents=[0, 1, 0]), "not one root"),
        (small(parents=[1, 2, 0]), "not one root"),
        (small(parents=[0, 0, 3]), "hangs on nothing"),
        (small(code=66), "codes that stand for nothing"),
        (small(code=0), "is empty"),
        (file_of((4097, 4097, 2, 0, 0), [], [], b""), "4,097 bytes"),
        (file_of((4, 4, 129, 0, 0), [], [], b""), "129 states"),
        (file_of((4096, 4096, 100, 0, 0), [], [], b""), "too many"),
        (file_of((4, 4, 2, 9, 0), [], [], b""), "2^9 cells"),
        (file_of((4, 4, 2, 21, 0), [], [], b""), "2^21 cells"),
        (file_of((4, 4, 2, 0, 65), [], [], b""), "65 bytes before"),
        (file_of((3, 3, 2, 0, 0), [0, 1, 2], [0] * 3, bytes(10)), "do not match"),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(CorruptError, match=words.replace("^", r"\^")):
        model.parse(data)


def test_a_later_version() -> None:
    with pytest.raises(UnsupportedError, match="version 2 of models of records"):
        model.parse(file_of((3, 3, 2, 0, 0), [0, 1, 2], [0] * 3, b"", version=2))


def test_a_walk_that_would_never_end() -> None:
    count = 1000
    # A chain that the order of bytes jumps along from end to end.
    order = [number // 2 if number % 2 == 0 else count - 1 - number // 2 for number in range(count)]
    place = {byte: at for at, byte in enumerate(order)}
    parents = [place[max(0, byte - 1)] for byte in order]
    with pytest.raises(CorruptError, match="too far from the order"):
        model.parse(small(count, count, parents=parents))


@given(st.data())
def test_damage(data: st.DataObject) -> None:
    whole = bytearray(circuit(10).packed)
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        del whole[at:]
    else:
        whole[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((CorruptError, UnsupportedError)):
        model.parse(bytes(whole))


def test_any_lessons_are_safe() -> None:
    """Cells, weights and uses of a hostile file code what they code, and do nothing else."""
    dice = random.Random(5)
    made = circuit(10)
    wild = [bytes(dice.randrange(128) for _ in range(15 << 10)), bytes(dice.randrange(8) for _ in range(15 << 10))]
    wild += [dice.randbytes(2 * 1024 * 32), dice.randbytes(2048), dice.randbytes(4 * model.FINAL)]
    lessons = model._lessons_of([np.frombuffer(part, np.uint8) for part in wild], 10)
    hostile = model.Circuit(SIZE, 3, STATES, b"", made.places, made.parents, *made.codes, lessons)
    values = np.frombuffer(records(50), np.uint8).reshape(-1, SIZE).copy()
    for apart in (TOGETHER, ALONE, APART):
        coded = engine.encode_records(hostile, values, apart, 4000)
        assert np.array_equal(engine.decode_records(hostile, coded, 50, apart), values)
    for number, code, words in ((0, 128, "probabilities"), (1, 8, "counts")):
        wrong = [*wild[:number], bytes((code,)) * (15 << 10), *wild[number + 1 :]]
        with pytest.raises(CorruptError, match=f"{words} that stand for nothing"):
            model._lessons_of([np.frombuffer(part, np.uint8) for part in wrong], 10)


def test_one_record_alone() -> None:
    made = models.keep(circuit(10, head=b"head").packed, "a circuit")
    coder, values = CircuitEngine(), records(40)
    block = b"head" + values + b"end"
    params = coder.fit({"id": made.id, "apart": APART}, len(block))
    payload = coder.encode(block, params)
    for number in (0, 17, 39):
        assert engine.record_of(payload, len(block), params, number) == values[number * SIZE : (number + 1) * SIZE]
    with pytest.raises(ValueError, match="no record 40 of 40"):
        engine.record_of(payload, len(block), params, 40)
    with pytest.raises(ValueError, match="apart=2"):
        engine.record_of(payload, len(block), {**params, "apart": ALONE}, 0)
    with pytest.raises(CorruptError):
        engine.record_of(payload[:30], len(block), params, 3)


@pytest.mark.parametrize("front", [b"", b"P5 3 2 255\n"])
@pytest.mark.parametrize("behind", [b"", b"abc"])
def test_where_records_begin(front: bytes, behind: bytes) -> None:
    made = models.keep(circuit(10, head=b"P5 3 2 255\n").packed, "a circuit")
    coder, block = CircuitEngine(), front + records(60) + behind
    for apart in range(3):
        params = coder.fit({"id": made.id, "apart": apart}, len(block))
        payload = coder.encode(block, params)
        assert len(payload) < len(block) * 9 // 10
        assert coder.decode(payload, len(block), params) == block


def test_a_model_that_is_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path))
    with pytest.raises(UnsupportedError, match=r"0011223344556677 is not here; name its file with --records"):
        models.by_id("0011223344556677")
    with pytest.raises(ValueError, match="needs a model"):
        CircuitEngine().fit({}, 100)


@given(st.binary(max_size=60), st.integers(1, 400), st.integers(0, 2))
def test_any_payload(payload: bytes, size: int, apart: int) -> None:
    made = models.keep(circuit(10).packed, "a circuit")
    try:
        block = CircuitEngine().decode(payload, size, {"id": made.id, "apart": apart})
    except CorruptError:
        return
    assert len(block) == size
