"""The process in which strangers' programs run: started by `sandbox`, with the standard library alone.

It is run as a script by a bare interpreter (no site, no environment, an empty folder that is deleted once it is ready),
imports all that a program may use, gives up what rights it has, and then answers requests: each program gets a fork of
its own, which locks itself in before the program's first instruction. `sandbox` says what each layer holds.

Frames on standard input and output: a length (4 bytes, little-endian) and so many bytes. The first answer is JSON, what
this process could do about itself. A request is JSON; its answer one byte, `+` or `-`, then the bytes that the program
made, or a failure: its kind in ASCII, a line feed, the detail in UTF-8. The end of the input ends this process, and
with it every other.

A fork sends the same by its pipe, behind one byte that says that it is locked in. From there on a program may have
written what is read: it is flat, its length is bounded before it is read, nothing parses it, and of the kinds it may
name only those of CLAIMED, which are about itself. The others are this process's own findings.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import json
import os
import platform
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Collection
from typing import Any

# What a program may import; loaded once, here. Nothing of it reaches files, processes, threads or the network.
MODULES = (
    "__future__", "array", "base64", "binascii", "bisect", "bz2", "cmath", "collections", "collections.abc", "copy",
    "dataclasses", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools", "lzma", "math",
    "numbers", "operator", "random", "re", "statistics", "string", "struct", "textwrap", "typing", "zlib",
)  # fmt: skip
CODECS = ("ascii", "latin-1", "utf-8", "utf-16", "utf-32", "cp437", "hex", "base64", "rot13", "zlib", "bz2")
HIDDEN = ("breakpoint", "copyright", "credits", "exit", "help", "license", "quit")
DENIED = ("open", "input")

# Events of the interpreter (PEP 578) that honest programs cause; any other one ends the program.
EVENTS = frozenset(
    ("compile", "exec", "builtins.id", "object.__getattr__", "object.__setattr__", "object.__delattr__",
     "sys._getframe", "function.__new__", "array.__new__")
)  # fmt: skip

NOBODY = 65534
DESCRIPTORS = 4  # of a program: three that lead nowhere and the one that its bytes leave by
STACK = 8 << 20
UNLOCKED = 71  # status of a fork that could not be locked in
READY = b"."  # a fork's first byte: the locks hold, and nothing of the program has run
CLAIMED = frozenset(("memory", "forbidden", "error", "type", "items", "value"))
DETAIL = 200  # characters
AFTER_END = 0.25  # seconds that a process may take to be gone once its output is closed

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
NEW_NAMESPACES = {"mount": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000,
                  "net": 0x40000000}  # fmt: skip

# System calls that a locked-in program may make: memory, its one output, signals' return, clocks, its own end. By
# machine: the audit architecture of the kernel, then the numbers.
SYSCALLS = {
    "x86_64": (0xC000003E, {
        "write": 1, "close": 3, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigprocmask": 14,
        "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28, "getpid": 39, "exit": 60,
        "gettimeofday": 96, "sigaltstack": 131, "gettid": 186, "futex": 202, "restart_syscall": 219,
        "clock_gettime": 228, "exit_group": 231, "rseq": 334,
    }),
    "aarch64": (0xC00000B7, {
        "close": 57, "write": 64, "exit": 93, "exit_group": 94, "futex": 98, "clock_gettime": 113, "sched_yield": 124,
        "restart_syscall": 128, "sigaltstack": 132, "rt_sigprocmask": 135, "rt_sigreturn": 139, "gettimeofday": 169,
        "getpid": 172, "gettid": 178, "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226,
        "madvise": 233, "rseq": 293,
    }),
}  # fmt: skip


class _Filter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter)))


def seccomp_filter() -> Any:
    """Return the kernel's filter (classic BPF over `struct seccomp_data`), None where this machine's is not known.

    A call of the list goes through, any other fails with EPERM; one by another machine's convention kills.
    """
    known = SYSCALLS.get(platform.machine()) if sys.platform == "linux" and sys.maxsize > 1 << 32 else None
    if known is None:
        return None
    architecture, calls = known
    load, equal, least, give = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050000 | 1, 0x7FFF0000
    rows = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, kill), (load, 0, 0, 0)]
    rows.append((least, 0, 1, 0x40000000))  # x32's numbers on x86_64
    rows.append((give, 0, 0, refuse))
    for number in sorted(calls.values()):
        rows += [(equal, 0, 1, number), (give, 0, 0, allow)]
    rows.append((give, 0, 0, refuse))
    table = (_Filter * len(rows))(*(_Filter(*row) for row in rows))
    return _Program(len(rows), ctypes.cast(table, ctypes.POINTER(_Filter)))


def _prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    call.restype = ctypes.c_int
    return call


# What this process does about itself


def _preload() -> None:
    import codecs
    import importlib
    import resource  # noqa: F401  os.wait4 and the limits need it when there are no files any more
    import warnings

    for name in MODULES:
        importlib.import_module(name)
    for name in CODECS:
        codecs.lookup(name)
    warnings.simplefilter("ignore")


def _give_up_root(layers: list[str]) -> None:
    """Become nobody if this is root, whom limits and permissions do not hold."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        except OSError:
            return
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        layers.append("not root")


