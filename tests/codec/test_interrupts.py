"""An exception at any place of writing or reading: what was accepted is not lost, or all that follows is refused."""

import contextlib
import errno
import io
import os
import signal
import sys
import threading

import pytest
from sources import MIXED, NOISE, TEXT, OnlyWrite, Pipe, pieces

import nzip
from nzip.codec import compressor as compressor_module
from nzip.codec import reader as reader_module
from nzip.codec.coding import Coding
from nzip.settings import STORED

CONTENT = (MIXED + NOISE[:700])[:6000]
MODULES = (
    "compressor.py", "threads.py", "nzipfile.py", "reader.py", "members.py", "blocks.py", "decompressor.py",
    "wire.py", "structures.py", "parser.py",
)  # fmt: skip
# A lock is taken and let go by the interpreter itself, between two instructions that no signal comes between; a trace
# function could come between them. So the functions that hold locks are left out, and what they call is not.
HOLD_LOCKS = {"write", "close", "flush", "compress", "exclusive", "abort", "read", "decompress", "__exit__", "__del__"}
HOLD_LOCKS |= {"__init__", "end_input", "_finish_member"}


class Interrupting:
    """Raises KeyboardInterrupt at line number `at` of those that are run of nzip in this thread."""

    def __init__(self, at=None):
        self.lines = 0
        self._at = at
        self._last = None

    def _trace(self, frame, event, _):
        code = frame.f_code
        if os.path.basename(code.co_filename) not in MODULES or code.co_name in HOLD_LOCKS:
            return None
        if event == "line":
            self.lines += 1
            if self.lines - 1 == self._at:
                raise KeyboardInterrupt
        return self._trace

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_):
        sys.settrace(self._before)


def record(file, content, size=700):
    """Write as a recorder does that is interrupted now and then: what was not taken is given again."""
    while True:
        try:
            if file.tell() == len(content):
                return
            file.write(content[file.tell() : file.tell() + size])
        except KeyboardInterrupt:
            pass


def sound(data):
    """Return the decoded bytes before the first fault."""
    out, file = b"", nzip.NzipFile(io.BytesIO(data))
    try:
        while part := file.read1(1 << 16):
            out += part
    except nzip.CorruptError:
        pass
    return out


