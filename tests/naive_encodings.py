"""Openers of encodings in plain Python, written from docs/reference/ENCODINGS.md. Damage is a ValueError."""

from __future__ import annotations

import base64

from naive_bundle import Cursor

WHITE = (
    "00110101 000111 0111 1000 1011 1100 1110 1111 10011 10100 00111 01000 001000 000011 110100 110101 101010 101011 "
    "0100111 0001100 0001000 0010111 0000011 0000100 0101000 0101011 0010011 0100100 0011000 00000010 00000011 "
    "00011010 00011011 00010010 00010011 00010100 00010101 00010110 00010111 00101000 00101001 00101010 00101011 "
    "00101100 00101101 00000100 00000101 00001010 00001011 01010010 01010011 01010100 01010101 00100100 00100101 "
    "01011000 01011001 01011010 01011011 01001010 01001011 00110010 00110011 00110100"
)
WHITE_64 = (
    "11011 10010 010111 0110111 00110110 00110111 01100100 01100101 01101000 01100111 011001100 011001101 011010010 "
    "011010011 011010100 011010101 011010110 011010111 011011000 011011001 011011010 011011011 010011000 010011001 "
    "010011010 011000 010011011"
)
BLACK = (
    "0000110111 010 11 10 011 0011 0010 00011 000101 000100 0000100 0000101 0000111 00000100 00000111 000011000 "
    "0000010111 0000011000 0000001000 00001100111 00001101000 00001101100 00000110111 00000101000 00000010111 "
    "00000011000 000011001010 000011001011 000011001100 000011001101 000001101000 000001101001 000001101010 "
    "000001101011 000011010010 000011010011 000011010100 000011010101 000011010110 000011010111 000001101100 "
    "000001101101 000011011010 000011011011 000001010100 000001010101 000001010110 000001010111 000001100100 "
    "000001100101 000001010010 000001010011 000000100100 000000110111 000000111000 000000100111 000000101000 "
    "000001011000 000001011001 000000101011 000000101100 000001011010 000001100110 000001100111"
)
BLACK_64 = (
    "0000001111 000011001000 000011001001 000001011011 000000110011 000000110100 000000110101 0000001101100 "
    "0000001101101 0000001001010 0000001001011 0000001001100 0000001001101 0000001110010 0000001110011 0000001110100 "
    "0000001110101 0000001110110 0000001110111 0000001010010 0000001010011 0000001010100 0000001010101 0000001011010 "
    "0000001011011 0000001100100 0000001100101"
)
LONG = (
    "00000001000 00000001100 00000001101 000000010010 000000010011 000000010100 000000010101 000000010110 "
    "000000010111 000000011100 000000011101 000000011110 000000011111"
)
VERTICAL = {0: "1", -1: "010", -2: "000010", -3: "0000010", 1: "011", 2: "000011", 3: "0000011"}


def need(condition: object) -> None:
    if not condition:
        raise ValueError


