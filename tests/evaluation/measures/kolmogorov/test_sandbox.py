"""The sandbox: programs that work, programs that attack, each layer by itself, and nothing left behind."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nzip.errors import UnsupportedError
from nzip.evaluation.measures.kolmogorov import jail, sandbox
from nzip.evaluation.measures.kolmogorov.sandbox import Failure, Sandbox

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or jail.seccomp_filter() is None, reason="the sandbox needs Linux on x86-64 or ARM64"
)

# The way from an empty tuple to the module os, past every list of names.
GET_OS = (
    "for c in ().__class__.__base__.__subclasses__():\n"
    "    if c.__name__ == '_wrap_close':\n"
    "        g = c.__init__.__globals__\n"
)


def members(box: Sandbox) -> list[int]:
    """Return every living process of this sandbox: a fork keeps the command line, with the folder's name in it."""
    assert box._process is not None
    return processes(str(box._process.args[-1]))  # type: ignore[index]


def processes(folder: str) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if folder.encode() in words:
                found.append(int(entry))
    return found


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(seconds=1) as found:
        yield found


class TestPrograms:
    @pytest.mark.parametrize(
        ("program", "expected"),
        [
            ("output = [1, 2, 3]", [1, 2, 3]),
            ("output = []", []),
            ("output = list(range(256))", list(range(256))),
            ("print('words', flush=True)\noutput = [0]", [0]),
            ("import math, itertools as i\noutput = list(i.islice(i.count(math.gcd(4, 6)), 3))", [2, 3, 4]),
            ("import zlib, base64\noutput = list(zlib.decompress(base64.b64decode('eJxLBAAAYgBi')))", [97]),
            ("from collections import namedtuple\noutput = [namedtuple('P', 'a b')(7, 8).b]", [8]),
            ("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\noutput = [A(5).x]", [5]),
            ("class A:\n    def __init__(self):\n        self.b = 9\noutput = [A().b]", [9]),
            ("exec('output = [4]')", [4]),
            ("output = list('é'.encode('cp437'))", [130]),
            ("try:\n    import numpy\nexcept ImportError:\n    output = [6]", [6]),
            ("def f(n):\n    return n * f(n - 1) if n else 1\noutput = [f(5)]", [120]),
        ],
    )
    def test_works(self, box: Sandbox, program: str, expected: list[int]) -> None:
        assert box.run(program) == expected

    @pytest.mark.parametrize(
        ("program", "kind"),
        [
            ("x = [1]", "type"),
            ("output = 'abc'", "type"),
            ("output = (1, 2)", "type"),
            ("class L(list): pass\noutput = L()", "type"),
            ("output = [0] * 257", "items"),
            ("output = [True]", "value"),
            ("output = [1.0]", "value"),
            ("output = [256]", "value"),
            ("output = [-1]", "value"),
            ("output = [10 ** 5000]", "value"),
            ("output = [", "error"),
            ("output = 1 / 0", "error"),
            ("raise SystemExit", "error"),
            ("output = '\0'", "error"),
            ("output = '\ud800'", "error"),
            ("import os", "forbidden"),
            ("from . import x", "forbidden"),
            ("import numpy", "forbidden"),
            ("open('a', 'w')", "forbidden"),
            ("class E(Exception):\n    def __str__(self): raise self\nraise E", "error"),
        ],
    )
    def test_fails_by_name(self, box: Sandbox, program: str, kind: str) -> None:
        found = box.run(program)
        assert isinstance(found, Failure)
        assert found.kind == kind

    def test_same_every_time(self) -> None:
        # Hash seeds and random's own seed would differ from one interpreter to the next.
        program = "import random\noutput = [random.randrange(256), *(ord(x[0]) for x in {'a', 'b', 'c', 'd', 'e'})]"
        first = sandbox.run(program)
        assert isinstance(first, list)
        assert [sandbox.run(program) for _ in range(3)] == [first] * 3

    def test_programs_do_not_meet(self, box: Sandbox) -> None:
        assert box.run("import math\nmath.pi = 3\nkept = 1\noutput = [1]") == [1]
        assert box.run("import math\noutput = [int(math.pi * 10), 'kept' in globals()]") == Failure(
            "value", "output[1] is a bool, not an int"
        )

    def test_more_items_where_allowed(self) -> None:
        assert sandbox.run("output = [7] * 5000", items=5000) == [7] * 5000
        most = (1 << 20) + 99  # more than a program may be long
        assert sandbox.run(f"output = [7] * {most}", items=most) == [7] * most

    def test_too_long(self, box: Sandbox) -> None:
        found = box.run("#" * ((1 << 20) + 1))
        assert isinstance(found, Failure)
        assert found.kind == "error"

    @pytest.mark.parametrize("limits", [{"seconds": 0}, {"seconds": float("nan")}, {"memory": 0}, {"items": -1}])
    def test_limits_that_make_no_sense(self, limits: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="positive"):
            Sandbox(**limits)  # type: ignore[arg-type]


