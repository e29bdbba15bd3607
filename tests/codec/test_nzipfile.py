"""nzip.NzipFile"""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import MIXED, NOISE, TEXT, OnlyRead, OnlyWrite, Pipe, ShortFile, contents, pieces

import nzip


def written(parts):
    """Return a file of several members and its content."""
    return (
        b"".join(nzip.compress(content, 1, block_size=size) for content, size in parts),
        b"".join(content for content, _ in parts),
    )


files = st.lists(st.tuples(contents, st.sampled_from([None, 1024, 1500])), min_size=1, max_size=4).map(written)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 3000)),
        st.tuples(st.just("read1"), st.integers(1, 3000)),
        st.tuples(st.just("readinto"), st.integers(0, 3000)),
        st.tuples(st.just("readline"), st.integers(-1, 100)),
        st.tuples(st.just("start"), st.integers(0, 12_000)),
        st.tuples(st.just("on"), st.integers(-3000, 3000)),
        st.tuples(st.just("end"), st.integers(-6000, 100)),
        st.tuples(st.just("peek"), st.just(1)),
    ),
    max_size=12,
)


def read1_of(model, got):
    """read1 and peek may give any number of bytes from 1 on; they must be the right ones."""
    at = model.tell()
    return model.getvalue()[at : at + len(got)]


@given(files, steps, st.sampled_from([1, 3]), st.sampled_from(["BytesIO", "offset", "short reads"]))
def test_reads_and_seeks_equal_those_of_bytesio(packed, walk, threads, source):
    data, content = packed
    if source == "offset":
        under = io.BytesIO(b"before" + data)
        under.seek(6)
    else:
        under = io.BytesIO(data) if source == "BytesIO" else ShortFile(data, 40)
    model = io.BytesIO(content)
    with nzip.NzipFile(under, threads=threads) as file:
        assert file.seekable()
        for step, number in walk:
            if step in ("read", "readline"):
                assert getattr(file, step)(number) == getattr(model, step)(number)
            elif step == "read1":
                got = file.read1(number)
                assert len(got) <= number
                assert got == read1_of(model, got)
                assert got or model.tell() >= len(content)
                model.seek(len(got), 1)
            elif step == "readinto":
                mine, theirs = bytearray(number), bytearray(number)
                assert file.readinto(mine) == model.readinto(theirs)
                assert mine == theirs
            elif step == "peek":
                got = file.peek()
                assert got == read1_of(model, got)
                assert got or model.tell() >= len(content)
            elif step == "start":
                assert file.seek(number) == model.seek(min(number, len(content)))
            elif step == "on":
                assert file.seek(number, os.SEEK_CUR) == model.seek(max(0, min(model.tell() + number, len(content))))
            else:
                assert step == "end"
                assert file.seek(number, os.SEEK_END) == model.seek(max(0, min(len(content) + number, len(content))))
            assert file.tell() == model.tell()
        assert file.read() == model.read()


@given(files, st.integers(1, 300), st.lists(st.integers(1, 3000), max_size=4), st.sampled_from([1, 3]))
def test_sources_that_cannot_seek(packed, most, sizes, threads):
    data, content = packed
    out = b""
    with nzip.NzipFile(Pipe(data, most), threads=threads) as file:
        assert not file.seekable()
        for size in sizes:
            out += file.read(size)
        out += file.read()
    assert out == content


@given(contents, st.lists(st.integers(1, 3000), max_size=4), st.sampled_from([1, 3]), st.integers(1, 500))
def test_writing_in_pieces_equals_one_shot(content, sizes, threads, most):
    sink = OnlyWrite(most)  # takes a part at a time
    with nzip.NzipFile(sink, "w", level=1, block_size=1024, threads=threads) as file:
        for piece in pieces(content, sizes):
            assert file.write(piece) == len(piece)
        assert file.tell() == len(content)
    assert sink.data == nzip.compress(content, 1, block_size=1024)


def test_an_object_with_nothing_but_read():
    with nzip.NzipFile(OnlyRead(nzip.compress(TEXT, 1, block_size=1024))) as file:
        assert not file.seekable()
        assert file.read() == TEXT


