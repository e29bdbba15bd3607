"""The samples of tracker modules: Impulse Tracker, Scream Tracker 3, FastTracker 2 and ProTracker.

Most of such a file is sound, one short piece after another, each with a header elsewhere. Samples that Impulse Tracker
compressed stay as they are. FastTracker's are written as differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.kinds import Segment

IMPULSE, SCREAM, FAST, PRO = b"IMPM", b"SCRM", b"Extended Module: ", b"M.K."
MAGICS = {IMPULSE: 0, SCREAM: 44, FAST: 0, PRO: 1080}  # the word of each, and how far from the start it stands
LEAST = 256  # bytes of a sample
MOST = 4096  # samples, patterns, and samples of an instrument
HEADED = 95  # confidence

Sample = tuple[int, int, int, bool]  # where it begins, its bytes, those of one value, whether it has differences


def find(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Return the samples of the module whose word is at `at` of `data`, in the order in which they lie there."""
    for magic, reader in ((IMPULSE, _impulse), (SCREAM, _scream), (FAST, _fast), (PRO, _pro)):
        if data.startswith(magic, at) and at >= MAGICS[magic]:
            return _apart(data, sorted(reader(data, at - MAGICS[magic], budget)))
    return []


def _apart(data: bytes, samples: list[Sample]) -> list[Found]:
    found: list[Found] = []
    at = 0
    for begin, size, width, differences in samples:
        end = begin + size
        if size < LEAST or begin < at or end > len(data):
            continue
        if differences:
            hints = {"row": size, "width": width, "channels": 1}
            found.append(Found(begin, end, "differences", hints, inside=_sound(width)))
        else:
            found.append(Found(begin, end, segment=_segment(size, width)))
        at = end
    return found


def _segment(size: int, width: int) -> Segment:
    return Segment("audio", size, width=width, channels=1, stride=width, confidence=HEADED)


def _sound(width: int) -> Callable[[bytes], Iterable[Found]]:
    return lambda samples: [Found(0, len(samples), segment=_segment(len(samples), width))]


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _impulse(data: bytes, start: int, budget: Budget) -> Iterable[Sample]:
    orders, instruments, samples = (_number(data, start + k, 2) for k in (0x20, 0x22, 0x24))
    for k in budget.steps(min(samples, MOST)):
        head = start + _number(data, start + 0xC0 + orders + 4 * (instruments + k), 4)
        flags, width = _number(data, head + 0x12, 1), 1
        if data[head : head + 4] != b"IMPS" or not flags & 1 or flags & 8:
            continue
        width = 2 if flags & 2 else 1
        begin, size = start + _number(data, head + 0x48, 4), _number(data, head + 0x30, 4) * width
        yield begin, size, width, False
        if flags & 4:
            yield begin + size, size, width, False


def _scream(data: bytes, start: int, budget: Budget) -> Iterable[Sample]:
    orders, instruments = (_number(data, start + k, 2) for k in (0x20, 0x22))
    for k in budget.steps(min(instruments, MOST)):
        head = start + 16 * _number(data, start + 0x60 + orders + 2 * k, 2)
        flags = _number(data, head + 0x1F, 1)
        if data[head + 0x4C : head + 0x50] != b"SCRS" or data[head : head + 1] != b"\1" or data[head + 0x1E]:
            continue
        width = 2 if flags & 4 else 1
        begin = start + 16 * (_number(data, head + 0x0E, 2) | _number(data, head + 0x0D, 1) << 16)
        size = _number(data, head + 0x10, 4) * width
        yield begin, size, width, False
        if flags & 2:
            yield begin + size, size, width, False


def _fast(data: bytes, start: int, budget: Budget) -> Iterable[Sample]:
    patterns, instruments = _number(data, start + 70, 2), _number(data, start + 72, 2)
    at = start + 60 + _number(data, start + 60, 4)
    for _ in budget.steps(min(patterns, MOST)):
        at += _number(data, at, 4) + _number(data, at + 7, 2)
    for _ in budget.steps(min(instruments, MOST)):
        samples, size = _number(data, at + 27, 2), _number(data, at + 29, 4)
        at += _number(data, at, 4)
        if at >= len(data) or samples > MOST:
            return
        heads = [at + k * size for k in budget.steps(samples)]
        at += samples * size
        for head in heads:
            length = _number(data, head, 4)
            yield at, length, 2 if _number(data, head + 14, 1) & 16 else 1, True
            at += length


def _pro(data: bytes, start: int, budget: Budget) -> Iterable[Sample]:
    if start + 1084 > len(data):
        return
    at = start + 1084 + 1024 * (1 + max(data[start + 952 : start + 1080]))
    for k in budget.steps(31):
        size = 2 * int.from_bytes(data[start + 42 + 30 * k : start + 44 + 30 * k], "big")
        yield at, size, 1, False
        at += size