def _unshare(layers: list[str]) -> bool:
    """Enter new namespaces, all or none: no network, no other process to see; return whether it went."""
    if sys.platform != "linux":
        return False
    flags = 0
    for flag in NEW_NAMESPACES.values():
        flags |= flag
    try:
        gone = ctypes.CDLL(None, use_errno=True).unshare(flags) == 0
    except (OSError, AttributeError):
        return False
    if gone:
        layers.append("namespaces")
    return gone


def _become_first() -> None:
    """Go on in a fork, which is process 1 of the new namespace: when it ends the kernel ends all others in it."""
    inner = os.fork()
    if inner:
        with contextlib.suppress(OSError):
            os.close(0)
            os.close(1)
        _, status = os.waitpid(inner, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 255)


def main() -> None:
    """Serve until standard input ends."""
    _preload()
    layers = ["process group", "limits", "audit hook"]
    prctl = _prctl()
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 2)
    # Nothing of the caller's may reach a program.
    os.closerange(nowhere + 1, 4096)
    _give_up_root(layers)
    alone = _unshare(layers)
    if alone:
        _become_first()
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, None, 0, 0)
        with contextlib.suppress(OSError):
            os.chroot(".")
            os.chdir("/")
            layers.append("empty root")
    lock = seccomp_filter()
    if prctl is None or lock is None or not _try_lock(prctl, lock):
        lock = None
    else:
        layers.append("system calls")
    os.environ.clear()
    _answer(json.dumps({"layers": layers, "python": platform.python_version()}).encode())
    while (request := _request()) is not None:
        _answer(_serve(request, prctl, lock, nowhere, alone))