def test_neither_path_nor_file():
    for wrong in (None, 5, object(), [b"x"]):
        with pytest.raises(TypeError, match="path or a binary file object"):
            nzip.NzipFile(wrong)


def test_forward_seek_without_seeking_under_it():
    with nzip.NzipFile(Pipe(nzip.compress(MIXED, 1, block_size=1024), 100)) as file:
        assert file.read(10) == MIXED[:10]
        assert file.seek(4000) == 4000
        assert file.read(10) == MIXED[4000:4010]
        with pytest.raises(io.UnsupportedOperation):
            file.seek(0)
        with pytest.raises(io.UnsupportedOperation):
            file.seek(0, os.SEEK_END)
        assert file.seek(1 << 20) == len(MIXED)


@pytest.mark.parametrize("fail_at", [0, 5, 100, 3000])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_source_comes_through(fail_at, threads):
    source = Pipe(nzip.compress(NOISE, engine="store", block_size=1024), 200, fail_at)
    with nzip.NzipFile(source, threads=threads) as file, pytest.raises(OSError, match="Input/output"):
        file.read()


@pytest.mark.parametrize("whence", [os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
def test_seeks_before_the_start_and_past_the_end_stop_there(whence):
    with nzip.NzipFile(io.BytesIO(nzip.compress(b"abc", 1))) as file:
        assert file.seek(-4, whence) == file.tell() == 0
        assert file.read(1) == b"a"
        assert file.seek(9, whence) == file.tell() == 3
        assert file.read() == b""
        with pytest.raises(ValueError):
            file.seek(0, 9)


def test_only_the_blocks_that_are_read_are_decoded(monkeypatch):
    from nzip.codec import reader as module

    decoded = []
    original = module.decode_block

    def counting(header, payload):
        decoded.append(header.raw_size)
        return original(header, payload)

    monkeypatch.setattr(module, "decode_block", counting)
    content = bytes(range(256)) * 400
    with nzip.NzipFile(io.BytesIO(nzip.compress(content, 1, block_size=4096))) as file:
        file.seek(50_000)
        assert file.read(100) == content[50_000:50_100]
    assert len(decoded) <= 1 + module.READ_SIZE // 4096
    assert decoded.count(4096) == len(decoded)


def test_a_damaged_block_leaves_the_others_readable():
    data = bytearray(nzip.compress(NOISE, engine="store", block_size=1024))
    data[100] ^= 1  # in the first of three blocks
    with nzip.NzipFile(io.BytesIO(data)) as file:
        file.seek(1024)
        assert file.read() == NOISE[1024:]
        file.seek(0)
        with pytest.raises(nzip.CorruptError):
            file.read(1)


def test_header():
    with nzip.Compressor(1, name="n.txt", mode=0o600) as compressor:
        data = compressor.compress(TEXT) + compressor.flush()
    with nzip.NzipFile(io.BytesIO(data)) as file:
        assert file.header is None
        file.read(1)
        assert (file.header.name, file.header.mode) == ("n.txt", 0o600)
    with nzip.NzipFile(io.BytesIO(data)) as file:
        file.seek(20)
        assert file.read(5) == TEXT[20:25]
        assert file.header.name == "n.txt"
    with nzip.NzipFile(io.BytesIO(), "w", level=1) as file:
        assert file.header is None


def test_state_and_names(tmp_path):
    path = tmp_path / "file.nz"
    with nzip.NzipFile(path, "wb", level=1) as file:
        assert (file.readable(), file.writable(), file.seekable(), file.closed) == (False, True, False, False)
        assert (file.mode, file.name) == ("wb", os.fspath(path))
        assert isinstance(file.fileno(), int)
        file.write(TEXT)
        file.flush()
        for refused in (file.read, file.peek, file.readline, lambda: file.seek(0), lambda: file.readinto(bytearray(1))):
            with pytest.raises(io.UnsupportedOperation):
                refused()
    with nzip.NzipFile(path) as file:
        assert (file.readable(), file.writable(), file.seekable(), file.closed) == (True, False, True, False)
        assert file.mode == "rb"
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
        with pytest.raises(io.UnsupportedOperation):
            file.truncate()
    assert file.closed


def test_closed_file():
    under = io.BytesIO(nzip.compress(TEXT, 1))
    file = nzip.NzipFile(under)
    file.close()
    file.close()
    assert not under.closed  # it was not opened here
    for refused in (file.read, file.peek, file.tell, file.readable, file.fileno, file.seekable, lambda: file.seek(0)):
        with pytest.raises(ValueError, match="closed"):
            refused()
    writer = nzip.NzipFile(io.BytesIO(), "w", level=1)
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")


def test_files_opened_here_are_closed_here(tmp_path):
    path = tmp_path / "file.nz"
    file = nzip.NzipFile(path, "w", level=1)
    number = file.fileno()
    file.close()
    with pytest.raises(OSError):
        os.fstat(number)


def test_lines():
    lines = TEXT.splitlines(keepends=True)
    with nzip.NzipFile(io.BytesIO(nzip.compress(TEXT, 1, block_size=1024))) as file:
        assert file.readline() == lines[0]
        assert file.readline(3) == lines[1][:3]
        assert file.readlines(10) == [lines[1][3:]]
        assert list(file) == lines[2:]


def test_empty_content():
    with nzip.NzipFile(io.BytesIO(nzip.compress(b"", 1))) as file:
        assert file.read() == file.read(5) == file.peek() == file.readline() == b""
        assert file.seek(0, os.SEEK_END) == 0
        assert file.read1() == b""
        assert file.seek(10) == 0
        assert file.read() == b""


def test_empty_source_is_no_file():
    for source in (io.BytesIO(), Pipe(b"")):
        with nzip.NzipFile(source) as file, pytest.raises(nzip.CorruptError):
            file.read()


def test_writing_nothing_gives_a_valid_file():
    under = io.BytesIO()
    nzip.NzipFile(under, "w", level=1).close()
    assert nzip.decompress(under.getvalue()) == b""


def test_an_error_inside_with_leaves_no_valid_file():
    under = io.BytesIO()

    def failing():
        with nzip.NzipFile(under, "w", level=1) as file:
            file.write(TEXT)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with pytest.raises(nzip.CorruptError):
        nzip.decompress(under.getvalue())


def test_a_full_disk_comes_through():
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise OSError(28, "No space left on device")

    file = nzip.NzipFile(Full(), "w", level=1)
    file.write(b"x")
    with pytest.raises(OSError, match="No space"):
        file.close()
    assert file.closed


def test_wide_items_count_as_bytes():
    import array

    under = io.BytesIO()
    with nzip.NzipFile(under, "w", level=1) as file:
        assert file.write(array.array("I", [1, 2, 3])) == 12
        assert file.tell() == 12
    assert nzip.decompress(under.getvalue()) == array.array("I", [1, 2, 3]).tobytes()


def test_under_buffered_reader():
    with nzip.NzipFile(io.BytesIO(nzip.compress(MIXED, 1, block_size=1024))) as file:
        buffered = io.BufferedReader(file, 100)
        assert buffered.read(150) == MIXED[:150]
        assert buffered.peek(1)[:1] == MIXED[150:151]
        buffered.seek(3000)
        assert buffered.read() == MIXED[3000:]


def test_under_buffered_writer():
    under = io.BytesIO()
    with nzip.NzipFile(under, "w", level=1) as file, io.BufferedWriter(file, 64) as buffered:
        for piece in pieces(MIXED, [10, 100]):
            buffered.write(piece)
    assert nzip.decompress(under.getvalue()) == MIXED


def test_unbuffered_files(tmp_path):
    path = tmp_path / "file.nz"
    with open(path, "wb", buffering=0) as raw, nzip.NzipFile(raw, "w", level=1, block_size=1024) as file:
        file.write(MIXED)
    with open(path, "rb", buffering=0) as raw, nzip.NzipFile(raw) as file:
        assert file.read() == MIXED
        file.seek(-500, os.SEEK_END)
        assert file.read() == MIXED[-500:]


def test_a_pipe_of_the_system():
    reading, writing = os.pipe()
    data = nzip.compress(TEXT, 1)
    with open(writing, "wb") as sink:
        sink.write(data)
    with open(reading, "rb") as source, nzip.NzipFile(source) as file:
        assert file.read() == TEXT
