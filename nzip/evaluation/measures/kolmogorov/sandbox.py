"""Runs programs that nobody vouches for: text in, a list of numbers or the name of a failure out.

The KoLMogorov test (Yoran et al., ICLR 2025) has a model write a Python program that leaves a sequence in the variable
`output`. Such a program may do anything by mistake or on purpose, so it runs in layers, each of which holds what those
before it let through:

1. *A process of its own*, forked for one program from a bare interpreter with an empty environment, three descriptors
   that lead nowhere and one pipe; it leads a session of its own and is killed with it (SIGKILL, which nothing catches)
   at the end of its time, or when it sends more than its limit. Holds: endless loops, signal handlers, crashes, closed
   or flooded outputs.
2. *Limits of the kernel* (`setrlimit`): address space, processor time, no bytes to any file, no descriptor more, no
   process or thread more, no core. Those on processes do not hold root, so the interpreter becomes nobody first.
3. *Namespaces* (Linux, where an unprivileged user may make them): no network, no other process in sight, and an empty,
   read-only folder as the root of the file system, deleted before the first program runs. Whatever a program could have
   left running is killed with its namespace's other processes.
4. *A filter of system calls* (Linux on x86-64 and ARM64): 21 calls go through, for memory, the one pipe, clocks and the
   process's end. There is none among them that opens, connects, forks, executes, signals or traces. **This is the layer
   that security rests on**: it holds code that has taken over the interpreter, too.
5. *The interpreter* (PEP 578 audit hook, an importer with a list of modules, no `open` among the builtins): gives
   failures their name (`forbidden`). By itself it would stop only honest mistakes.

Without layer 4 `Sandbox` refuses to start, unless it is told `unsafe=True`. Windows has none of the layers, and is
refused always. What no layer holds: bugs of the kernel in those 21 calls, and the time and memory that are allowed.

A program finds its hash seed and `random` seeded with 0, so that it gives the same every time.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nzip.errors import NzipError, UnsupportedError
from nzip.evaluation.measures.kolmogorov.jail import read_failure

SECONDS = 2.0
MEMORY = 256 << 20
ITEMS = 256
LONGEST_PROGRAM = 1 << 20  # bytes of UTF-8
LONGEST_ANSWER = 1 << 16  # bytes, but for a list of more items
START = 30.0  # seconds that the interpreter may take to be ready
GRACE = 5.0  # seconds past a program's own that an answer may take
LOCK = "system calls"

# What can happen to a program other than to give a list.
KINDS = {
    "time": "took too long",
    "memory": "took too much memory",
    "output": "sent too much",
    "forbidden": "did what programs may not",
    "error": "raised an exception, or is no Python",
    "type": "left no list in output",
    "items": "made a list too long",
    "value": "made a list of other than integers in 0..255",
    "crash": "crashed, or ended the process",
    "sandbox": "could not be run",
}


@dataclass(frozen=True)
class Failure:
    """Why a program gave no list: `kind` is a key of KINDS."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class Sandbox:
    """A bare interpreter that runs programs, one at a time, each in a fork of its own (some milliseconds).

    Args:
        seconds: of the clock, for each program; processor time is held to the next whole second above.
        memory: bytes of address space, the interpreter's own included (some 30 MB).
        items: the longest list.
        unsafe: go on where the kernel cannot filter system calls.

    Attributes:
        layers: what holds programs here, as the process itself reported; known once it has started.

    Raises:
        ValueError: a limit is no positive number.
    """

    def __init__(
        self, *, seconds: float = SECONDS, memory: int = MEMORY, items: int = ITEMS, unsafe: bool = False
    ) -> None:
        if not (0 < seconds < 86_400 and memory > 0 and items >= 0):
            raise ValueError("seconds (below a day) and memory are positive, items is not negative")
        self.seconds, self.memory, self.items, self.unsafe = float(seconds), int(memory), int(items), unsafe
        self.layers: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._ends = (-1, -1)  # descriptors: to the interpreter, from it

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the interpreter, unless it runs.

        Raises:
            UnsupportedError: this system cannot hold programs.
            NzipError: it did not start.
        """
        if self._process is not None:
            return
        if os.name != "posix" or not hasattr(os, "fork"):
            raise UnsupportedError(
                "programs cannot be sandboxed on this system; run them on Linux, or score DSL programs"
            )
        folder = tempfile.mkdtemp(prefix="nzip-sandbox-")
        try:
            os.chmod(folder, 0o555)  # nobody has to be able to enter it, and nobody to write
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-S", "-B", str(Path(__file__).with_name("jail.py")), Path(folder).name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONHASHSEED": "0"},  # or a set's order would differ from run to run
                cwd=folder,
                bufsize=0,
                start_new_session=True,
            )
            assert self._process.stdin
            assert self._process.stdout
            self._ends = (self._process.stdin.fileno(), self._process.stdout.fileno())
            about = self._receive(time.monotonic() + START)
        except OSError as error:
            raise NzipError(f"the sandbox did not start: {error.strerror or error}") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if about is None:
            self.kill()
            raise NzipError("the sandbox did not start: its interpreter ended, or was not ready in time")
        try:
            self.layers = tuple(map(str, json.loads(about)["layers"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            self.kill()
            raise NzipError("the sandbox did not start: its interpreter gave no answer that makes sense") from None
        if LOCK not in self.layers and not self.unsafe:
            self.close()
            raise UnsupportedError(
                "this system cannot filter the system calls of programs (Linux on x86-64 or ARM64 can); "
                "run them in a machine or container that you can lose, with --unsafe"
            )

    def run(self, program: str) -> list[int] | Failure:
        """Return the list that a Python program leaves in `output`, or why there is none.

        Raises:
            UnsupportedError, NzipError: see `start`.
        """
        try:
            if len(program.encode()) > LONGEST_PROGRAM:
                return Failure("error", f"the program is longer than {LONGEST_PROGRAM:,} bytes")
        except UnicodeEncodeError:
            return Failure("error", "the program is no Unicode text")
        self.start()
        request = {"program": program, "seconds": self.seconds, "memory": self.memory, "items": self.items}
        body = json.dumps(request).encode()
        try:
            self._write(struct.pack("<I", len(body)) + body)
            answer = self._receive(time.monotonic() + self.seconds + GRACE)
        except OSError:
            answer = None
        if answer is None:
            self.kill()  # whatever took the interpreter down, the next program gets a new one
            return Failure("sandbox", "the interpreter was lost while the program ran")
        return _read_answer(answer, self.items)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._ends[0], rest) :]

    def _receive(self, end: float) -> bytes | None:
        """Return a frame's body; None when the process ended or did not answer in time."""
        descriptor = self._ends[1]
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        got = bytearray()
        size = 4
        while len(got) < size:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return None
            piece = os.read(descriptor, 65536)
            if not piece:
                return None
            got += piece
            if len(got) >= 4:
                size = 4 + struct.unpack_from("<I", got)[0]
                if size > 4 + max(self.items, LONGEST_ANSWER) + 1:
                    return None
        return bytes(got[4:size])

    def close(self) -> None:
        """End the interpreter and whatever it started."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        self.kill()

    def kill(self) -> None:
        """End the interpreter and whatever it started, now."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self.kill()


def _read_answer(answer: bytes, items: int) -> list[int] | Failure:
    if answer[:1] == b"+" and len(answer) - 1 <= items:
        return list(answer[1:])
    found = read_failure(answer, KINDS) if answer[:1] == b"-" else None
    if found is None:
        return Failure("sandbox", "an answer that makes no sense")
    # The words come from the program's process: shown as they are, but one line of letters.
    return Failure(found[0], "".join(letter if letter.isprintable() else " " for letter in found[1]))


def run(program: str, **limits: Any) -> list[int] | Failure:
    """Run one Python program in a `Sandbox` of its own; `limits` are its arguments."""
    with Sandbox(**limits) as sandbox:
        return sandbox.run(program)