@pytest.mark.parametrize(
    "settings",
    [{"engine": "store"}, {"level": 1}, {"engine": "store", "threads": 2}],
    ids=["store", "zstd", "threads"],
)
def test_an_interrupt_at_any_line_of_writing_loses_nothing(settings):
    expected = nzip.compress(CONTENT, block_size=1024, **settings)

    def run(at):
        under = io.BytesIO()
        file = nzip.NzipFile(under, "w", block_size=1024, **settings)
        with Interrupting(at) as interrupting:
            record(file, CONTENT)
            lines = interrupting.lines
        file.close()
        return lines, under.getvalue()

    lines, data = run(None)
    assert data == expected
    for at in range(0, lines, 1 + lines // 400 * 8):
        assert run(at)[1] == expected, at


def test_an_interrupt_at_any_line_of_closing_is_raised_and_loses_nothing():
    def run(at, content):
        under = io.BytesIO()
        file = nzip.NzipFile(under, "w", level=1, block_size=1024)
        file.write(content)
        raised = False
        with Interrupting(at) as interrupting:
            try:
                file.close()
            except KeyboardInterrupt:
                raised = True
        file.close()  # again, where it was interrupted before it let go of the file
        assert file.closed
        return interrupting.lines, raised, under.getvalue()

    for content in (CONTENT[:900], CONTENT[:2500]):
        lines, _, expected = run(None, content)
        for at in range(0, lines, 1 + lines // 200):
            _, raised, data = run(at, content)
            assert raised
            # Whatever was let go of had arrived before, or else the rest was stored.
            assert nzip.decompress(data) == content, at
        assert nzip.decompress(expected) == content


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_at_any_line_of_a_compressor_loses_nothing(threads):
    expected = nzip.compress(CONTENT, engine="store", block_size=1024)

    def run(at):
        compressor = nzip.Compressor(engine="store", block_size=1024, threads=threads)
        out, finished = b"", False
        with Interrupting(at) as interrupting:
            while not finished:
                try:
                    while compressor.bytes_in < len(CONTENT):
                        out += compressor.compress(CONTENT[compressor.bytes_in :][:700])
                    out += compressor.flush()
                    finished = True
                except KeyboardInterrupt:
                    pass
        assert (compressor.bytes_in, compressor.bytes_out) == (len(CONTENT), len(out))
        compressor.close()
        return interrupting.lines, out

    lines, out = run(None)
    assert out == expected
    for at in range(0, lines, 1 + lines // 300):
        assert run(at)[1] == expected, at


@pytest.mark.parametrize("level", range(1, 10))
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
def test_an_encoder_that_fails_is_asked_again(monkeypatch, level, threads, error):
    calls = []

    def original(raw, coding, begun=None, parts=(), encode=compressor_module.encode_block):
        return encode(raw, coding if level < 3 else Coding((STORED,)))  # the engines of higher levels take seconds

    monkeypatch.setattr(compressor_module, "encode_block", original)
    expected = nzip.compress(CONTENT, level, block_size=1024)

    def failing(raw, coding, begun=None, parts=()):
        calls.append(len(raw))
        if len(calls) in (1, 3, 4, 8):
            raise error
        return original(raw, coding)

    monkeypatch.setattr(compressor_module, "encode_block", failing)
    under = io.BytesIO()
    with nzip.NzipFile(under, "w", level=level, block_size=1024, threads=threads) as file:
        while file.tell() < len(CONTENT):
            with contextlib.suppress(error):
                file.write(CONTENT[file.tell() :][:500])
        try:
            file.close()
        except error:
            assert nzip.decompress(under.getvalue()) == CONTENT
        else:
            assert under.getvalue() == expected
    assert nzip.decompress(under.getvalue()) == CONTENT


@pytest.mark.parametrize("threads", [1, 2])
def test_what_cannot_be_coded_at_the_end_is_stored_and_the_error_raised(monkeypatch, threads):
    under = io.BytesIO()
    file = nzip.NzipFile(under, "w", level=1, block_size=1024, threads=threads)
    file.write(CONTENT)

    def failing(raw, coding, begun=None, parts=(), original=compressor_module.encode_block):
        if coding.engines != (STORED,):
            raise MemoryError
        return original(raw, coding)

    monkeypatch.setattr(compressor_module, "encode_block", failing)
    with pytest.raises(MemoryError):
        file.close()
    assert file.closed
    assert nzip.decompress(under.getvalue()) == CONTENT


def test_a_real_interrupt_in_a_recorder(tmp_path):
    """The usual recorder: SIGINT is caught around the loop of writes, inside `with`."""
    path = tmp_path / "log.nz"
    with nzip.open(path, "wb", level=1, block_size=1024) as file:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            while True:
                file.write(TEXT[:777])
        except KeyboardInterrupt:
            pass
        taken = file.tell()
    content = nzip.decompress(path.read_bytes())
    assert len(content) == taken > 0
    assert (TEXT[:777] * (taken // 777 + 1))[:taken] == content


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


class Failing(io.RawIOBase):
    """A file that fails, and takes a part of each write; it may be able to tell how much it has."""

    def __init__(self, fail_at, *, tells, error=NO_SPACE, after=False):
        self.data = bytearray()
        self._fail_at = list(fail_at)
        self._tells = tells
        self._error = error
        self._after = after
        self.calls = 0

    def writable(self):
        return True

    def seekable(self):
        return self._tells

    def tell(self):
        if not self._tells:
            raise io.UnsupportedOperation
        return len(self.data)

    def write(self, data):
        self.calls += 1
        fails = self.calls in self._fail_at
        if fails and not self._after:
            raise self._error
        taken = bytes(data[: 1 + self.calls * 37 % 300])
        self.data += taken
        if fails:
            raise self._error
        return len(taken)


@pytest.mark.parametrize("error", [NO_SPACE, KeyboardInterrupt()])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_fails_and_can_tell_what_it_has(error, after, threads):
    expected = nzip.compress(CONTENT, engine="store", block_size=1024)
    for at in range(1, 40):
        under = Failing([at, at + 1, at + 5], tells=True, error=error, after=after)
        file = nzip.NzipFile(under, "w", engine="store", block_size=1024, threads=threads)
        while file.tell() < len(CONTENT):
            with contextlib.suppress(OSError, KeyboardInterrupt):
                file.write(CONTENT[file.tell() :][:900])
        try:
            file.close()
        except (OSError, KeyboardInterrupt):
            assert CONTENT.startswith(sound(bytes(under.data)))
            assert nzip.salvage(bytes(under.data))[1] or bytes(under.data) == expected
        else:
            assert under.data == expected


def test_a_file_that_fails_and_cannot_tell_refuses_all_that_follows():
    for after in (False, True):
        under = Failing([6], tells=False, after=after)
        file = nzip.NzipFile(under, "w", engine="store", block_size=1024)
        with pytest.raises(OSError, match="No space"):
            file.write(CONTENT)
        for again, arguments in ((file.write, (b"x",)), (file.flush, ()), (file.close, ())):
            with pytest.raises(OSError, match="how much of it arrived is not known"):
                again(*arguments)
        assert file.closed
        assert CONTENT.startswith(sound(bytes(under.data)))


def test_a_file_that_takes_nothing():
    class Full(io.RawIOBase):
        answer = 0

        def writable(self):
            return True

        def write(self, data):
            return self.answer

    for answer, message in ((0, "took 0 of"), (1 << 40, "took"), (None, "takes no data now")):
        under = Full()
        under.answer = answer
        file = nzip.NzipFile(under, "w", level=1)
        file.write(b"x" * 100)
        with pytest.raises(OSError, match=message):
            file.close()


def test_a_full_disk_that_is_cleared_in_between(tmp_path):
    """The device stays full for a while; nothing that was accepted is lost."""
    under = Failing(range(3, 9), tells=True)
    file = nzip.NzipFile(under, "w", engine="store", block_size=1024)
    refused = 0
    for piece in pieces(CONTENT, [500]):
        while True:
            before = file.tell()
            try:
                file.write(piece)
                break
            except OSError:
                refused += 1
                if file.tell() > before:
                    break
    file.close()
    assert refused
    assert nzip.decompress(bytes(under.data)) == CONTENT


def test_threads_writing_one_file_do_not_spoil_it():
    under = io.BytesIO()
    lines = [b"%d of %d\n" % (line, thread) for thread in range(4) for line in range(400)]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with nzip.NzipFile(under, "w", engine="store", block_size=1024, threads=2) as file:
            workers = [
                threading.Thread(target=lambda part: [file.write(line) for line in part], args=(lines[n::4],))
                for n in range(4)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
    finally:
        sys.setswitchinterval(switch)
    assert sorted(nzip.decompress(under.getvalue()).splitlines(keepends=True)) == sorted(lines)


def test_threads_using_one_compressor_and_one_decompressor():
    compressor = nzip.Compressor(engine="store", block_size=1024)
    parts, lock = [], threading.Lock()
    original = compressor._feed

    def feed(data):
        assert not lock.locked()
        with lock:
            original(data)

    compressor._feed = feed
    workers = [threading.Thread(target=lambda: [compressor.compress(bytes(100)) for _ in range(200)]) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    parts.append(compressor.flush())
    assert compressor.bytes_in == 60_000


def test_a_handler_of_a_signal_does_not_get_between():
    class Reentrant(OnlyWrite):
        def write(self, data):
            with pytest.raises(RuntimeError, match="reentrant"):
                file.write(b"in between")
            with pytest.raises(RuntimeError, match="reentrant"):
                file.close()
            return super().write(data)

    under = Reentrant()
    file = nzip.NzipFile(under, "w", engine="store", block_size=1024)
    file.write(CONTENT)
    file.close()
    assert nzip.decompress(under.data) == CONTENT


# Reading


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_at_any_line_of_reading_gives_no_wrong_byte(threads):
    data = nzip.compress(CONTENT, engine="store", block_size=1024)

    def run(at, under):
        out = b""
        with nzip.NzipFile(under, threads=threads) as file, Interrupting(at) as interrupting:
            while True:
                try:
                    part = file.read(1500)
                except KeyboardInterrupt:
                    continue
                out += part
                if not part:
                    return interrupting.lines, out

    lines, out = run(None, io.BytesIO(data))
    assert out == CONTENT
    for at in range(0, lines, 1 + lines // 500):
        assert run(at, io.BytesIO(data))[1] == CONTENT, at
    for at in range(0, lines, 1 + lines // 100):  # what cannot go back refuses
        refused = ""
        try:
            assert run(at, Pipe(data))[1] == CONTENT
        except OSError as error:
            refused = str(error)
        assert not refused or "interrupted" in refused


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_decompressor_refuses_all_that_follows(threads):
    data = nzip.compress(CONTENT, engine="store", block_size=1024)

    def run(at):
        reader, out = nzip.Decompressor(threads=threads), b""
        with Interrupting(at) as interrupting:
            for piece in pieces(data, [600]):
                try:
                    out += reader.decompress(piece)
                except KeyboardInterrupt:
                    with pytest.raises(RuntimeError, match="interrupted"):
                        reader.decompress(piece)
                    break
        reader.close()
        return interrupting.lines, out

    lines, out = run(None)
    assert out == CONTENT
    for at in range(1, lines, 1 + lines // 300):
        assert CONTENT.startswith(run(at)[1]), at


def test_no_memory_in_reading_is_no_end(monkeypatch):
    original, calls = reader_module.decode_block, []

    def failing(header, payload):
        calls.append(1)
        if len(calls) % 3 == 1:
            raise MemoryError
        return original(header, payload)

    monkeypatch.setattr(reader_module, "decode_block", failing)
    with nzip.NzipFile(io.BytesIO(nzip.compress(CONTENT, 1, block_size=1024))) as file:
        file.seek(5)
        file.seek(0)
        out = b""
        while len(out) < len(CONTENT):
            try:
                out += file.read(1000)
            except MemoryError:
                assert file.tell() == len(out)
    assert out == CONTENT