def _try_lock(prctl: Callable[..., int], lock: Any) -> bool:
    """Return whether a fork of this process could lock itself in."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _lock(prctl, lock) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _lock(prctl: Callable[..., int], lock: Any) -> bool:
    if prctl(PR_SET_NO_NEW_PRIVS, 1, None, 0, 0) != 0:
        return False
    if prctl(PR_SET_SECCOMP, 2, ctypes.byref(lock), 0, 0) != 0:
        return False
    try:
        os.getppid()
    except OSError:
        return True
    return os.getppid() < 0  # it is not in the list, so that an answer means that nothing is locked


def _request() -> dict[str, Any] | None:
    head = _read(4)
    if len(head) < 4:
        return None
    size = struct.unpack("<I", head)[0]
    body = _read(size)
    found: dict[str, Any] | None = json.loads(body) if len(body) == size else None
    return found


def _read(size: int) -> bytes:
    out = bytearray()
    while len(out) < size and (piece := os.read(0, size - len(out))):
        out += piece
    return bytes(out)


def _answer(body: bytes) -> None:
    rest = memoryview(struct.pack("<I", len(body)) + body)
    while rest:
        rest = rest[os.write(1, rest) :]


def _failure(kind: str, detail: str = "") -> bytes:
    return b"-" + kind.encode() + b"\n" + detail[:DETAIL].encode("utf-8", "backslashreplace")


def read_failure(answer: bytes, kinds: Collection[str]) -> tuple[str, str] | None:
    """Return kind and detail of an answer that begins with `-`, None where its kind is not one of `kinds`."""
    kind, _, detail = answer[1 : 64 + 12 * DETAIL].partition(b"\n")
    name = kind.decode("ascii", "replace")
    return (name, detail.decode("utf-8", "replace")[:DETAIL]) if name in kinds else None


# One program


def _serve(request: dict[str, Any], prctl: Callable[..., int] | None, lock: Any, nowhere: int, alone: bool) -> bytes:
    """Run one program in a fork and return the answer; the fork is dead and gone by then."""
    end = time.monotonic() + request["seconds"]
    most = max(request["items"], 64 + 12 * DETAIL) + len(READY) + 2
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        os.close(reading)
        os.close(writing)
        return _failure("sandbox", f"no process could be started: {error.strerror}")
    if child == 0:
        try:
            os.close(reading)
            _enter(request, prctl, lock, nowhere, writing)
            _send(READY)
            _play(request)
        finally:
            os._exit(70)
    os.close(writing)
    try:
        out, late = _collect(reading, end, most)
        return _verdict(out, late, most, _reap(child, late or len(out) >= most), request)
    finally:
        os.close(reading)
        if alone:
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)  # all of this namespace but process 1, which is this one
            with contextlib.suppress(OSError):
                while os.waitpid(-1, 0)[0]:
                    pass


def _collect(reading: int, end: float, most: int) -> tuple[bytes, bool]:
    """Return at most `most` bytes of what the program sends, and whether the time was over before it closed."""
    out = bytearray()
    while len(out) < most:
        left = end - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return bytes(out), True
        piece = os.read(reading, min(65536, most - len(out)))
        if not piece:
            return bytes(out), False
        out += piece
    return bytes(out), False


def _reap(child: int, now: bool) -> tuple[int, Any] | None:
    """Return exit code (less than 0: a signal) and use of resources; None if it had to be killed."""
    end = time.monotonic() + AFTER_END
    while not now:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            _kill_group(child)
            return os.waitstatus_to_exitcode(status), usage
        now = time.monotonic() > end
        time.sleep(0.0002)
    _kill_group(child)
    with contextlib.suppress(OSError):
        os.kill(child, signal.SIGKILL)
    os.wait4(child, 0)
    return None


def _kill_group(child: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)


def _verdict(out: bytes, late: bool, most: int, gone: tuple[int, Any] | None, request: dict[str, Any]) -> bytes:
    if late:
        return _failure("time", f"not done after {request['seconds']:g} s")
    if not out.startswith(READY):
        unlocked = gone is not None and gone[0] == UNLOCKED
        return _failure("sandbox", "the system calls could not be locked" if unlocked else "its process did not start")
    out = out[len(READY) :]
    if len(out) + len(READY) >= most:
        return _failure("output", "it wrote more than its limit")
    if gone is None:
        return _failure("time", "it closed its output and did not end")
    code, usage = gone
    if code == 0 and out[:1] == b"+" and len(out) - 1 <= request["items"]:
        return out
    if code == 0 and out[:1] == b"-" and (claim := read_failure(out, CLAIMED)) is not None:
        return _failure(*claim)
    if code < 0:
        if -code in (signal.SIGKILL, signal.SIGXCPU):
            used = usage.ru_utime + usage.ru_stime
            spent = used >= _cpu_seconds(request) - 0.1
            return _failure("time", "processor time") if spent else _failure("memory", "killed by the system")
        return _failure("crash", f"signal {-code}")
    return _failure("crash", f"it ended itself with status {code}")


def _cpu_seconds(request: dict[str, Any]) -> int:
    return int(request["seconds"]) + 1


def _enter(
    request: dict[str, Any], prctl: Callable[..., int] | None, lock: Any, nowhere: int, writing: int
) -> None:
    """Shut every door; from here on this process has memory, time and one pipe."""
    import resource

    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    out = os.dup2(writing, nowhere + 20, inheritable=False)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.dup2(out, DESCRIPTORS - 1)
    os.closerange(DESCRIPTORS, 4096)
    limits = [
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_CPU", _cpu_seconds(request)),
        ("RLIMIT_AS", request["memory"]),
        ("RLIMIT_DATA", request["memory"]),
        ("RLIMIT_STACK", STACK),
        ("RLIMIT_NPROC", 0),
        ("RLIMIT_MEMLOCK", 0),
        ("RLIMIT_MSGQUEUE", 0),
        ("RLIMIT_NOFILE", DESCRIPTORS),
    ]
    for name, limit in limits:
        if hasattr(resource, name):
            with contextlib.suppress(ValueError, OSError):  # macOS refuses some
                resource.setrlimit(getattr(resource, name), (limit, limit))
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, None, 0, 0)
        prctl(PR_SET_DUMPABLE, 0, None, 0, 0)
    if lock is not None and prctl is not None and not _lock(prctl, lock):
        os._exit(UNLOCKED)


def _send(body: bytes) -> None:
    while body:
        body = body[os.write(DESCRIPTORS - 1, body) :]


def _guard() -> Callable[[str, tuple[Any, ...]], None]:
    """Return the audit hook: it ends the process at an event that no honest program causes; nothing can catch that."""
    write, leave, allowed, failure, denied = os.write, os._exit, EVENTS, _failure, Denied

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":  # the parser, too, looks for the text of a line that is wrong, and does without
            raise denied("no files for programs")
        if event not in allowed or (event == "object.__setattr__" and "__code__" in arguments[1:2]):
            write(DESCRIPTORS - 1, failure("forbidden", event))
            leave(0)

    return hook


class Forbidden(ImportError):
    """The import of a module that programs do not get."""


class Denied(PermissionError):
    """The call of a builtin that programs do not get."""


def _denied(name: str) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise Denied(f"no {name}() for programs")

    return call


def _importer() -> Callable[..., Any]:
    real, allowed = builtins.__import__, frozenset(MODULES)

    def importer(name: str, scope: Any = None, local: Any = None, names: Any = (), level: int = 0) -> Any:
        if level or name not in allowed:
            raise Forbidden(f"no module {str(name)[:40]!r} for programs")
        return real(name, scope, local, names, level)

    return importer


def _play(request: dict[str, Any]) -> None:
    """Run the program and send what it made; does not return."""
    import random

    send, leave = _send, os._exit
    random.seed(0)
    inner = {name: value for name, value in vars(builtins).items() if name not in HIDDEN}
    inner |= {name: _denied(name) for name in DENIED}
    inner["__import__"] = _importer()
    scope: dict[str, Any] = {"__name__": "__main__", "__builtins__": inner}
    for name in ("ctypes", "_ctypes", "resource", "select", "signal", "posix", "os", "sys"):
        sys.modules.pop(name, None)  # programs have no use for them; it stops nobody who is after them
    sys.addaudithook(_guard())
    try:
        exec(compile(request["program"], "program", "exec"), scope)
        body = _made(scope, request["items"])
    except MemoryError:
        scope.clear()
        body = _failure("memory", "MemoryError")
    except (Forbidden, Denied) as error:
        body = _failure("forbidden", str(error))
    except BaseException as error:
        body = _failure("error", _words(error))
    send(body)
    leave(0)


def _words(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}".splitlines()[0]
    except BaseException:
        return name


def _made(scope: dict[str, Any], most: int) -> bytes:
    if "output" not in scope:
        return _failure("type", "it set no variable output")
    made = scope["output"]
    if type(made) is not list:
        return _failure("type", f"output is a {type(made).__name__}, not a list")
    if len(made) > most:
        return _failure("items", f"output has {len(made):,} items, more than {most:,}")
    for at, item in enumerate(made):
        if type(item) is not int:
            return _failure("value", f"output[{at}] is a {type(item).__name__}, not an int")
        if not 0 <= item <= 255:
            return _failure("value", f"output[{at}] is not in 0..255")
    return b"+" + bytes(made)


if __name__ == "__main__":
    main()
