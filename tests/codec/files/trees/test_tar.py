"""The reader of tar archives: what it gives, against the standard library's, and what it refuses."""

import contextlib
import io
import random
import tarfile
import time
from typing import Any

import pytest

from nzip.codec.files.trees import tar
from nzip.codec.files.trees.tar import UnsafeError, entries
from nzip.errors import CorruptError, NzipError, UnsupportedError


def header(name: str = "t/x", type_: bytes = tarfile.REGTYPE, size: int = 0, **fields: Any) -> bytes:
    """Return one header of 512 bytes."""
    info = tarfile.TarInfo(name)
    info.type, info.size = type_, size
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(*records: tuple[str, bytes], type_: bytes = tarfile.XHDTYPE) -> bytes:
    """Return an extension header with these records."""
    data = b""
    for key, value in records:
        rest = b" " + key.encode() + b"=" + value + b"\n"
        length = len(rest) + len(str(len(rest)))
        length = len(rest) + len(str(length))
        data += str(length).encode() + rest
    return header("pax", type_, len(data)) + padded(data)


def read(data: bytes) -> list[tar.Entry]:
    return list(entries(io.BytesIO(data)))


END = bytes(1024)


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_as_the_standard_library_reads_it(kind: int) -> None:
    raw = io.BytesIO()
    long = "n" * (90 if kind == tarfile.USTAR_FORMAT else 300)
    contents = {"t": b"", "t/a": b"", "t/b": b"x" * 512, "t/c": b"y" * 1000, f"t/{long}": b"z", "t/ü\udcff": b"1"}
    with tarfile.open(fileobj=raw, mode="w", format=kind) as out:
        for number, (name, content) in enumerate(contents.items()):
            if kind == tarfile.USTAR_FORMAT and "\udcff" in name:
                continue
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), 0o640, 1_000_000_000 + number
            info.type = tarfile.DIRTYPE if name == "t" else tarfile.REGTYPE
            if kind == tarfile.PAX_FORMAT:
                info.mtime += 0.25
            out.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("t/l")
        link.type, link.linkname = tarfile.SYMTYPE, "../" + long
        out.addfile(link)
        link.name, link.type, link.linkname = "t/h", tarfile.LNKTYPE, "t/b"
        out.addfile(link)
    raw.seek(0)
    with tarfile.open(fileobj=raw) as known:
        expected = [
            (m.name, m.mode, int(m.mtime * 10**9), m.linkname, m.isreg() and known.extractfile(m).read()) for m in known
        ]
    raw.seek(0)
    found = []
    for entry in entries(raw):
        content = entry.kind == "file" and b"".join(iter(lambda entry=entry: entry.read(300), b""))
        found.append((entry.name, entry.mode, entry.mtime_ns, entry.linkname, content))
    assert found == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"0", 0), (b"-1.5", -15 * 10**8), (b"-0.0000000001", -1), (b"1.9999999999", 1_999_999_999), (b"7.", 7 * 10**9)],
)
def test_times_are_rounded_down(text: bytes, value: int) -> None:
    assert read(pax(("mtime", text)) + header() + END)[0].mtime_ns == value