ATTACKS = {
    "endless loop": ("while True: pass", "time"),
    "loop that catches": ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", "time"),
    "loop of C code": ("import itertools\nsum(itertools.repeat(0))", "time"),
    "huge number": ("output = 10 ** 10 ** 9", "time"),
    "memory": ("x = []\nwhile True: x.append(bytes(1 << 20))", "memory"),
    "memory at once": ("x = [0] * 10 ** 9", "memory"),
    "memory that catches": (
        "x = []\nwhile True:\n    try:\n        x.append(bytes(1 << 20))\n    except BaseException: pass",
        "time",
    ),
    "decompression bomb": (
        "import zlib\noutput = list(zlib.decompress(zlib.compress(bytes(1 << 22))) * 100)",
        "memory",
    ),
    "huge list": ("output = [1] * 10 ** 7", "items"),
    "deep recursion": ("def f(): f()\nf()", "error"),
    "deep recursion that catches": ("def f():\n    try: f()\n    except: f()\nf()", None),
    "deep nesting": ("output = eval('(' * 5000 + ')' * 5000)", None),
    "floods stdout": ("while True: print('x' * 65536)", "time"),
    "other types": ("class I(int):\n    __index__ = None\noutput = [I(3)]", "value"),
    "lying length": ("class L(list):\n    __len__ = lambda s: 1\noutput = L([1] * 999)", "type"),
    "fork": (GET_OS + "        while True: g['fork']()", "forbidden"),
    "system": (GET_OS + "        g['system']('sleep 60 &')", "forbidden"),
    "execv": (GET_OS + "        g['execv']('/bin/sh', ['sh'])", "forbidden"),
    "posix_spawn": (GET_OS + "        g['posix_spawn']('/bin/sh', ['sh'], {})", "forbidden"),
    "os.open": (GET_OS + "        g['open']('made', 65)", "forbidden"),
    "caught": (GET_OS + "        try: g['fork']()\n        except BaseException: pass", "forbidden"),
    "setsid": (GET_OS + "        g['setsid']()", "error"),
    "kill": (GET_OS + "        g['kill'](-1, 9)", "forbidden"),
    "kill group": (GET_OS + "        g['killpg'](0, 9)", "forbidden"),
    "_exit": (GET_OS + "        g['_exit'](0)", "crash"),
    "abort": (GET_OS + "        g['abort']()", "crash"),
    "closes its pipe and goes on": (GET_OS + "        g['close'](3)\nwhile True: pass", "time"),
    "closes all": (GET_OS + "        g['closerange'](0, 9)", None),
    "floods its pipe": (GET_OS + "        while True: g['write'](3, b'+' * 65536)", "output"),
    "nonsense in its pipe": (GET_OS + "        g['write'](3, b'-{{{')\n        g['_exit'](0)", "crash"),
    "signal handlers": (
        GET_OS + "        m = g['sys'].modules.get('signal')\n        m.signal(m.SIGTERM, m.SIG_IGN)",
        "error",
    ),
    "ctypes": (
        "for c in ().__class__.__base__.__subclasses__():\n"
        "    if c.__name__ == '_CData':\n"
        "        for d in c.__subclasses__():\n            for e in d.__subclasses__(): e.from_address(0)",
        "forbidden",
    ),
    "code objects": ("def f(): pass\nf.__code__ = f.__code__.replace(co_code=b'')", "forbidden"),
    "garbage collector": (GET_OS + "        g['sys'].modules['gc'].get_objects()", "error"),
    "threads": (GET_OS + "        g['sys'].modules['_thread'].start_new_thread(print, ())", None),
    "trace": (GET_OS + "        g['sys'].settrace(print)", "forbidden"),
}


