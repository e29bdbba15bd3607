"""The engine `bilevel` in plain Python, written from docs/reference/BILEVEL.md."""

from __future__ import annotations

import naive_cm as cm
from naive import BinaryCoder
from naive_bundle import Cursor

K1, K2 = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
WORD = (1 << 64) - 1


def joined(*parts: tuple[int, int]) -> int:
    """A number of parts (value, bits), the first one lowest."""
    number = shift = 0
    for value, bits in parts:
        number |= (value % (1 << bits)) << shift
        shift += bits
    return number


class Model:
    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], list[int]] = {}
        self.weights: dict[tuple[int, int], list[int]] = {}
        self.sse: dict[int, cm.AdaptiveMap] = {}

    def picture(self, rows: list[list[int]], width: int, height: int, coder: BinaryCoder) -> list[list[int]]:
        """Code rows of pixels; when decoding, `rows` is empty."""
        made: list[list[int]] = []
        for y in range(height):
            made.append([])
            for x in range(width):
                made[y].append(self.pixel(made, x, y, coder, rows[y][x] if rows else 0))
        return made

    def pixel(self, made: list[list[int]], x: int, y: int, coder: BinaryCoder, bit: int) -> int:
        def at(up: int, right: int) -> int:
            row, column = y - up, x + right
            return made[row][column] if row >= 0 and 0 <= column < len(made[row]) else 0

        def span(up: int, left: int, right: int) -> tuple[int, int]:
            pixels = [at(up, k) for k in range(right, -left - 1, -1)]
            return sum(pixel << k for k, pixel in enumerate(pixels)), len(pixels)

        def a(left: int, right: int) -> tuple[int, int]:
            return span(1, left, right)

        def b(left: int, right: int) -> tuple[int, int]:
            return span(2, left, right)

        def c(left: int, right: int) -> tuple[int, int]:
            return span(3, left, right)

        def d(left: int, right: int) -> tuple[int, int]:
            return span(4, left, right)

        last, _ = span(0, 16, -1)
        n0, n1, n2, n3 = (part[0].bit_count() for part in (span(0, 8, -1), a(6, 6), b(5, 5), c(4, 4)))
        far = joined((last, 5), a(4, 4), b(4, 4), c(4, 4), d(3, 3))
        h = joined((last, 12), a(8, 8), b(8, 8)) | c(4, 7)[0] << 46
        g = h * K2 & WORD
        g = (g ^ g >> 32) + d(8, 8)[0] * 0x9E3779B1 + at(3, 8) & WORD
        numbers = [
            joined((last, 4), a(2, 2), b(1, 1)),
            joined((last, 8), a(1, 2), b(0, 0), c(0, 0), (x, 2), (y, 2)),
            joined((last, 3), a(2, 2), b(2, 2), c(2, 2), d(1, 0)),
            joined(
                *((last >> k, 1) for k in (0, 1, 3, 5, 7)), a(1, 1), *((at(2, k), 1) for k in (4, 2, 0, -2, -4)),
                *((at(4, k), 1) for k in (2, 0, -2)), (at(3, 0), 1), (at(1, 3), 1), (at(1, -3), 1), (at(3, 2), 1),
            ),
            joined((n0, 4), (n1, 4), (n2, 4), (n3, 4), (last, 1), a(1, 1)),
            joined((last, 7), a(6, 6)),
            joined((last, 2), a(5, 5), b(3, 3)),
            joined(a(3, 1), b(2, 2), c(2, 2), d(2, 2)),
            (far * K1 & WORD) >> 44,
            (g * K1 & WORD) >> 44,
        ]  # fmt: skip
        cells = [self.cells.setdefault(key, [1 << 21, 0]) for key in enumerate(numbers)]
        inputs = [cm.stretch(cell[0] >> 10) for cell in cells] + [512]
        first = joined((last, 3), a(1, 1), b(0, 0), (at(1, 2), 1))
        second = min(n0, 7) + 8 * min(n1, 7) + 64 * min(n2 // 2, 3)
        rows = [self.weights.setdefault(key, [6750] * 10 + [0]) for key in ((0, first), (1, second))]
        total = sum(value * weight >> 8 for row in rows for value, weight in zip(inputs, row, strict=True))
        mixed = cm.clamp(total >> 8, 3071)
        sse = self.sse.setdefault(numbers[0], cm.AdaptiveMap(cm.knots(), 511))
        z = (mixed + 3072) * 5 >> 3
        knot, part = z >> 8, z & 255
        answer = sse.p[knot] * (256 - part) + sse.p[knot + 1] * part >> 14
        chance = max(1, min(65535, cm.squash(mixed) + answer >> 1))
        bit = coder.code(chance, bit)
        if ((1 << 16) - chance if bit else chance) > 16:
            error = ((bit << 16) - cm.squash(mixed)) * 280 >> 10
            for row in rows:
                row[:] = [
                    cm.clamp(weight + (value * error + 8192 >> 14), (1 << 19) - 1)
                    for weight, value in zip(row, inputs, strict=True)
                ]
            for cell in cells:
                cell[0] += ((bit * ((1 << 22) - 1)) - cell[0]) * cm.rate_of(cell[1]) >> 16
                cell[1] += cell[1] < 60
            sse.update(knot + (part >= 128), bit)
        return bit


def pixels(data: bytes, row: int) -> list[list[int]]:
    return [
        [byte >> k & 1 for byte in data[at : at + row] for k in range(7, -1, -1)] for at in range(0, len(data), row)
    ]


def encode(block: bytes, payload: bytes) -> bytes:
    """Code a block with the pictures that `payload` names."""
    cursor = Cursor(payload)
    found = [(cursor.uleb(), cursor.uleb(), cursor.uleb()) for _ in range(cursor.uleb())]
    plain, pictures, at = b"", [], 0
    for length, offset, row in found:
        size = (length - offset) // row * row
        piece = block[at : at + length]
        plain += piece[:offset] + piece[offset + size :]
        pictures.append((row, piece[offset : offset + size]))
        at += length
    coder, model = BinaryCoder(), Model()
    for row, data in [(1, plain), *pictures]:
        model.picture(pixels(data, row), row * 8, len(data) // row, coder)
    return payload[: cursor.at] + coder.end()
