"""Equal-Info Windows: a text cut in windows whose codes all have exactly W bits.

After Lester, Lee, Alemi, Pennington, Roberts, Sohl-Dickstein and Constant, "Training LLMs over Neurally Compressed
Text" (TMLR 2024): an arithmetic coder that starts anew at each window takes bytes greedily for as long as they have a
code of W bits. `docs/reference/EQUALINFO.md` is the specification; this file holds the arithmetic, the plain-Python
form of the algorithm for any model, and the same greedy rule for costs that are known (`cut_by_cost`).

A window's state is an interval of W-bit integers, [low, low + range * 2^shift). Invariants:

* range < 2^39 and, while shift > 0, range >= 2^38; totals of frequencies are at most 2^24. So no product passes 2^63,
  and every byte has a code while range >= total;
* narrowing is exact: the children of an interval are disjoint and lie inside it, nothing is rounded away later;
* the value with most trailing zeros in an interval is unique, and a child that holds it has it as its own too.

Variants: `reserved` keeps one value for "the window ends here" wherever a byte may not fit, so every value has one
meaning; `delay` and `lookahead` are the paper's: the shortest string of the interval, padded with zero bits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nzip.errors import CorruptError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_TOTAL = 1 << 24
REGISTER = 38  # bits of the range that are kept while there are more below
MIN_WINDOW, MAX_WINDOW = 8, 1 << 16
VARIANTS = ("reserved", "delay", "lookahead")  # by number; the numbers stand in files
RESERVED, DELAY, LOOKAHEAD = range(3)

Progress = Callable[[int, int], None]


class ByteModel(Protocol):
    """What drives the coder: the probabilities of the next byte, in integers.

    Equal histories since `reset` must give equal frequencies on every machine. The variants `delay` and `lookahead` go
    back in a window, and take copies with `copy.deepcopy` for it.
    """

    def reset(self) -> None:
        """Forget all bytes."""

    def frequencies(self) -> Sequence[int]:
        """Return 256 integers, each at least 1, their sum at most 2^24."""

    def update(self, byte: int) -> None:
        """Take the next byte, 0..255."""


class Windows(NamedTuple):
    """Windows of a text.

    Attributes:
        code: the windows' bits one after another, first bit in the highest place, zeros in the last byte.
        lengths: bytes of text of each window, int64, shape (windows,).
    """

    code: bytes
    lengths: npt.NDArray[np.int64]


class Interval:
    """The interval of a window: exact, in Python's integers."""

    __slots__ = ("first", "low", "range", "shift")

    def __init__(self, window_bits: int):
        self.low = 0
        self.range = 1 << min(window_bits, REGISTER)
        self.shift = window_bits - min(window_bits, REGISTER)
        self.first = True

    def edges(self, total: int, variant: int) -> tuple[int, int, int]:
        """Return (base, unit, span): a byte i begins at base + unit i + span c // total, c the sum below it."""
        if self.shift == 0 and self.range < total:
            if self.first:
                return 0, 1, self.range - 256  # every byte has a value: a window holds a byte at least
            if variant == RESERVED:
                return 1, 0, self.range - 1  # value 0 stays for the end
        return 0, 0, self.range

    def full(self, variant: int) -> bool:
        """Whether no byte can follow (then rounding alone would give one the last value)."""
        return variant != RESERVED and self.shift == 0 and self.range == 1

    def narrow(self, start: int, width: int) -> None:
        """Go to the part [start, start + width) of the range."""
        self.low += start << self.shift
        self.range = width
        while self.shift and self.range < 1 << REGISTER:
            self.range <<= 1
            self.shift -= 1
        self.first = False

    def shortest(self) -> int:
        """Return the value with most trailing zeros: the shortest string inside, padded with zeros."""
        if self.low == 0:
            return 0
        high = self.low + (self.range << self.shift) - 1
        zeros = ((self.low - 1) ^ high).bit_length() - 1
        return high >> zeros << zeros


def _sums(model: ByteModel) -> list[int]:
    """Return the 257 sums of frequencies below each byte."""
    sums = [0]
    for frequency in model.frequencies():
        if frequency < 1:
            raise ValueError("the model gave a byte a frequency below 1")
        sums.append(sums[-1] + int(frequency))
    if len(sums) != 257 or sums[-1] > MAX_TOTAL:
        raise ValueError(f"the model gave {len(sums) - 1} frequencies of sum {sums[-1]:,}; 256 and 2^24 are allowed")
    return sums