class TestAttacks:
    @pytest.mark.parametrize("name", ATTACKS)
    def test_ends(self, box: Sandbox, name: str) -> None:
        program, kind = ATTACKS[name]
        begin = time.monotonic()
        found = box.run(program)
        assert time.monotonic() - begin < 1 + sandbox.GRACE  # a second is its own
        assert isinstance(found, Failure)
        assert kind is None or found.kind == kind, found
        assert found.kind != "sandbox"
        # The next program finds all as it was, and nobody else is there: the interpreter and its caretaker.
        assert box.run("output = [1]") == [1]
        assert len(members(box)) <= 2

    @pytest.mark.parametrize(
        "sent",
        [
            "b'-' + b'[' * 999",
            "b'-' + b'[' * 200000",
            "b'-' + b'{\"a\":' * 200",
            "b'-sandbox\\nit was not run'",
            "b'-[\"sandbox\", \"it was not run\"]'",
            "b'-time\\nit took too long'",
            "b'-output\\n'",
            "b'-crash'",
            "b'-no such kind\\n' + b'x' * 500",
            "b'-' + b'error' * 50",
            "b'.-sandbox\\n'",
            "b'-\\xff\\xff\\n\\xff'",
            "b'-'",
            "b''",
            "bytes(700)",
        ],
    )
    def test_forged_failure(self, box: Sandbox, sent: str) -> None:
        # What a program writes by hand ends no interpreter, and lays nothing at the sandbox's door.
        before = box.layers and members(box)
        found = box.run(GET_OS + f"        g['write'](3, {sent})\n        g['_exit'](0)")
        assert isinstance(found, Failure)
        assert found.kind in ("crash", "output"), found
        assert members(box) == before  # the same interpreter

    def test_failure_that_a_program_may_name(self, box: Sandbox) -> None:
        sent = "b'-error\\n' + b'\\x1b[2J\\xff\\n' * 90"
        found = box.run(GET_OS + f"        g['write'](3, {sent})\n        g['_exit'](0)")
        assert isinstance(found, Failure)
        assert found.kind == "error"
        assert found.detail.isprintable()
        assert len(found.detail) <= jail.DETAIL

    @pytest.mark.parametrize(
        ("out", "status", "kind"),
        [(b"", jail.UNLOCKED, "sandbox"), (b"", 70, "sandbox"), (b".", jail.UNLOCKED, "crash"), (b".", 70, "crash")],
    )
    def test_process_that_does_not_start(self, out: bytes, status: int, kind: str) -> None:
        # What goes wrong before the program's first instruction is no failure of the program, and the other way round.
        answer = jail._verdict(out, False, 9999, (status, None), {"items": 256, "seconds": 1})
        found = sandbox._read_answer(answer, 256)
        assert isinstance(found, Failure)
        assert found.kind == kind

    @pytest.mark.parametrize("answer", [b"", b"-", b"?", b"-" + b"[" * 999, b"+" + bytes(300), b"-none\nwords"])
    def test_answer_that_makes_no_sense(self, answer: bytes) -> None:
        assert sandbox._read_answer(answer, 256) == Failure("sandbox", "an answer that makes no sense")

    def test_forged_answer_is_a_list_at_most(self, box: Sandbox) -> None:
        # Who writes the answer by hand has printed a list by other means; it is held to the same limits.
        program = GET_OS + "        g['write'](3, b'+' + bytes({}))\n        g['_exit'](0)"
        assert box.run(program.format(5)) == [0] * 5
        found = box.run(program.format(300))
        assert isinstance(found, Failure)

    def test_memory_limit_is_an_option(self) -> None:
        program = "x = bytes(100 << 20)\noutput = [1]"
        assert sandbox.run(program) == [1]
        found = sandbox.run(program, memory=100 << 20)
        assert isinstance(found, Failure)
        assert found.kind == "memory"

    def test_time_limit_is_an_option(self) -> None:
        begin = time.monotonic()
        assert sandbox.run("while True: pass", seconds=0.2) == Failure("time", "not done after 0.2 s")
        assert time.monotonic() - begin < 3

    def test_interpreter_lost(self) -> None:
        with Sandbox(seconds=5) as box:
            assert box._process is not None
            for process in members(box):
                os.kill(process, 9)
            found = box.run("output = [1]")
            assert isinstance(found, Failure)
            assert found.kind == "sandbox"
            assert box.run("output = [1]") == [1]


