"""The guess of a stretch's class (text, binary, bitmap) and of the length of its records, from samples.

Only integers take part, so every machine guesses alike. Engines choose their contexts by it and write it in their
payloads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.formats.content.kinds import BINARY, BITMAP, TEXT, Content, Segment

SAMPLE = 1 << 14
MAX_DISTANCE = 1100
SHORT = 256  # where only transforms use the record length: their strides are below it
CONTROL_SHARE = 8  # one control byte in so many makes bytes binary,
HIGH_SHARE, HIGH_CONTROL_SHARE = 8, 512  # and so do one byte above 127 and one control byte in so many
EVEN_TENTHS = 6  # a bitmap's share of bytes that are 0 or 255, in tenths, at least
REPEATS_SHARE = 4  # and of its bytes that do not continue a run, one in so many repeats in the next row


class Guess(NamedTuple):
    """What samples show.

    Attributes:
        cls: the class.
        record: the distance at which most bytes repeat; 0 for text.
        regular: whether that they repeat there is no accident.
    """

    cls: int
    record: int = 0
    regular: bool = False


def guess(data: bytes, reach: int = MAX_DISTANCE) -> Guess:
    """Return the class and the record length of `data`, below `reach`; the class is `BITMAP` where it may be one.

    Bytes that continue a run are not counted as repeats: they repeat at every distance.
    """
    import numpy as np

    sample = _sample(np.frombuffer(data, np.uint8))
    counts = np.bincount(sample, minlength=256)
    if is_text(counts[:9].sum() + counts[14:32].sum(), counts[128:].sum(), counts.sum()):
        return Guess(TEXT)
    fresh = np.ones(len(sample), np.bool_)
    fresh[1:] = sample[1:] != sample[:-1]
    scores = repeats(sample, fresh, reach)
    best = int(scores.max())
    # A multiple of the length repeats nearly as often: the shortest of the good ones is taken.
    record = 2 + int(np.argmax(scores[2:] >= max(1, best - best // 32)))
    # A bitmap is mostly white or black, and its rows resemble each other.
    even = int(counts[0] + counts[255]) * 10 > len(sample) * EVEN_TENTHS
    alike = best * REPEATS_SHARE > int(np.count_nonzero(fresh))
    typical = int(np.sort(scores[2:])[(len(scores) - 2) // 2])
    regular = (best - typical) * 16 >= len(sample)
    return Guess(BITMAP if even and alike and record > 2 else BINARY, record, regular)


def plain(data: bytes) -> Content:
    """Return the content of bytes of which no more is known than their class and record length."""
    cls, record, _ = guess(data)
    return Content((Segment("binary", len(data), cls, record=record),))


def is_text(control: Any, high: Any, size: Any) -> Any:
    """Whether bytes are text rather than samples or records; of integers, or of arrays of them.

    Args:
        control: how many are control characters that text does not have.
        high: how many are above 127.
        size: how many there are.
    """
    # Samples of sound, pictures and tensors hold few control characters; text in any encoding holds next to none.
    samples = (high * HIGH_SHARE > size) & (control * HIGH_CONTROL_SHARE > size)
    return (control * CONTROL_SHARE <= size) & ~samples


def repeats(sample: Any, fresh: Any, reach: int = MAX_DISTANCE) -> Any:
    """Count for each distance the bytes where `fresh` is true and that equal the byte so far back.

    Args:
        sample: uint8 array.
        fresh: array of truth values, as long.
        reach: distances from here on are left out.

    Returns:
        An int64 array; distances 0 and 1 are not counted.
    """
    import numpy as np

    n = len(sample)
    scores = np.zeros(max(3, min(reach, n // 3)), np.int64)
    for distance in range(2, min(n, len(scores))):
        same = sample[distance:] == sample[: n - distance]
        same &= fresh[distance:]
        scores[distance] = np.count_nonzero(same)
    return scores


def _sample(data: Any) -> Any:
    import numpy as np

    if len(data) <= SAMPLE:
        return data
    third = len(data) // 3
    return np.concatenate((data[third:][: SAMPLE // 2], data[2 * third :][: SAMPLE // 2]))
