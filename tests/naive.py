"""Slow references in plain Python integers: the same definitions as the kernels, written without their tricks."""

from __future__ import annotations

from fractions import Fraction


def quantise_counts(counts, precision, *, keep_zeros=False):
    """Largest remainders over exact fractions."""
    floor = [1 if c or not keep_zeros else 0 for c in counts]
    left = (1 << precision) - sum(floor)
    total = sum(counts)
    exact = [Fraction(c * left, total) for c in counts]
    shares = [int(x) for x in exact]
    order = sorted(range(len(counts)), key=lambda i: (-(exact[i] - shares[i]), i))
    for i in order[: left - sum(shares)]:
        shares[i] += 1
    return [s + f for s, f in zip(shares, floor, strict=True)]


def rans_words(intervals, precision, lanes):
    """Words of an interleaved rANS stream; the states are unbounded integers cut at 2^63."""
    states = [1 << 31] * lanes
    words = []
    for i in reversed(range(len(intervals))):
        start, freq = intervals[i]
        x = states[i % lanes]
        if x >= freq << (63 - precision):
            words.append(x & 0xFFFFFFFF)
            x >>= 32
        states[i % lanes] = (x // freq << precision) + x % freq + start
    head = [part for x in states for part in (x & 0xFFFFFFFF, x >> 32)]
    return head + words[::-1]


def interval_code(intervals, bits, renorm):
    """Bytes of a carrying range coder of `bits` bits that renormalises below 2^renorm.

    `intervals` yields functions from a range to (start, width) in its units. The number coded so far is one unbounded
    integer, so there are no carries to take care of.
    """
    low, size, shift = 0, (1 << bits) - 1, 0
    for interval in intervals:
        start, size = interval(size)
        low += start
        while size < 1 << renorm:
            low <<= 8
            size <<= 8
            shift += 8
    if low == 0:
        return bytes(shift // 8)
    # The shortest end: none, or one byte beyond those that renormalisation moved out.
    for extra in (0, 1):
        unit = 1 << (bits - 8 * extra)
        value = -(-low // unit) * unit
        if value < low + size:
            count = shift // 8 + extra
            return (value >> (bits - 8 * extra)).to_bytes(count + 1, "big")[-count:] if count else b""
    raise AssertionError("the last range holds no number of one byte more")


class BinaryCoder:
    """The binary coder: two bounds, of which leading bytes that are equal leave. With `coded` it decodes."""

    def __init__(self, coded=None):
        self.low, self.high, self.out = 0, 0xFFFFFFFF, bytearray()
        self.coded = coded
        self.read = 0
        self.window = self._next(4)

    def _next(self, count):
        """Return the next bytes as a number; behind the last one stand zeros."""
        if self.coded is None:
            return 0
        self.read += count
        return int.from_bytes(self.coded[self.read - count : self.read].ljust(count, b"\0"), "big")

    def code(self, p, bit=0):
        """Encode `bit`, whose chance to be 1 is p / 65536, or decode one; return it."""
        middle = self.low + ((self.high - self.low) * p >> 16)
        if self.coded is not None:
            bit = int(self.window <= middle)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            self.out.append(self.high >> 24)
            self.low, self.high = self.low % (1 << 24) << 8, self.high % (1 << 24) << 8 | 255
            self.window = self.window % (1 << 24) << 8 | self._next(1)
        return bit

    def end(self):
        """Return all bytes: at the end the fewest that, with zeros behind them, lie between the bounds."""
        for k in range(5):
            unit = 1 << (32 - 8 * k)
            number = -(-self.low // unit)
            if number * unit <= self.high:
                return bytes(self.out) + number.to_bytes(k, "big")
        raise AssertionError("four bytes always do")


def binary_code(bits, probs):
    """Bytes of the binary coder."""
    coder = BinaryCoder()
    for bit, prob in zip(bits, probs, strict=True):
        coder.code(prob, bit)
    return coder.end()


def range_code(triples):
    """Bytes of the multi-symbol range coder for (start, freq, total)."""

    def interval(start, freq, total):
        def cut(size):
            unit = size // total
            return unit * start, (unit * freq if start + freq < total else size - unit * start)

        return cut

    return interval_code([interval(*t) for t in triples], 48, 40)


def adaptive_triples(symbols, alphabet, increment, limit):
    """Intervals of an adaptive model with plain lists."""
    freqs = [1] * alphabet
    for symbol in symbols:
        yield sum(freqs[:symbol]), freqs[symbol], sum(freqs)
        freqs[symbol] += increment
        if sum(freqs) > limit:
            freqs = [(f + 1) // 2 for f in freqs]