def _part(interval: Interval, sums: list[int], byte: int, variant: int) -> tuple[int, int]:
    """Return start and width of the byte's part of the range."""
    base, unit, span = interval.edges(sums[-1], variant)
    start = base + unit * byte + span * sums[byte] // sums[-1]
    return start, base + unit * (byte + 1) + span * sums[byte + 1] // sums[-1] - start


def _byte_at(interval: Interval, sums: list[int], point: int, variant: int) -> int:
    """Return the byte whose part holds `point` of the range; -1 where it is the value for the end."""
    base, unit, span = interval.edges(sums[-1], variant)
    if point < base:
        return -1
    low, high = 0, 256
    while high - low > 1:
        middle = (low + high) // 2
        if base + unit * middle + span * sums[middle] // sums[-1] <= point:
            low = middle
        else:
            high = middle
    return low


def encode_windows(
    data: bytes, model: ByteModel, window_bits: int, variant: int, every: int, progress: Progress | None = None
) -> Windows:
    """Cut and code `data` with any model, in plain Python.

    Args:
        data: the text.
        model: what predicts; it is reset here.
        window_bits: W, 8..65,536.
        variant: RESERVED, DELAY or LOOKAHEAD.
        every: the model is reset at every window (1), every second (2), or never (0) but at the beginning.
        progress: called now and then with bytes done and bits written.

    Raises:
        ValueError: the model gives frequencies that are not allowed.
    """
    import numpy as np

    model.reset()
    values: list[int] = []
    lengths: list[int] = []
    at = 0
    while at < len(data):
        if every and len(values) % every == 0:
            model.reset()
        begin, interval, mark = at, Interval(window_bits), -1
        kept: tuple[int, Any] = (at, None)
        while at < len(data) and not interval.full(variant):
            start, width = _part(interval, _sums(model), data[at], variant)
            if width < 1:
                break
            interval.narrow(start, width)
            model.update(data[at])
            at += 1
            if variant == DELAY and interval.shortest() != mark:
                mark, kept = interval.shortest(), (at, copy.deepcopy(model))
        ended_inside = at < len(data) and variant == RESERVED
        values.append(interval.low if ended_inside else interval.shortest())
        if variant == DELAY:  # bytes that add zeros only wait for the next window
            at, model = kept
        lengths.append(at - begin)
        if progress is not None and len(values) % 256 == 0:
            progress(at, len(values) * window_bits)
    return Windows(_join(values, window_bits), np.array(lengths, np.int64))