class TestNothingIsLeft:
    def test_processes(self) -> None:
        box = Sandbox(seconds=0.3)
        box.start()
        assert box._process is not None
        folder, group = str(box._process.args[-1]), box._process.pid  # type: ignore[index]
        box.run("while True: pass")
        box.run(ATTACKS["fork"][0])
        assert processes(folder)
        box.close()
        assert not processes(folder)
        with pytest.raises(ProcessLookupError):
            os.killpg(group, 0)

    def test_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        with Sandbox(seconds=1) as box:
            assert not list(tmp_path.iterdir())  # gone before the first program
            box.run(ATTACKS["os.open"][0])
        assert not list(tmp_path.iterdir())

    def test_caller_killed(self, tmp_path: Path) -> None:
        # A caller that is killed takes the interpreter with it, and the program that runs.
        assert sandbox.run("output = [1]") == [1]  # where nothing can be sandboxed this test ends here
        script = (
            "from nzip.evaluation.measures.kolmogorov.sandbox import Sandbox\n"
            "box = Sandbox(seconds=2)\nbox.start()\nprint(box._process.args[-1], flush=True)\nbox.run('while 1: pass')"
        )
        path = os.pathsep.join(entry for entry in sys.path if entry)
        caller = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        assert caller.stdout is not None
        folder = caller.stdout.readline().strip()
        assert processes(folder)
        caller.kill()
        caller.wait()
        caller.stdout.close()
        end = time.monotonic() + 8
        while processes(folder) and time.monotonic() < end:
            time.sleep(0.05)
        assert not processes(folder)


LAYER = """
import importlib.util, os, socket, sys, json, signal, ctypes
spec = importlib.util.spec_from_file_location("jail", sys.argv[1])
jail = importlib.util.module_from_spec(spec)
spec.loader.exec_module(jail)
libc = ctypes.CDLL(None, use_errno=True)
out = os.dup(1)
def attempts():
    yield "open", lambda: os.open("/dev/null", os.O_RDONLY)
    yield "make", lambda: os.open("made", os.O_WRONLY | os.O_CREAT)
    yield "fork", lambda: os.fork() or os._exit(0)
    yield "exec", lambda: os.execv("/bin/true", ["true"])
    yield "socket", lambda: socket.socket()
    yield "pipe", lambda: os.pipe()
    yield "kill", lambda: os.kill(os.getppid(), 0)
    yield "setsid", lambda: os.setpgid(0, 0)
    yield "unlink", lambda: os.unlink("there")
    yield "thread", lambda: __import__("_thread").start_new_thread(print, ())
    yield "ptrace", lambda: check(libc.ptrace(0, 0, 0, 0))
    yield "handler", lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield "memfd", lambda: os.memfd_create("x")
    yield "limit", lambda: __import__("resource").setrlimit(8, (0, 0))
def check(status):
    if status:
        raise OSError(ctypes.get_errno(), "refused")
def tried(*without):
    found = {}
    for name, attempt in attempts():
        if name in without:
            continue
        try:
            attempt()
            found[name] = 0
        except OSError as error:
            found[name] = error.errno
        except (RuntimeError, ValueError):
            found[name] = 1
    return found
"""


def layer(tail: str, folder: Path) -> dict[str, int]:
    """Run code beside the jail's functions, no audit hook about, and return what each attempt came to."""
    import json

    (folder / "there").touch()
    command = [sys.executable, "-c", LAYER + tail, str(Path(jail.__file__))]
    done = subprocess.run(command, capture_output=True, cwd=folder, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert (folder / "there").exists()
    assert not (folder / "made").exists()
    found: dict[str, int] = json.loads(done.stdout)
    return found


class TestLayers:
    def test_reported(self, box: Sandbox) -> None:
        assert {"process group", "limits", "audit hook", "system calls"} <= set(box.layers)

    def test_system_calls_alone(self, tmp_path: Path) -> None:
        # Code that has shaken off the interpreter's own guard: every call fails with EPERM (1).
        found = layer(
            "import resource, _thread\n"
            "assert jail._lock(jail._prctl(), jail.seccomp_filter())\n"
            "os.write(1, json.dumps(tried()).encode())\nos._exit(0)",
            tmp_path,
        )
        assert set(found.values()) == {1}, found

    def test_limits_alone(self, tmp_path: Path) -> None:
        # Without the filter the limits still keep a program that is not root from processes, files and descriptors.
        tmp_path.chmod(0o755)
        found = layer(
            "import resource, _thread\njail._give_up_root([])\nnowhere = os.open(os.devnull, os.O_RDWR)\n"
            "jail._enter({'seconds': 5, 'memory': 1 << 30}, None, None, nowhere, out)\n"
            "os.write(3, json.dumps(tried('exec')).encode())\nos._exit(0)",
            tmp_path,
        )
        for name in ("open", "make", "fork", "socket", "pipe", "thread", "memfd"):
            assert found[name] != 0, found

    def test_refuses_without_the_filter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sandbox, "LOCK", "a layer that is not there")
        with pytest.raises(UnsupportedError, match="--unsafe"):
            Sandbox().start()
        with Sandbox(unsafe=True) as box:
            assert box.run("output = [1]") == [1]
