"""Runs one lossy codec, in a process of its own that has one thread, and takes the times.

Numba, torch and numpy's linear algebra read how many threads they may have when they start, so a process is what holds
them to one. `CodecProcess` is this side: it starts the process when it is first asked, and again if it died. `main` is
the other: it reads pickles of signals and settings from standard input and writes what came of them to standard output.
Only the two talk to each other.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from nzip.errors import NzipError
from nzip.evaluation.compressors.lossy.codec import LossyCodec, fitted
from nzip.evaluation.compressors.lossy.selection import find
from nzip.evaluation.data.signals import Signal

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
    ),
    "1",
)

_START = (
    "import json,sys; sys.path[:]=json.loads(sys.stdin.buffer.readline());"
    "from nzip.evaluation.compressors.lossy.worker import main; raise SystemExit(main())"
)


@dataclass(frozen=True)
class Coded:
    """What became of a signal: its bytes, the lossy signal in the original's shape, and seconds each way."""

    data: bytes
    signal: Signal
    encode_s: float
    decode_s: float


def code(codec: LossyCodec, signal: Signal, setting: int, *, repeat: int = 1, warm_up: bool = False) -> Coded:
    """Encode and decode a signal.

    Args:
        codec: which.
        signal: what.
        setting: the codec's.
        repeat: the best time of so many runs counts.
        warm_up: go once both ways beforehand, so that neither compiling nor loading is measured.

    Raises:
        NzipError: the codec did not take the signal, or gave another shape back.
    """
    if warm_up:
        codec.decode(codec.encode(signal, setting))
    encode_s, decode_s = [], []
    for _ in range(repeat):
        begin = time.perf_counter()
        data = codec.encode(signal, setting)
        middle = time.perf_counter()
        decoded = codec.decode(data)
        decode_s.append(time.perf_counter() - middle)
        encode_s.append(middle - begin)
    return Coded(data, fitted(codec, decoded, signal), min(encode_s), min(decode_s))


class CodecProcess:
    """A codec ready to run: in a process of its own if that process can find it, else here.

    Use it as a context manager; the process ends with it.
    """

    def __init__(self, codec: LossyCodec) -> None:
        self.codec = codec
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    def __enter__(self) -> CodecProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def code(self, signal: Signal, setting: int, *, repeat: int = 1, warm_up: bool = False) -> Coded:
        """Do what the function `code` does.

        Raises:
            NzipError: it failed, or the process died.
        """
        if not self.codec.built_in:
            try:
                return code(self.codec, signal, setting, repeat=repeat, warm_up=warm_up)
            except Exception as error:  # whatever a codec raises is a result
                raise NzipError(_said(error)) from None
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((signal, setting, repeat, warm_up), self._process.stdin)
            self._process.stdin.flush()
            answer: Coded | str = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            raise NzipError(self._last_words()) from None
        if isinstance(answer, str):
            raise NzipError(answer)
        return answer

    def _start(self) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _stop
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, **ONE_THREAD},
        )
        assert self._process.stdin is not None
        # The same modules as here, wherever they come from.
        path = [str(Path(entry).resolve()) for entry in sys.path]
        self._process.stdin.write(json.dumps(path).encode() + b"\n")
        pickle.dump((self.codec.kind, self.codec.name), self._process.stdin)

    def _last_words(self) -> str:
        assert self._process is not None
        assert self._complaints is not None
        self._process.kill()
        status = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
        self._stop()
        return lines[-1] if lines else f"its process ended with status {status}"

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                try:
                    stream.close()
                except OSError:
                    continue  # what was still to be sent has no reader any more
            self._process = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None


def _said(error: Exception) -> str:
    """Return an error as one line: as it is if nzip raised it for users, else with its kind."""
    words = " ".join(str(error).split())
    return words if isinstance(error, NzipError) else f"{type(error).__name__}: {words}"


def main() -> int:
    """Serve: a codec's kind and name first, then signals and settings until the input ends."""
    requests = sys.stdin.buffer
    # Nothing that a library prints may mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    codec = find(*pickle.load(requests))
    while True:
        try:
            signal, setting, repeat, warm_up = pickle.load(requests)
        except EOFError:
            return 0
        answer: Any
        try:
            answer = code(codec, signal, setting, repeat=repeat, warm_up=warm_up)
        except Exception as error:  # whatever a codec raises is a result
            answer = _said(error)
        pickle.dump(answer, answers)
        answers.flush()
