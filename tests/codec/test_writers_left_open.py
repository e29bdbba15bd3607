"""Writers that nobody closed, text with an error inside `with`, forks, and errors between processes."""

import copy
import inspect
import io
import multiprocessing
import os
import pickle
import pkgutil
import subprocess
import sys
import textwrap
import typing
from importlib import import_module

import pytest
from sources import NOISE, TEXT

import nzip
from nzip.codec import compressor as compressor_module
from nzip.codec import threads as threads_module
from nzip.errors import NzipError

# At the end of the program


def left_open(tmp_path, program):
    program = textwrap.dedent(program).replace("PATH", repr(str(tmp_path / "left.nz")))
    command = [sys.executable, "-c", f"import nzip, io, threading, atexit, os, sys\n{program}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return done, (tmp_path / "left.nz").read_bytes()


@pytest.mark.parametrize("level", [1, 6])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_writer_left_open_is_finished_at_the_end(tmp_path, level, threads):
    done, data = left_open(
        tmp_path,
        f"""
        f = nzip.open(PATH, "wb", level={level}, block_size=1024, threads={threads})
        for n in range(200):
            f.write(b"line %d\\n" % n)
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert nzip.decompress(data) == b"".join(b"line %d\n" % n for n in range(200))


def test_writers_of_all_kinds_left_open_in_one_program(tmp_path):
    """Text, layers above, one in a cycle, one of a finished thread, and an exception that ends the program."""
    done, _ = left_open(
        tmp_path,
        """
        folder = os.path.dirname(PATH)
        def path(name):
            return os.path.join(folder, name)
        nzip.open(PATH, "wb", level=1).write(b"gone at once")
        text = nzip.open(path("text"), "wt", level=1, encoding="utf-8")
        text.write("text " * 9)
        layer = io.TextIOWrapper(nzip.open(path("layer"), "wb", level=3, block_size=1024, threads=2), encoding="utf-8")
        for n in range(3000):
            layer.write("layer %d\\n" % n)
        buffered = io.BufferedWriter(nzip.open(path("buffered"), "wb", level=3), 1 << 16)
        buffered.write(b"buffered")
        class Cycle: pass
        cycle = Cycle(); cycle.self = cycle; cycle.file = nzip.open(path("cycle"), "wb", level=2)
        cycle.file.write(b"cycle"); del cycle
        empty = nzip.open(path("empty"), "wb")
        of_thread = nzip.open(path("thread"), "wb", level=1, threads=2, block_size=1024)
        thread = threading.Thread(target=of_thread.write, args=(bytes(9000),)); thread.start(); thread.join()
        at_exit = []
        atexit.register(lambda: at_exit.append(nzip.open(path("exit"), "wb", level=3, block_size=1024, threads=2)))
        atexit.register(lambda: nzip.open(path("exit2"), "wb", level=1, block_size=1024, threads=2).write(bytes(9000)))
        raise SystemExit(3)
        """,
    )
    assert (done.returncode, done.stderr) == (3, "")
    expected = {
        "left.nz": b"gone at once",
        "text": b"text " * 9,
        "layer": b"".join(b"layer %d\n" % n for n in range(3000)),
        "buffered": b"buffered",
        "cycle": b"cycle",
        "empty": b"",
        "thread": bytes(9000),
        "exit2": bytes(9000),
    }
    for name, content in expected.items():
        assert nzip.decompress((tmp_path / name).read_bytes()) == content, name


def test_what_an_exception_leaves_by_with_is_not_finished(tmp_path):
    done, data = left_open(
        tmp_path,
        """
        with nzip.open(PATH, "wb", level=1, block_size=1024) as f:
            f.write(bytes(9000))
            raise KeyError
        """,
    )
    assert done.returncode == 1
    with pytest.raises(nzip.TruncatedError):
        nzip.decompress(data)


def test_threads_that_cannot_start_are_done_without(monkeypatch):
    class None_:
        def __init__(self, *_, **__):
            pass

        def submit(self, *_):
            raise RuntimeError("can't start new thread")

        def shutdown(self, **_):
            pass

    expected = nzip.compress(TEXT, 1, block_size=1024)
    monkeypatch.setattr(threads_module, "ThreadPoolExecutor", None_)
    assert nzip.compress(TEXT, 1, block_size=1024, threads=3) == expected
    assert nzip.decompress(expected, threads=3) == TEXT
    with nzip.open(io.BytesIO(expected), threads=3) as file:
        file.seek(3)
        assert file.read() == TEXT[3:]


# Text


@pytest.mark.parametrize("mode", ["wt", "xt", "at"])
def test_an_error_inside_with_leaves_no_valid_text(tmp_path, mode):
    path = tmp_path / "text.nz"

    def failing():
        with nzip.open(path, mode, level=1, encoding="utf-8") as file:
            file.write("a line\n" * 5000)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with pytest.raises(nzip.TruncatedError):
        nzip.decompress(path.read_bytes())


def test_text_that_is_read_and_text_without_an_error(tmp_path):
    path = tmp_path / "text.nz"
    with nzip.open(path, "wt", level=1, encoding="utf-8") as file:
        file.write("ä\n")
    file.close()
    with pytest.raises(KeyError), nzip.open(path, "rt", encoding="utf-8") as file:  # noqa: PT012
        assert file.read() == "ä\n"
        raise KeyError
    assert file.closed


def test_an_encoding_that_is_not_there_leaves_nothing_open(tmp_path):
    with pytest.raises(LookupError):
        nzip.open(tmp_path / "text.nz", "wt", encoding="no-such")
    with pytest.raises(nzip.CorruptError):
        nzip.decompress((tmp_path / "text.nz").read_bytes())


# Forks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_with_work_under_way_goes_on_in_both(monkeypatch):
    content = NOISE * 5
    expected = nzip.compress(content, engine="store", block_size=1024)
    original = compressor_module.encode_block

    def slow(raw, coding, begun=None, parts=()):
        import time

        time.sleep(0.01)
        return original(raw, coding)

    monkeypatch.setattr(compressor_module, "encode_block", slow)
    compressor = nzip.Compressor(engine="store", block_size=1024, threads=3)
    reader = nzip.Decompressor(threads=3)
    file = nzip.open(io.BytesIO(expected), threads=3)
    file.seek(5)
    begun = compressor.compress(content[:9000])
    half = reader.decompress(expected[:7000], 1000)
    head = file.read(2000)

    def rest():
        packed = begun + compressor.compress(content[9000:]) + compressor.flush()
        out = half + reader.decompress(expected[7000:])
        return packed == expected and out == content and head + file.read() == content[5:]

    child = os.fork()
    if child == 0:
        good = False
        try:
            good = rest()
        finally:
            os._exit(0 if good else 1)
    import time

    for _ in range(300):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the forked process hangs")
    assert status == 0
    assert rest()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_does_not_finish_what_it_did_not_begin(tmp_path):
    done, data = left_open(
        tmp_path,
        """
        f = nzip.open(PATH, "wb", level=1, block_size=1024)
        f.write(bytes(range(256)) * 9)
        if os.fork() == 0:
            sys.exit(0)
        os.wait()
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert nzip.decompress(data) == bytes(range(256)) * 9


# Errors


def error_classes():
    """Every exception class that nzip defines."""
    found = {}
    for module in pkgutil.walk_packages(nzip.__path__, "nzip."):
        if module.name == "nzip.__main__":
            continue
        try:
            names = vars(import_module(module.name))
        except ImportError:
            continue
        for value in names.values():
            if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__.startswith("nzip"):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


ERRORS = error_classes()


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_every_error_survives_pickling_and_copying(name):
    kind = ERRORS[name]
    needed = [
        parameter
        for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    error = kind(*(f"argument {number}" for number in range(max(1, len(needed)))))
    error.more = [1]
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))


def refuse(path):
    from nzip.errors import FileError

    raise FileError(path, "is refused")


def test_an_error_of_a_file_comes_out_of_a_pool():
    from nzip.errors import FileError

    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    with context.Pool(1) as pool, pytest.raises(FileError, match="x: is refused") as caught:
        pool.apply_async(refuse, ("x",)).get(timeout=60)
    assert (caught.value.path, caught.value.reason) == ("x", "is refused")


def test_a_truncated_file_is_corrupt_and_ended():
    data = nzip.compress(TEXT, 1, block_size=1024)
    for size in range(len(data)):
        for read in (nzip.decompress, lambda part: nzip.open(io.BytesIO(part)).read()):
            with pytest.raises(EOFError) as caught:
                read(data[:size])
            assert isinstance(caught.value, nzip.CorruptError)
            assert isinstance(caught.value, NzipError)
    with pytest.raises(nzip.CorruptError) as caught:
        nzip.decompress(b"no nzip file")
    assert not isinstance(caught.value, EOFError)


# What type checkers see


def test_open_says_what_it_returns():
    returned = {}
    for variant in typing.get_overloads(nzip.open):
        hints = typing.get_type_hints(variant)
        for mode in typing.get_args(hints["mode"]) or ["any"]:
            returned[mode] = hints["return"]
    assert {mode for mode, kind in returned.items() if kind is nzip.NzipFile} >= {"r", "rb", "w", "wb", "x", "a", "ab"}
    assert {mode for mode, kind in returned.items() if kind is io.TextIOWrapper} >= {"rt", "wt", "xt", "at"}
    assert "any" in returned
