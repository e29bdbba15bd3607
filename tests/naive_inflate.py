"""RFC 1951 in plain Python: `inflated(stream)`, and the bits of a stream. `naive_deflate` chooses which."""

from __future__ import annotations

from typing import Any

from naive_openers import Corrupt, check

LENGTH_BITS = [0] * 8 + [k // 4 for k in range(4, 24)] + [0]
LENGTH_BASE = [3 + sum(1 << b for b in LENGTH_BITS[:k]) for k in range(28)] + [258]
FAR_BITS = [0, 0] + [k // 2 for k in range(28)]
FAR_BASE = [1 + sum(1 << b for b in FAR_BITS[:k]) for k in range(30)]
STEP_BITS = [0] * 16 + [2, 3, 7]
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
FIXED = ([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8, [5] * 32)

Token = Any  # a byte, or (length, distance)


def last_at_most(bases: list[int], value: int) -> int:
    return max(k for k, base in enumerate(bases) if base <= value)


# ---- RFC 1951


class Bits:
    def __init__(self, data: bytes):
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        check(count <= self.left)
        value = self.value & ((1 << count) - 1)
        self.value >>= count
        self.left -= count
        return value

    def symbol(self, codes: dict[tuple[int, int], int]) -> int:
        code = 0
        for length in range(1, 16):
            code = code << 1 | self.take(1)
            if (length, code) in codes:
                return codes[length, code]
        raise Corrupt


def codes_of(lengths: list[int]) -> dict[int, tuple[int, int]]:
    """symbol -> (length, code)."""
    out, code = {}, 0
    for length in range(1, 16):
        for symbol in (s for s, has in enumerate(lengths) if has == length):
            out[symbol] = (length, code)
            code += 1
        code <<= 1
    return out


def inflated(stream: bytes) -> bytes:
    """Return what a stream holds; Corrupt where it is none, or anything is behind it."""
    bits, out = Bits(stream), bytearray()
    final = 0
    while not final:
        final, kind = bits.take(1), bits.take(2)
        check(kind < 3)
        if kind == 0:
            bits.take(bits.left % 8)
            size = bits.take(16)
            check(bits.take(16) == size ^ 0xFFFF)
            out += bytes(bits.take(8) for _ in range(size))
            continue
        if kind == 1:
            pair = FIXED
        else:
            lits, fars, steps = bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4
            lengths = [0] * 19
            for k in ORDER[:steps]:
                lengths[k] = bits.take(3)
            codes = {v: k for k, v in codes_of(lengths).items()}
            row: list[int] = []
            while len(row) < lits + fars:
                symbol = bits.symbol(codes)
                if symbol < 16:
                    row.append(symbol)
                else:
                    many = bits.take(STEP_BITS[symbol]) + (11 if symbol == 18 else 3)
                    check(symbol != 16 or bool(row))
                    row += [row[-1] if symbol == 16 else 0] * many
            check(len(row) == lits + fars)
            pair = (row[:lits], row[lits:])
        first, second = ({v: k for k, v in codes_of(side).items()} for side in pair)
        while (symbol := bits.symbol(first)) != 256:
            if symbol < 256:
                out.append(symbol)
                continue
            check(symbol < 286)
            length = LENGTH_BASE[symbol - 257] + bits.take(LENGTH_BITS[symbol - 257])
            symbol = bits.symbol(second)
            check(symbol < 30)
            far = FAR_BASE[symbol] + bits.take(FAR_BITS[symbol])
            check(far <= len(out))
            for _ in range(length):
                out.append(out[-far])
    check(bits.left < 8)
    return bytes(out)


# ---- writing


class Header:
    """The header of a block with its own codes."""

    lits: int
    fars: int
    written: int
    steps: list[tuple[int, int]]
    step_lengths: list[int]


class Writer:
    def __init__(self) -> None:
        self.bits: list[int] = []

    def put(self, value: int, count: int) -> None:
        self.bits += [value >> k & 1 for k in range(count)]

    def code(self, pair: tuple[int, int]) -> None:
        length, code = pair
        self.bits += [code >> k & 1 for k in range(length - 1, -1, -1)]

    def align(self, padding: int = 0) -> None:
        self.put(padding, -len(self.bits) % 8)

    def stored(self, data: bytes, last: int) -> None:
        self.put(last, 3)
        self.align()
        self.put(len(data), 16)
        self.put(len(data) ^ 0xFFFF, 16)
        for byte in data:
            self.put(byte, 8)

    def tokens(self, tokens: list[Token], lits: list[int], fars: list[int]) -> None:
        first, second = codes_of(lits), codes_of(fars)
        for token in [*tokens, 256]:
            if isinstance(token, int):
                check(token in first)
                self.code(first[token])
                continue
            for value, bases, extra, codes, shift in (
                (token[0], LENGTH_BASE, LENGTH_BITS, first, 257),
                (token[1], FAR_BASE, FAR_BITS, second, 0),
            ):
                k = last_at_most(bases, value)
                check(k + shift in codes)
                self.code(codes[k + shift])
                self.put(value - bases[k], extra[k])

    def header(self, header: Header) -> None:
        self.put(header.lits - 257, 5)
        self.put(header.fars - 1, 5)
        self.put(header.written - 4, 4)
        for k in ORDER[: header.written]:
            self.put(header.step_lengths[k], 3)
        codes = codes_of(header.step_lengths)
        for symbol, many in header.steps:
            if symbol in codes:
                self.code(codes[symbol])
            if symbol > 15:
                self.put(many - (11 if symbol == 18 else 3), STEP_BITS[symbol])

    def data(self) -> bytes:
        value = sum(bit << k for k, bit in enumerate(self.bits))
        return value.to_bytes((len(self.bits) + 7) // 8, "little")
