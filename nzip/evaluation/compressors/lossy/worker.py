"""Runs one lossy codec, in a process of its own that has one thread, and takes the times.

Numba, torch and numpy's linear algebra read how many threads they may have when they start, so a process is what holds
them to one. `CodecProcess` is this side: it starts the process when it is first asked, and again if it died. `main` is
the other: it is sent signals and settings, and answers with what came of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from nzip.closing import Closing
from nzip.errors import NzipError
from nzip.evaluation.compressors.lossy.codec import LossyCodec, fitted
from nzip.evaluation.compressors.lossy.selection import find
from nzip.evaluation.data.signals import Signal
from nzip.evaluation.harness.child import Child, ChildDied, serve
from nzip.evaluation.harness.jobs import said

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


class CodecProcess(Closing):
    """A codec ready to run: in a process of its own if that process can find it, else here.

    Use it as a context manager; the process ends with it.
    """

    def __init__(self, codec: LossyCodec) -> None:
        self.codec = codec
        self._child: Child | None = None

    def code(self, signal: Signal, setting: int, *, repeat: int = 1, warm_up: bool = False) -> Coded:
        """Do what the function `code` does.

        Raises:
            NzipError: it failed, or the process died.
        """
        if not self.codec.built_in:
            try:
                return code(self.codec, signal, setting, repeat=repeat, warm_up=warm_up)
            except Exception as error:  # whatever a codec raises is a result
                raise NzipError(said(error)) from None
        if self._child is None:
            self._child = Child("nzip.evaluation.compressors.lossy.worker", ONE_THREAD)
            self._child.send((self.codec.kind, self.codec.name))
        self._child.send((signal, setting, repeat, warm_up))
        try:
            answer: Coded | str = self._child.receive()
        except ChildDied as death:
            self.close()
            raise NzipError(str(death)) from None
        if isinstance(answer, str):
            raise NzipError(answer)
        return answer

    def close(self) -> None:
        """End the process; another call of `code` starts a new one."""
        if self._child is not None:
            self._child.close()
            self._child = None


def main() -> int:
    """Serve: a codec's kind and name first, then signals and settings until there are no more."""
    requests, send = serve()
    codec = find(*next(requests))
    for signal, setting, repeat, warm_up in requests:
        answer: Coded | str
        try:
            answer = code(codec, signal, setting, repeat=repeat, warm_up=warm_up)
        except Exception as error:  # whatever a codec raises is a result
            answer = said(error)
        send(answer)
    return 0