class Recipe(Cursor):
    def uleb(self) -> int:
        start = self.at
        value = super().uleb()
        need(value < 1 << 63 and self.at - start == max(1, -(-value.bit_length() // 7)))
        return value


def broken(text: bytes, cursor: Cursor) -> bytes:
    line = cursor.uleb()
    if not line:
        return text
    first, last = cursor.uleb(), cursor.uleb()
    between = cursor.take(cursor.uleb())
    need(first and 1 <= len(between) <= 64)
    if len(text) <= first:
        return text
    rest = text[first:]
    tail = []
    if last:
        need(last <= len(rest))
        rest, tail = rest[: len(rest) - last], [rest[len(rest) - last :]]
        need(len(rest) % line == 0)
    return between.join([text[:first], *(rest[k : k + line] for k in range(0, len(rest), line)), *tail])


def close_base64(inner: bytes, recipe: bytes, size: int) -> bytes:
    cursor = Recipe(recipe)
    flags = cursor.byte()
    spare = cursor.byte() if flags & 4 else 0
    need(flags < 8 and (spare or not flags & 4))
    text = bytearray(base64.b64encode(inner))
    pads = -len(inner) % 3
    need(spare < 1 << 2 * pads)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    if pads:
        text[-1 - pads] = alphabet[alphabet.index(text[-1 - pads]) | spare]
        if not flags & 2:
            del text[-pads:]
    if flags & 1:
        text = text.replace(b"+", b"-").replace(b"/", b"_")
    return done(broken(bytes(text), cursor), cursor, size)


def close_hexadecimal(inner: bytes, recipe: bytes, size: int) -> bytes:
    cursor = Recipe(recipe)
    upper = cursor.byte()
    need(upper < 2)
    text = "".join(f"{byte:02X}" if upper else f"{byte:02x}" for byte in inner)
    return done(broken(text.encode(), cursor), cursor, size)


def close_ascii85(inner: bytes, recipe: bytes, size: int) -> bytes:
    cursor = Recipe(recipe)
    plain = cursor.byte()
    need(plain < 2)
    text = b""
    for k in range(0, len(inner), 4):
        group = inner[k : k + 4]
        value = int.from_bytes(group.ljust(4, b"\0"), "big")
        digits = bytes(33 + value // 85**power % 85 for power in (4, 3, 2, 1, 0))[: len(group) + 1]
        text += b"z" if group == bytes(4) and not plain else digits
    return done(broken(text, cursor), cursor, size)


def close_differences(inner: bytes, recipe: bytes, size: int) -> bytes:
    cursor = Recipe(recipe)
    form, channels, row = cursor.byte(), cursor.uleb(), cursor.uleb()
    need(form < 8)
    width, order = 1 << form // 2, "big" if form & 1 else "little"
    need(channels and row and row % (width * channels) == 0)
    out = bytearray(inner)
    for start in range(0, len(inner) - row + 1, row):
        for k in range(start + width * channels, start + row, width):
            now, before = (int.from_bytes(inner[i : i + width], order) for i in (k, k - width * channels))  # type: ignore[arg-type]
            out[k : k + width] = ((now - before) % (1 << 8 * width)).to_bytes(width, order)  # type: ignore[arg-type]
    return done(bytes(out), cursor, size)


def done(made: bytes, cursor: Cursor, size: int) -> bytes:
    need(len(made) == size and cursor.at == len(cursor.data))
    return made


def packed(bits: str, cursor: Cursor, ragged: int, *, big: bool) -> bytes:
    """Bits in the order in which a stream has them, as bytes; with the rest that a recipe has."""
    free = -len(bits) % 8
    spare, more = (cursor.byte(), cursor.take(cursor.uleb())) if ragged else (0, b"")
    need(spare < 1 << free)
    end = f"{spare:0{free}b}" if free else ""
    bits += end if big else end[::-1]
    pieces = [bits[k : k + 8] for k in range(0, len(bits), 8)]
    return bytes(int(piece if big else piece[::-1], 2) for piece in pieces) + more


def close_lzw(inner: bytes, recipe: bytes, size: int) -> bytes:
    cursor = Recipe(recipe)
    flags, bits = cursor.byte(), cursor.byte()
    need(flags < 16 and 2 <= bits <= 8)
    block, lengths = 255, b""
    if flags & 4:
        block = cursor.byte()
        if not block:
            lengths = cursor.take(cursor.uleb())
    if flags & 8:
        width = cursor.uleb()
        need(width and len(inner) % width == 0)
        height = len(inner) // width
        order = [y for y0, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(y0, height, step)]
        inner = b"".join(inner[y * width : (y + 1) * width] for y in order)
    top, streams = 4096 - cursor.uleb(), cursor.uleb()
    need(top >= 0 and streams <= 1 << 16)
    out, at = b"", 0
    for _ in range(streams):
        length = cursor.uleb() if streams > 1 else len(inner)
        need(length <= len(inner) - at)
        out += lzw_stream(inner[at : at + length], cursor, flags & 1, (flags & 2) // 2, bits, top)
        at += length
    need(at == len(inner))
    if flags & 4:
        if block:
            pieces = [out[k : k + block] for k in range(0, len(out), block)]
        else:
            need(sum(lengths) == len(out) and 0 not in lengths)
            pieces = [out[sum(lengths[:k]) :][: lengths[k]] for k in range(len(lengths))]
        out = bytes((bits,)) + b"".join(bytes((len(piece),)) + piece for piece in pieces) + b"\0"
    return done(out, cursor, size)


def lzw_stream(inner: bytes, cursor: Cursor, big: int, early: int, bits: int, top: int) -> bytes:
    marks, clears = cursor.byte(), cursor.uleb()
    need(marks < 32 and clears < 1 << 20)
    whens = [cursor.uleb() for _ in range(clears)] if marks & 2 else [cursor.uleb()] * clears if clears else []
    if marks & 1:
        whens.insert(0, 0)
    odd = []
    for _ in range(cursor.uleb() if marks & 8 else 0):
        gap, less = cursor.uleb(), cursor.uleb()
        odd.append((gap, less // 2, cursor.uleb() if less & 1 else None))
    out = ""
    count = 0
    table: dict[bytes, int] = {}
    entry = 0

    def write(code: int) -> None:
        nonlocal out
        wide = min(12, max(bits + 1, (2**bits + 2 + max(0, count - 1) + early).bit_length()))
        need(code < 1 << wide)
        text = f"{code:0{wide}b}"
        out += text if big else text[::-1]

    def clear() -> None:
        nonlocal table, entry, count
        table, entry, count = {bytes((k,)): k for k in range(2**bits)}, 2**bits + 2, 0

    clear()
    at = gap = 0
    while True:
        while whens and whens[0] == count:
            write(2**bits)
            clear()
            whens.pop(0)
        if at == len(inner):
            break
        need(inner[at] < 2**bits)
        longest = 1
        while at + longest < len(inner) and inner[at : at + longest + 1] in table:
            longest += 1
        code = None
        if odd and odd[0][0] == gap:
            longest -= odd[0][1]
            need(longest > 0)
            code = odd.pop(0)[2]
            gap = 0
        else:
            gap += 1
        phrase = inner[at : at + longest]
        write(table[phrase] if code is None else code)
        count += 1
        at += longest
        if at < len(inner) and entry < top:
            table.setdefault(phrase + inner[at : at + 1], entry)
            entry += 1
    need(not whens and not odd)
    if marks & 4:
        write(2**bits + 1)
    return packed(out, cursor, marks & 16, big=bool(big))


def close_fax(inner: bytes, recipe: bytes, size: int) -> bytes:
    cursor = Recipe(recipe)
    flags, width, streams = cursor.byte(), cursor.uleb(), cursor.uleb()
    need(flags < 4 and 1 <= width <= 1 << 16 and streams <= 1 << 16)
    row = -(-width // 8)
    need(len(inner) % row == 0)
    rows = [inner[k : k + row] for k in range(0, len(inner), row)]
    out, at = b"", 0
    for _ in range(streams):
        count = cursor.uleb() if streams > 1 else len(rows)
        marks = cursor.byte()
        need(count <= len(rows) - at and marks < 4)
        bits = ""
        above = "0" * width
        for each in rows[at : at + count]:
            if flags & 2:
                bits += "0" * (-len(bits) % 8)
            now = "".join(f"{byte:08b}" for byte in each)[:width]
            bits += fax_row(now, above)
            above = now
        at += count
        if marks & 1:
            bits += "000000000001" * 2
        out += packed(bits, cursor, marks & 2, big=True)
    need(at == len(rows))
    if flags & 1:
        out = bytes(int(f"{byte:08b}"[::-1], 2) for byte in out)
    return done(out, cursor, size)


def fax_row(row: str, above: str) -> str:
    width, out, a0, colour = len(row), "", -1, "0"
    while a0 < width:
        a1 = change(row, max(a0, 0), colour)
        a2 = change(row, a1, other(colour))
        b1 = a0 + 1
        while b1 < width and not (above[b1] != colour and (above[b1 - 1] if b1 else "0") == colour):
            b1 += 1
        b2 = change(above, b1, other(colour))
        if b2 < a1:
            out += "0001"
            a0 = b2
        elif abs(a1 - b1) <= 3:
            out += VERTICAL[a1 - b1]
            a0, colour = a1, other(colour)
        else:
            out += "001" + run(a1 - max(a0, 0), colour) + run(a2 - a1, other(colour))
            a0 = a2
    return out


def other(colour: str) -> str:
    return "1" if colour == "0" else "0"


def change(row: str, start: int, colour: str) -> int:
    """The first pixel from `start` on that is not of `colour`."""
    found = row.find(other(colour), start)
    return len(row) if found < 0 else found


def run(length: int, colour: str) -> str:
    short, long = (WHITE, WHITE_64) if colour == "0" else (BLACK, BLACK_64)
    out = ""
    while length >= 2624:
        out += LONG.split()[-1]
        length -= 2560
    if length >= 64:
        out += [*long.split(), *LONG.split()][length // 64 - 1]
    return out + short.split()[length % 64]


def close_packbits(inner: bytes, recipe: bytes, size: int) -> bytes:
    cursor = Recipe(recipe)
    flags, start, inside, longest_run, longest_literal = cursor.take(5)
    need(flags < 4 and start > 1 and inside > 1 and 2 <= longest_run <= 128 and 1 <= longest_literal <= 128)
    entry = cursor.byte() if flags & 2 else 0
    need(entry in ((2, 4) if flags & 2 else (0,)))
    row, streams = cursor.uleb(), cursor.uleb()
    need(row <= 1 << 30 and streams <= 65536)
    need(not entry or (streams == 1 and row and len(inner) % row == 0))
    table = [0] * (len(inner) // row if entry else 0)
    out, at = b"", 0
    for _ in range(streams):
        length = cursor.uleb() if streams > 1 else len(inner)
        need(length <= len(inner) - at)
        count = cursor.uleb()
        need(count <= len(recipe))
        odd = [(cursor.uleb(), cursor.byte()) for _ in range(count)]
        data = inner[at : at + length]
        at += length
        place = 0
        while place < length or odd:
            if odd and odd[0][0] == 0:
                head = odd.pop(0)[1]
                packet = head + 1 if head < 128 else 257 - head if head > 128 else 0
                run = head > 128
            else:
                need(place < length)
                end = min(length, (place // row + 1) * row) if row else length
                rest = data[place:end]
                run = repeats(rest, 0) >= start and longest_run >= start
                packet = min(repeats(rest, 0), longest_run) if run else literal(rest, inside, longest_literal, flags)
                if odd:
                    odd[0] = (odd[0][0] - 1, odd[0][1])
            piece = data[place : place + packet]
            need(len(piece) == packet and (not run or len(set(piece)) == 1))
            made = bytes((257 - packet, piece[0])) if run else bytes((packet - 1,)) + piece if packet else b"\x80"
            out += made
            place += packet
            if table:
                table[max(0, place - 1) // row] += len(made)
                need(packet == 0 or (place - packet) // row == (place - 1) // row)
        out += cursor.take(cursor.uleb())
    need(at == len(inner) and all(each < 256**entry for each in table))
    return done(b"".join(each.to_bytes(entry, "big") for each in table) + out, cursor, size)


def repeats(data: bytes, at: int) -> int:
    return next((k for k in range(at, len(data)) if data[k] != data[at]), len(data)) - at


def literal(data: bytes, inside: int, longest: int, flags: int) -> int:
    n = 1
    while n < longest and n < len(data):
        if repeats(data, n) < inside:
            n += 1
        elif flags & 1 and n + 2 < min(len(data), longest + 1) and repeats(data, n) == 2 and repeats(data, n + 2) == 1:
            n += 2
        else:
            break
    return n
