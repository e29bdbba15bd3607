"""Primers of one's own."""

from __future__ import annotations

import io
import json
import random

import pytest
import zstandard

import nzip
from nzip.codec.compressor import compress
from nzip.codec.like import Primer
from nzip.codec.primers import records
from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.formats.container.primer import parse

RANDOM = random.Random(7)


def record(number: int) -> bytes:
    return json.dumps(
        {
            "id": f"{RANDOM.randrange(1 << 40):010x}",
            "user": RANDOM.choice(("ann", "bob", "cem")),
            "event": RANDOM.choice(("opened", "closed", "moved to another place")),
            "at": f"2024-0{RANDOM.randrange(1, 9)}-1{RANDOM.randrange(9)}T0{RANDOM.randrange(9)}:00:00Z",
            "value": number,
        }
    ).encode()


SAMPLES = [record(i) for i in range(400)]
RECORDS = [record(i) for i in range(12)]
FILE = nzip.make_primer(SAMPLES, 16 << 10)
PRIMER = Primer.of(FILE)


@pytest.mark.parametrize("level", range(1, 10))
def test_levels(level):
    for data in RECORDS[: 2 if level > 6 else 12]:
        packed = compress(data, level, primer=PRIMER)
        assert len(packed) < len(compress(data, level))
        assert nzip.decompress(packed, primer=PRIMER) == data


def test_far_smaller_than_a_dictionary():
    trained = zstandard.train_dictionary(16 << 10, SAMPLES)
    peer = sum(len(zstandard.ZstdCompressor(level=19, dict_data=trained).compress(data)) for data in RECORDS)
    assert sum(len(compress(data, 3, primer=PRIMER)) for data in RECORDS) < 0.85 * peer


@pytest.mark.parametrize("data", [b"", b"x", b"unlike", RECORDS[0] * 50, bytes(range(256)), RANDOM.randbytes(3000)])
@pytest.mark.parametrize("level", [1, 3, 6])
def test_any_record(data, level):
    packed = compress(data, level, primer=PRIMER)
    assert nzip.decompress(packed, primer=PRIMER) == data


def test_a_short_member_is_short():
    packed = compress(RECORDS[0], 6, primer=PRIMER)
    block = nzip.inspect(io.BytesIO(packed)).blocks[0]
    assert block.header.brief
    assert len(packed) - block.payload_size <= 20


def test_joined_and_sought():
    packed = b"".join(compress(data, 3, primer=PRIMER) for data in RECORDS) + compress(b"no primer", 3)
    whole = b"".join(RECORDS) + b"no primer"
    assert nzip.decompress(packed, primer=PRIMER) == whole
    with nzip.open(io.BytesIO(packed), primer=PRIMER) as file:
        file.seek(len(whole) - 300)
        assert file.read() == whole[-300:]
    assert nzip.salvage(packed, primer=PRIMER) == (whole, [])
    assert len(nzip.inspect(io.BytesIO(packed)).members) == len(RECORDS) + 1


def test_many_blocks_and_names():
    data = b"\n".join(SAMPLES)
    file = io.BytesIO()
    with nzip.open(file, "wb", level=3, primer=FILE, block_size=4096, name="records") as writer:
        writer.write(data)
    assert nzip.decompress(file.getvalue(), primer=FILE) == data
    assert nzip.open(io.BytesIO(file.getvalue()), primer=FILE).read() == data
    named = nzip.Compressor(3, primer=FILE, name="a")
    assert nzip.decompress(named.compress(RECORDS[0]) + named.flush(), primer=FILE) == RECORDS[0]


def test_a_missing_or_wrong_one_is_one_error():
    packed = compress(RECORDS[0], 3, primer=PRIMER)
    with pytest.raises(UnsupportedError, match=f"begins with {PRIMER.id.hex()}"):
        nzip.decompress(packed)
    with pytest.raises(UnsupportedError, match="name that, and not what was given"):
        nzip.decompress(packed, primer=nzip.make_primer(SAMPLES[:50]))


def test_every_flip_and_cut_of_a_record():
    packed = compress(RECORDS[0], 3, primer=PRIMER)
    for at in range(len(packed)):
        with pytest.raises(NzipError):
            nzip.decompress(packed[:at], primer=PRIMER)
        for bit in range(8):
            if at == 4 and bit > 5:
                continue  # unused bits
            damaged = packed[:at] + bytes((packed[at] ^ 1 << bit,)) + packed[at + 1 :]
            with pytest.raises(NzipError):
                nzip.decompress(damaged, primer=PRIMER, max_memory=1 << 28)


def test_every_flip_and_cut_of_a_primer():
    file = nzip.make_primer(SAMPLES[:2], 400)
    for at in range(len(file)):
        for damaged in (file[:at], file[:at] + bytes((file[at] ^ 2,)) + file[at + 1 :]):
            with pytest.raises((CorruptError, UnsupportedError)):
                parse(damaged)


def test_what_is_chosen():
    text = parse(nzip.make_primer([b"common words stand here " + record(i) for i in range(300)], 4096))
    assert 3000 < len(text) <= 4096
    assert b"common words" in text
    assert parse(nzip.make_primer([b"short"])) == b"short"
    assert nzip.make_primer(SAMPLES, 8192) == nzip.make_primer(SAMPLES, 8192)


@pytest.mark.parametrize("size", [0, 255, (16 << 20) + 1])
def test_sizes(size):
    with pytest.raises(ValueError, match="primer"):
        nzip.make_primer(SAMPLES, size)
    with pytest.raises(ValueError, match="empty"):
        nzip.make_primer([])


def test_records(tmp_path):
    (tmp_path / "a").write_bytes(b"one\ntwo\n\nthree")
    (tmp_path / "b").write_bytes(b"four")
    assert list(records([str(tmp_path)])) == [b"one\ntwo\n\nthree", b"four"]
    assert list(records([str(tmp_path / "a")], lines=True)) == [b"one\n", b"two\n", b"three"]
    assert parse(nzip.make_primer([tmp_path / "b"])) == b"four"
