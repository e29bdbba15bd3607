"""A file that is like another one, from end to end."""

from __future__ import annotations

import io
import random
import tarfile

import pytest

import nzip
from nzip.codec.compressor import Compressor, compress
from nzip.codec.like import Old
from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.settings import resolve

RANDOM = random.Random(3)
OLD = b"".join(b"%d: %s = %d\n" % (i, RANDOM.randbytes(3).hex().encode(), i * i % 97) for i in range(3000))


def changed(data: bytes, count: int) -> bytes:
    out = bytearray(data)
    for _ in range(count):
        at = RANDOM.randrange(len(out))
        out[at : at + RANDOM.randrange(4)] = RANDOM.randbytes(2).hex().encode()
    return bytes(out)


NEW = changed(OLD, 60) + b"and more of it: " + OLD[500:900]


@pytest.mark.parametrize("level", range(1, 10))
def test_levels(level):
    alone, packed = compress(NEW, level), compress(NEW, level, like=OLD)
    assert len(packed) * 5 < len(alone)
    assert nzip.decompress(packed, like=OLD) == NEW


@pytest.mark.parametrize("new", [b"", b"x", OLD, OLD[:-1], b"entirely another thing", bytes(5000), OLD * 3])
@pytest.mark.parametrize("old", [b"", b"o", OLD])
def test_any_two(new, old):
    packed = compress(new, 3, like=old)
    assert nzip.decompress(packed, like=old) == new
    assert len(packed) < len(compress(new, 3)) + 40


def test_a_missing_or_wrong_one_is_one_error():
    packed = compress(NEW, 3, like=OLD)
    with pytest.raises(UnsupportedError, match=f"{len(OLD):,} bytes .*BLAKE2b-128 hash {Old(OLD).named.digest.hex()}"):
        nzip.decompress(packed)
    with pytest.raises(UnsupportedError, match="name that, and not what was given"):
        nzip.decompress(packed, like=OLD[1:])
    with pytest.raises(UnsupportedError, match="made like"):
        nzip.open(io.BytesIO(packed)).read()


def test_a_path(tmp_path):
    old, empty = tmp_path / "old", tmp_path / "empty"
    old.write_bytes(OLD)
    empty.write_bytes(b"")
    packed = compress(NEW, 2, like=old)
    assert packed == compress(NEW, 2, like=OLD)
    assert nzip.decompress(packed, like=str(old)) == NEW
    assert nzip.decompress(compress(NEW, 2, like=empty), like=empty) == NEW
    with pytest.raises(OSError, match="none"):
        compress(NEW, 2, like=tmp_path / "none")


def test_many_blocks_threads_and_random_access():
    new = changed(OLD * 4, 100)
    settings = resolve(2, block_size=4096)
    packed = compress(new, settings, like=OLD)
    assert compress(new, settings, like=OLD, threads=3) == packed
    with Compressor(settings, like=OLD) as compressor:
        parts = [compressor.compress(new[at : at + 999]) for at in range(0, len(new), 999)]
        assert b"".join(parts) + compressor.flush() == packed
    assert nzip.decompress(packed, like=OLD, threads=3) == new
    with nzip.open(io.BytesIO(packed), like=OLD) as file:
        for at in (len(new) - 100, 5, len(new) // 2, 40_000):
            file.seek(at)
            assert file.read(3000) == new[at : at + 3000]
    with nzip.open(io.BytesIO(packed + packed), like=OLD) as file:
        file.seek(len(new) + 50)
        assert file.read(100) == new[50:150]


def test_writing_files():
    file = io.BytesIO()
    with nzip.open(file, "wb", level=2, like=OLD) as writer:
        writer.write(NEW)
    assert nzip.decompress(file.getvalue(), like=OLD) == NEW


def test_salvage():
    new = changed(OLD * 4, 100)
    packed = bytearray(compress(new, resolve(2, block_size=4096), like=OLD))
    block = nzip.inspect(io.BytesIO(packed)).blocks[1]
    packed[block.offset + block.size - 2] ^= 1
    saved, faults = nzip.salvage(bytes(packed), like=OLD)
    assert len(saved) == len(new)
    assert saved[: block.raw_offset] == new[: block.raw_offset]
    assert saved[-1000:] == new[-1000:]
    assert faults
    saved, faults = nzip.salvage(bytes(packed))
    assert faults


def test_every_flip_and_cut():
    packed = compress(NEW[:3000], 3, like=OLD[:4000])
    for at in range(len(packed)):
        for damaged in (packed[:at], packed[:at] + bytes((packed[at] ^ 4,)) + packed[at + 1 :]):
            with pytest.raises(NzipError):
                nzip.decompress(damaged, like=OLD[:4000])


def test_both_are_too_much():
    with pytest.raises(ValueError, match="not both"):
        compress(NEW, like=OLD, primer=nzip.make_primer([OLD]))


def test_memory_is_stated():
    packed = compress(NEW, 6, like=OLD)
    with pytest.raises(nzip.LimitError):
        nzip.decompress(packed, like=OLD, max_memory=1 << 20)


def test_what_reads_no_file_is_corrupt():
    packed = compress(NEW, 3, like=OLD)
    start = nzip.inspect(io.BytesIO(packed)).blocks[0].offset
    plain = compress(b"", 2)
    with pytest.raises(CorruptError, match="does not name"):
        nzip.decompress(plain[:9] + packed[start:])


def test_files_of_an_archive_that_is_like_another(tmp_path):
    def packed(texts):
        with tarfile.open(tmp_path / "it.tar", "w") as tar:
            for name, content in texts.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return (tmp_path / "it.tar").read_bytes()

    old = packed({"d/a.txt": OLD, "d/b.txt": b"b" * 99})
    new = packed({"d/a.txt": NEW, "d/c.txt": b"c" * 99})
    (tmp_path / "it.tar.nz").write_bytes(compress(new, 3, like=old))
    path = tmp_path / "it.tar.nz"
    assert [entry.name for entry in nzip.list_tree(path, like=old)] == ["d/a.txt", "d/c.txt"]
    nzip.extract_tree(path, folder=tmp_path / "out", paths=["d/a.txt"], like=old)
    assert (tmp_path / "out" / "d" / "a.txt").read_bytes() == NEW
    with pytest.raises(UnsupportedError):
        nzip.list_tree(path)
    with pytest.raises(UnsupportedError):
        nzip.extract_tree(path, folder=tmp_path / "out", paths=["d/c.txt"])