def decode_windows(
    code: bytes,
    windows: int,
    length: int,
    model: ByteModel,
    window_bits: int,
    variant: int,
    every: int,
    forced: dict[int, int] | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Return the text of `windows` windows: the inverse of `encode_windows` with the same settings.

    Args:
        code: the bits of all windows.
        windows: how many there are.
        length: bytes of the whole text.
        model, window_bits, variant, every, progress: as for encoding.
        forced: of `lookahead`, the lengths of windows that the decoder's rule gets wrong, by the window's number.

    Raises:
        CorruptError: the windows hold more or fewer bytes than `length`.
    """
    model.reset()
    values = _cut(code, windows, window_bits)
    out = bytearray()
    for number, value in enumerate(values):
        if every and number % every == 0:
            model.reset()
        interval, taken = Interval(window_bits), 0
        last = number + 1 == windows
        following = None if last else values[number + 1]
        resets = bool(every) and (number + 1) % every == 0
        known = (forced or {}).get(number, 0)
        while True:
            if taken and variant == LOOKAHEAD:
                if known or last:
                    ended = taken == known or (last and len(out) == length)
                else:
                    ended = interval.shortest() == value and _ends(interval, model, following, window_bits, resets)
            elif taken and variant == DELAY:
                ended = interval.shortest() == value
            else:
                ended = bool(taken) and last and len(out) == length
            if ended:
                break
            sums = _sums(model)
            byte = _byte_at(interval, sums, (value - interval.low) >> interval.shift, variant)
            if byte < 0:
                break
            if len(out) == length or interval.full(variant):
                raise CorruptError("the windows hold another number of bytes than was stated")
            interval.narrow(*_part(interval, sums, byte, variant))
            model.update(byte)
            out.append(byte)
            taken += 1
        if progress is not None and number % 256 == 255:
            progress(len(out), (number + 1) * window_bits)
    if len(out) != length:
        raise CorruptError("the windows hold another number of bytes than was stated")
    return bytes(out)


def _ends(interval: Interval, model: ByteModel, following: int | None, window_bits: int, resets: bool) -> bool:
    """Whether the first byte of the next window, as it would be if this one ended here, has no room in this one."""
    if following is None or interval.full(LOOKAHEAD):
        return True
    ahead = copy.deepcopy(model)
    if resets:
        ahead.reset()
    fresh = Interval(window_bits)
    byte = _byte_at(fresh, _sums(ahead), following >> fresh.shift, LOOKAHEAD)
    return _part(interval, _sums(model), byte, LOOKAHEAD)[1] < 1


def wrong_lengths(data: bytes, found: Windows, model: ByteModel, window_bits: int, every: int) -> dict[int, int]:
    """Return the lengths of the windows that the look-ahead decoder's rule gets wrong, by the window's number."""
    model.reset()
    values = _cut(found.code, len(found.lengths), window_bits)
    wrong: dict[int, int] = {}
    at = 0
    for number, (value, length) in enumerate(zip(values, found.lengths.tolist(), strict=True)):
        if every and number % every == 0:
            model.reset()
        interval = Interval(window_bits)
        last = number + 1 == len(values)
        following = None if last else values[number + 1]
        resets = bool(every) and (number + 1) % every == 0
        for taken in range(1, length + 1):
            interval.narrow(*_part(interval, _sums(model), data[at], LOOKAHEAD))
            model.update(data[at])
            at += 1
            if not last:
                ended = interval.shortest() == value and _ends(interval, model, following, window_bits, resets)
                if ended != (taken == length):
                    wrong[number] = length
    return wrong


def _join(values: list[int], bits: int) -> bytes:
    """Return the values one after another, `bits` each, as bytes."""
    pieces = []
    for begin in range(0, len(values), 8):  # eight of them are whole bytes, whatever `bits` is
        number = 0
        eight = values[begin : begin + 8]
        for value in eight:
            number = number << bits | value
        missing = -len(eight) * bits % 8
        pieces.append((number << missing).to_bytes((len(eight) * bits + missing) // 8, "big"))
    return b"".join(pieces)


def _cut(code: bytes, count: int, bits: int) -> list[int]:
    """Return the first `count` values of `bits` bits of `code`."""
    values = []
    for number in range(count):
        begin = number * bits
        end = begin + bits
        piece = int.from_bytes(code[begin // 8 : (end + 7) // 8], "big")
        values.append(piece >> (-end % 8) & ((1 << bits) - 1))
    return values


def cut_by_cost(costs: npt.ArrayLike, budget: int) -> npt.NDArray[np.int64]:
    """Cut a sequence greedily in parts whose costs sum to `budget` at most; for blocks of equal compressed size.

    Args:
        costs: what each symbol costs, integers of any one unit (say 1/65,536 bit), shape (n,). Their sum is below 2^63.
        budget: what a part may cost, in the same unit. A symbol that alone costs more is a part of its own.

    Returns:
        The ends of the parts, int64, ascending; the last is n. Empty for n = 0.

    Raises:
        ValueError: costs are no integers or negative, or the budget is not positive.

    >>> cut_by_cost([3, 3, 3, 9, 1], 7).tolist()
    [2, 3, 4, 5]
    """
    import numpy as np

    array = np.asarray(costs)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or int(array.min()) < 0:
        raise ValueError("costs must be non-negative integers of shape (n,)")
    if budget < 1:
        raise ValueError(f"the budget must be positive, got {budget}")
    sums = np.concatenate(([0], np.cumsum(array.astype(np.int64))))
    ends: list[int] = []
    at = 0
    while at < array.size:
        at = max(int(np.searchsorted(sums, sums[at] + budget, "right")) - 1, at + 1)
        ends.append(at)
    return np.array(ends, np.int64)