@pytest.mark.parametrize(
    "data",
    [
        pax(("path", b"t/a\0b")) + header() + END,
        pax(("linkpath", b"a\0b")) + header(type_=tarfile.SYMTYPE) + END,
        *[
            pax(("mtime", text)) + header() + END
            for text in (b"nan", b"-inf", b"1e300", b"9" * 19, b"9" * 400, b"x", b"-", b"1_0", b" 1")
        ],
        *[pax(("size", text)) + header() + END for text in (b"-1", b"x", b"1.5", b"9" * 19, b"9" * 400, b" 1")],
        header("x", tarfile.XHDTYPE, 20) + padded(b"999999999 path=x\n") + header() + END,
        header("x", tarfile.XHDTYPE, 6) + padded(b"6 a=b ") + header() + END,
        header("x", tarfile.XHDTYPE, 6) + padded(b"9" * 6) + header() + END,
        header("x", tarfile.XHDTYPE, 6) + padded(b"0 a=bc") + header() + END,
        pax(("path", b"t/a")) + END,
        pax(("path", b"t/a")),
        header("x", tarfile.XHDTYPE, 600) + bytes(100),
        header()[:100],
        header(size=10),
        header(size=10) + b"12345",
        header() + b"damaged".ljust(512, b"!") + END,
        header() + END + header() + END,
        header() + END + b"x",
        header(size=-1) + END,
        header(mtime=1 << 80) + END,
        b"x" * 512,
    ],
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(CorruptError, match=r"no intact tar archive.*nzip.open gives") as caught:
        read(data)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("type_", [*tar.EXTENSIONS])
@pytest.mark.parametrize("size", [(1 << 20) + 1, 1 << 30, 1 << 60, -1])
def test_extension_headers_are_bounded(type_: bytes, size: int) -> None:
    class Zeros:
        """Endless, and nobody asks for much at a time."""

        start = header("x", type_, size)

        def read(self, count: int, /) -> bytes:
            assert count <= 1 << 21
            data, self.start = self.start[:count], self.start[count:]
            return data or bytes(count)

    with pytest.raises(UnsafeError, match="extension header"):
        list(entries(Zeros()))


def test_names_are_bounded() -> None:
    with pytest.raises(UnsafeError, match="name of 5,000 bytes"):
        read(pax(("path", b"n" * 5000)) + header() + END)


def test_records_of_one_megabyte_take_no_time() -> None:
    begun = time.process_time()
    for data in (b"9" * (1 << 20), b"5 a=\n" * ((1 << 20) // 5), b"1 " * (1 << 19)):
        block = header("x", tarfile.XHDTYPE, len(data)) + padded(data)
        with contextlib.suppress(NzipError):
            read(block + header() + END)
    assert time.process_time() - begun < 5


def test_many_extension_headers_in_a_row() -> None:
    """The standard library calls itself for each."""
    many = pax(("path", b"t/first")) * 2000 + pax(("comment", b"x"), type_=tarfile.XGLTYPE) * 2000
    assert [entry.name for entry in read(many + pax(("path", b"t/last")) + header() + END)] == ["t/last"]


def test_global_records_are_not_gathered() -> None:
    import tracemalloc

    pieces = [pax((f"key{number}", b"x" * 100_000), type_=tarfile.XGLTYPE) for number in range(200)]
    stream = io.BytesIO(b"".join(pieces) + header() + END)
    tracemalloc.start()
    try:
        assert len(list(entries(stream))) == 1
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        header(type_=tarfile.GNUTYPE_SPARSE) + END,
        pax(("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")) + header() + END,
        pax(("GNU.sparse.map", b"0,1" * 9)) + header() + END,
    ],
)
def test_sparse_files(data: bytes) -> None:
    with pytest.raises(UnsupportedError, match=r"sparse.*nzip.open gives"):
        read(data)


def test_an_archive_without_end_mark() -> None:
    assert [entry.name for entry in read(header("t", tarfile.DIRTYPE) + header("t/x"))] == ["t", "t/x"]
    assert read(b"") == read(END) == []


def test_mutations() -> None:
    """Whatever stands in an archive, it is read or refused."""
    rng = random.Random(8)
    whole = (
        header("t", tarfile.DIRTYPE) + pax(("path", b"t/b"), ("mtime", b"1.5"), ("size", b"700")) + header(size=700)
        + padded(b"c" * 700) + header("t/l", tarfile.SYMTYPE, linkname="b") + END
    )  # fmt: skip
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(len(data))
            data[at] = rng.choice((0, 0x30, 0x39, 0x80, 0xFF, rng.randrange(256)))
        for start in range(0, len(data) - 511, 512):  # the check of each header is made right again
            if rng.random() < 0.9:
                block = data[start : start + 512]
                if block.strip(b"\0"):
                    data[start + 148 : start + 156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
        with contextlib.suppress(NzipError):
            read(bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))
