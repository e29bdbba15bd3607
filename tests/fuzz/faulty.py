"""Targets that have every fault there is, which shows that the fuzzer would see them: `python -m fuzz.faulty FOLDER`.

The last one is nzip with the check of blocks taken out.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path
from random import Random
from typing import ClassVar

from nzip.entropy import jit

from . import harness
from .lossless import ContainerTarget
from .target import MEBI, RIGHT, Target, Wrong


class Faulty(Target):
    """Does what its name says at case 13."""

    limit = 8 * MEBI

    def prepare(self) -> None:
        pass

    def mutation(self, r: Random) -> bytes:
        self.made = getattr(self, "made", 0) + 1
        return b"%d" % r.getrandbits(40)

    def run(self, case: bytes) -> str:
        if case == harness.case_of(self, SEED, 13):
            self.fail()
        return RIGHT

    def fail(self) -> None:
        raise NotImplementedError


class Crash(Faulty):
    name = "crash"

    def fail(self) -> None:
        ctypes.string_at(0)


class Exits(Faulty):
    name = "exits"

    def fail(self) -> None:
        ctypes.CDLL(None)._exit(3)


class Loop(Faulty):
    name = "loop"

    def fail(self) -> None:
        while True:
            pass


class Sleep(Faulty):
    name = "sleep"

    def fail(self) -> None:
        time.sleep(1000)


class Grows(Faulty):
    name = "grows"

    def fail(self) -> None:
        assert len(b"x" * (harness.BESIDE + 30 * MEBI))


class Takes(Faulty):
    name = "takes"

    def fail(self) -> None:
        bytearray(8 << 30)


class Raises(Faulty):
    name = "raises"

    def fail(self) -> None:
        raise IndexError("no such thing")


class Lies(Faulty):
    name = "lies"

    def fail(self) -> None:
        raise Wrong("other bytes")


class Compiles(Faulty):
    """Has no fault: what takes long the first time is a kernel's compilation."""

    name = "compiles"
    done = False

    def fail(self) -> None:
        if self.done:
            return
        self.done = True
        for listener in list(jit._listeners):
            listener("kernel")
        end = time.process_time() + 4 * harness.SECONDS
        while time.process_time() < end:
            pass


class Unchecked(ContainerTarget):
    """Blocks whose check is not looked at."""

    name = "unchecked"
    share: ClassVar[float] = 1.0
    believes = 0.0

    def enter(self) -> None:
        from nzip.codec import blocks, decompressor

        decompressor.decode_block = lambda header, payload, *_: blocks._decode(header, payload)  # type: ignore[attr-defined]


SEED = 5
KINDS = [Crash, Exits, Loop, Sleep, Grows, Takes, Raises, Lies, Compiles, Unchecked]


def main() -> None:
    folder = Path(sys.argv[1])
    harness.SECONDS, harness.STILL = 0.7, 3.0
    targets = [kind() for kind in KINDS]
    for target in targets:
        target.prepare()
    counts = {target.name: 1500 if target.name == "unchecked" else 20 for target in targets}
    run = harness.Run(targets, SEED, counts, folder, 2)
    whole = run.go()
    again = [harness.tried(Raises(), harness.read(path)[1])[1] for path in folder.glob("raises-*")]
    made = {**run.to_dict(), "whole": whole, "again": [found.key if found else None for found in again]}
    print(json.dumps(made))


if __name__ == "__main__":
    main()
