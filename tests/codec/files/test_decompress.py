"""Decompressed files: contents, names, modes and times, and damage."""

import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from codec.files.tools import FAST, TEXT, names

import nzip
from nzip.codec.files.compress import compress_file
from nzip.codec.files.decompress import decompress_file
from nzip.codec.files.decompress import test_file as check_file
from nzip.errors import CorruptError, FileError, LimitError, UnsupportedError


class TestDecompressFile:
    def test_mode_and_time_come_back(self, packed: Path) -> None:
        packed.with_name("text").unlink()
        decompress_file(packed)
        info = packed.with_name("text").stat()
        assert info.st_mtime_ns == 1_100_000_000_123_456_789
        assert stat.S_IMODE(info.st_mode) == 0o640 or os.name != "posix"

    def test_restore(self, source: Path, tmp_path: Path) -> None:
        compress_file(source, tmp_path / "other", store_name=True, **FAST)
        os.utime(tmp_path / "other", (0, 0))
        (tmp_path / "other").chmod(0o600)
        source.unlink()
        result = decompress_file(tmp_path / "other", restore=True)
        assert result.target == str(source)
        assert source.read_bytes() == TEXT
        assert source.stat().st_mtime_ns == 1_100_000_000_123_456_789
        assert stat.S_IMODE(source.stat().st_mode) == 0o640 or os.name != "posix"

    def test_special_mode_bits_are_not_restored(self, tmp_path: Path) -> None:
        with nzip.Compressor(1, mode=0o6755) as compressor:
            (tmp_path / "x.nz").write_bytes(compressor.compress(b"#!/bin/sh\n") + compressor.flush())
        decompress_file(tmp_path / "x.nz", restore=True)
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) & 0o7000 == 0

    def test_members(self, packed: Path) -> None:
        packed.write_bytes(packed.read_bytes() * 3)
        result = decompress_file(packed, packed.with_name("x"))
        assert result.members == 3
        assert packed.with_name("x").read_bytes() == TEXT * 3

    def test_many_small_members(self, tmp_path: Path) -> None:
        (tmp_path / "x.nz").write_bytes(nzip.compress(b"abc", 1) * 3000)
        assert decompress_file(tmp_path / "x.nz").members == 3000
        assert (tmp_path / "x").read_bytes() == b"abc" * 3000

    def test_bytes_behind_the_end(self, packed: Path) -> None:
        size = packed.stat().st_size
        packed.write_bytes(packed.read_bytes() + b"trailing")
        with pytest.raises(CorruptError, match=f"follows byte {size:,}"):
            decompress_file(packed, packed.with_name("x"))
        assert names(packed.parent) == ["text", "text.nz"]

    @pytest.mark.parametrize("block_size", [None, 2048])
    def test_truncated_everywhere(self, source: Path, block_size: int | None) -> None:
        target = source.with_name("x.nz")
        compress_file(source, target, block_size=block_size, store_name=True, **FAST)
        whole = target.read_bytes()
        for end in [*range(min(len(whole), 120)), *range(120, len(whole), 37), len(whole) - 1]:
            target.write_bytes(whole[:end])
            with pytest.raises(CorruptError):
                decompress_file(target)
            assert names(source.parent) == ["text", "x.nz"]

    def test_flipped_everywhere(self, source: Path) -> None:
        target = source.with_name("x.nz")
        compress_file(source, target, store_name=True, **FAST)
        whole = bytearray(target.read_bytes())
        for place in range(len(whole)):
            damaged = whole.copy()
            damaged[place] ^= 0x10
            target.write_bytes(damaged)
            with pytest.raises((CorruptError, UnsupportedError, LimitError)):
                decompress_file(target)
        assert names(source.parent) == ["text", "x.nz"]

    def test_wrong_magic(self, source: Path) -> None:
        with pytest.raises(CorruptError, match="not an nzip file"):
            decompress_file(source, source.with_name("x"))

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "x.nz").write_bytes(b"")
        with pytest.raises(CorruptError, match="it is empty"):
            decompress_file(tmp_path / "x.nz")

    def test_memory_limit(self, packed: Path) -> None:
        with pytest.raises(LimitError, match="raise max_memory to 1 MiB"):
            decompress_file(packed, packed.with_name("x"), max_memory=1000)
        assert names(packed.parent) == ["text", "text.nz"]

    def test_streams(self, packed: Path) -> None:
        out = io.BytesIO()
        result = decompress_file(io.BytesIO(packed.read_bytes()), out)
        assert out.getvalue() == TEXT
        assert result.raw_size == len(TEXT)

    def test_slow_stream(self, packed: Path) -> None:
        class Slow(io.RawIOBase):
            data = packed.read_bytes()

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: Any) -> int:
                buffer[: len(self.data[:1])] = self.data[:1]
                self.data, count = self.data[1:], len(self.data[:1])
                return count

        out = io.BytesIO()
        decompress_file(Slow(), out)  # type: ignore[arg-type]
        assert out.getvalue() == TEXT

    def test_prepare_gets_the_engine(self, packed: Path) -> None:
        seen: list[str] = []
        decompress_file(packed, packed.with_name("x"), prepare=lambda engine: seen.append(engine.name))
        assert seen == ["zstd"]

    def test_existing_output(self, packed: Path) -> None:
        with pytest.raises(FileError, match="already exists"):
            decompress_file(packed)


class TestTestFile:
    def test_intact(self, packed: Path) -> None:
        result = check_file(packed)
        assert (result.raw_size, result.size, result.target) == (len(TEXT), packed.stat().st_size, None)
        assert names(packed.parent) == ["text", "text.nz"]

    def test_damaged(self, packed: Path) -> None:
        packed.write_bytes(packed.read_bytes()[:-1])
        with pytest.raises(CorruptError):
            check_file(packed)


class TestDamaged:
    def test_what_is_sound_comes(self, tmp_path: Path) -> None:
        data = bytearray(nzip.compress(TEXT, engine="store", block_size=4096))
        data[5000] ^= 1
        (tmp_path / "x.nz").write_bytes(data)
        result = decompress_file(tmp_path / "x.nz", lost="zeros")
        assert (tmp_path / "x").read_bytes() == TEXT[:4096] + bytes(4096) + TEXT[8192:]
        assert [(fault.start, fault.size) for fault in result.faults] == [(4096, 4096)]
        out = io.BytesIO()
        decompress_file(io.BytesIO(data), out, lost="gaps")
        assert out.getvalue() == TEXT[:4096] + TEXT[8192:]

    def test_the_damaged_file_stays(self, packed: Path) -> None:
        with pytest.raises(ValueError, match="is not deleted"):
            decompress_file(packed, packed.with_name("y"), lost="zeros", remove=True)
        assert names(packed.parent) == ["text", "text.nz"]
