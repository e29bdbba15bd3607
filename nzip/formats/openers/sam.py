"""Opener `sam`: reads that were placed on a genome, a line of columns each (Sequence Alignment/Map).

Columns lie apart inside. What a line shares with that of its mate, or follows from other columns, is left out; of
nucleotides only those that lie where no read lay before, or differ from the reads that lay there. Qualities are turned
as the machine read them. docs/reference/SEQUENCES.md defines the inner bytes.
"""

from __future__ import annotations

import re
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.fastq import joined, letters_of, parted, symbols_of, unknown_of
from nzip.formats.openers.nucleotides import SPARSE, lines_of, numbers, packed, ulebs, unpacked
from nzip.process import imported

NUMBER = rb"(0|[1-9][0-9]{0,17})"
LINE = re.compile(
    rb"([^\t\n]+)\t" + NUMBER + rb"\t([^\t\n]+)\t" + NUMBER + rb"\t([^\t\n]+)\t([^\t\n]+)\t([^\t\n]+)\t" + NUMBER
    + rb"\t(0|-?[1-9][0-9]{0,17})\t([ACGTN]+|\*)\t([^\t\n]+)((?:\t[^\n]*)?)\n"
)  # fmt: skip
INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
NAME, FLAG, REFERENCE, PLACE, MAPPED, SHAPE, NEXT, NEXT_PLACE, SPAN, TAGS = range(10)  # columns of text
COLUMNS = 10
LEAST_RECORD, SPARE = 64, 1 << 12  # bytes of a line, on average; and so many more
REVERSED = 16  # a flag
WINDOW = 1 << 16  # places of a genome whose reads are remembered
WORKING, PER_BYTE = 1 << 20, 10  # memory


class SamOpener(Opener):
    """Takes lines of placed reads apart."""

    name = "sam"
    id = 32
    version = 1
    for_engines = True

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        rows = [match.groups() for match in LINE.finditer(coded)]
        if not rows or len(rows) * LEAST_RECORD > len(coded) + SPARE:
            return None
        if sum(sum(map(len, row)) + len(row) - 1 for row in rows) != len(coded):
            return None
        if any(len(row[9]) != len(row[10]) for row in rows):
            return None
        reads = [b"" if row[9] == b"*" == row[10] else row[9] for row in rows]
        qualities = [b"" if not read else row[10] for row, read in zip(rows, reads, strict=True)]
        if any(read == b"*" for read in reads):
            return None
        told = symbols_of(b"".join(reads), b"".join(qualities))
        if told is None:
            return None
        unknowns, symbols = told
        unknown = unknown_of(Reader(unknowns), b"".join(qualities))
        columns: list[list[bytes]] = [[] for _ in range(COLUMNS)]
        mates, seen, pile, at = list[int](), dict[bytes, int](), Pile(), 0
        for number, (row, read) in enumerate(zip(rows, reads, strict=True)):
            place, next_place, span = int(row[3]), int(row[7]), int(row[8])
            mate = seen.pop(row[0], None)
            if mate is None:
                seen[row[0]] = number
            else:
                mates.append(number - mate)
            other = None if mate is None else rows[mate]
            paired = None if other is None else (int(other[3]), int(other[8]))
            known, usual = follows(paired, place, next_place, len(read))
            last = rows[number - 1] if number else (b"",) * 12
            columns[NAME].append(row[0] if mate is None else b"")
            columns[FLAG].append(row[1])
            columns[REFERENCE].append(b"" if row[2] == last[2] else row[2])
            columns[PLACE].append(b"%d" % (place - int(last[3] or 0)))
            columns[MAPPED].append(row[4])
            columns[SHAPE].append(row[5])
            columns[NEXT].append(row[6])
            columns[NEXT_PLACE].append(b"" if next_place == known else b"%d" % (next_place - place))
            columns[SPAN].append(b"" if span == usual else row[8])
            columns[TAGS].append(row[11])
            end = at + len(read)
            pile.add(symbols[at:end], unknown[at:end], row[2], place, row[5])
            at = end
        text = b"\n".join(piece for column in columns for piece in column)
        if len(pile.changes) > len(symbols) // SPARSE + SPARSE:
            return None
        lists = b"".join((
            uleb(len(rows)), uleb(len(mates)), ulebs(mates), unknowns, uleb(len(pile.changes)), ulebs(pile.changes),
        ))  # fmt: skip
        turned = [
            quality[::-1] if int(row[1]) & REVERSED else quality for row, quality in zip(rows, qualities, strict=True)
        ]
        inner = joined(text, lists, b"\n".join(turned) + b"\n", packed(pile.fresh()))
        return self.tried(inner, b"", coded) if len(inner) <= most else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        if recipe:
            raise CorruptError("a recipe of placed reads is not empty")
        text, lists, told, nucleotides = parted(inner)
        count = lists.uleb()
        if not 0 < count * LEAST_RECORD <= size + SPARE:
            raise CorruptError("there are more placed reads than their bytes have room for")
        mates = iter(numbers(lists, count).tolist())
        fields = Fields(text)
        if len(fields) != COLUMNS * count or told.count(b"\n") != count or told[-1:] != b"\n":
            raise CorruptError("columns of placed reads are not as long as they should be")
        whole = bytearray()
        for number, row in zip(range(count), lines_of(told), strict=False):
            whole += row[::-1] if integer(fields[FLAG * count + number]) & REVERSED else row
        unknown = unknown_of(lists, bytes(whole))
        pile = Pile(unpacked(nucleotides, 4 * len(nucleotides)), numbers(lists, len(whole) // SPARSE + SPARSE))
        made, names, places, spans, at = bytearray(), list[bytes](), list[int](), list[int](), 0
        reference, place = b"", 0
        for number, length in zip(range(count), map(len, lines_of(told)), strict=False):
            name, flag, named, moved, mapped, shape, next_, next_moved, span, tags = (
                fields[column * count + number] for column in range(COLUMNS)
            )
            row = bytes(whole[at : at + length])
            other = None
            if not name:
                back = next(mates, 0)
                if not 0 < back <= number:
                    raise CorruptError("a placed read has a mate that there is not")
                name, other = names[number - back], (places[number - back], spans[number - back])
            reference = named or reference
            place += integer(moved)
            next_place = place + integer(next_moved) if next_moved else None
            known, usual = follows(other, place, next_place, length)
            next_place = known if next_place is None else next_place
            if next_place is None:
                raise CorruptError("a placed read does not say where its mate is")
            spanned = integer(span) if span else usual
            end = at + length
            letters = letters_of(pile.read(length, unknown[at:end], reference, place, shape), unknown[at:end])
            at = end
            line = b"\t".join((
                name, flag, reference, b"%d" % place, mapped, shape, next_, b"%d" % next_place, b"%d" % spanned,
                letters or b"*", row or b"*",
            )) + tags + b"\n"  # fmt: skip
            made += line
            if len(made) > size:
                raise CorruptError(f"placed reads take more than the {size:,} bytes that belong there")
            names.append(name)
            places.append(place)
            spans.append(spanned)
        if len(made) != size or lists.left() or next(mates, None) is not None:
            raise CorruptError(f"placed reads do not take the {size:,} bytes that belong there")
        pile.check_end()
        return bytes(made)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + PER_BYTE * size + 3 * inner

    def longest_recipe(self, size: int) -> int:
        return 0


class Fields:
    """The lines of a text, by number; of them nothing is kept but where they end."""

    def __init__(self, text: bytes):
        imported("numpy")
        import numpy as np

        self._text = text
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        self._ends = np.concatenate((ends, [len(text)]))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> bytes:
        start = int(self._ends[number - 1]) + 1 if number else 0
        return self._text[start : int(self._ends[number])]


def integer(text: bytes) -> int:
    """Return the number that is written in a column.

    Raises:
        CorruptError: it is none, or another one than is written so.
    """
    if not INTEGER.fullmatch(text):
        raise CorruptError("a column of placed reads has no number")
    return int(text)


def follows(mate: tuple[int, int] | None, place: int, next_place: int | None, length: int) -> tuple[int | None, int]:
    """Return the place of the mate, if it is known, and the span that is usual, of a read of `length` nucleotides.

    Args:
        mate: place and span of the mate.
        place: of the read.
        next_place: of its mate, as its line says; None where it does not.
        length: of the read.
    """
    if mate is not None:
        return mate[0], -mate[1]
    moved = 0 if next_place is None else next_place - place
    return None, moved + length if moved > 0 else moved - length if moved < 0 else 0


class Pile:
    """Reads that lie on a genome: what lay at each place, in a window that goes along with them.

    Args:
        symbols: the nucleotides that no read foretold, to be read; None to write.
        changes: what `changes` returned (int64).
    """

    def __init__(self, symbols: Any = None, changes: Any = None):
        imported("numpy")
        import numpy as np

        self._lying = np.zeros(WINDOW, np.uint8)  # a nucleotide and 1; 0 for none
        self._once = np.zeros(WINDOW, np.uint8)  # what was there instead, once
        self._origin, self._reference = 0, b""
        self._fresh: list[Any] = []
        self.changes: list[int] = []  # for each that differs, those that do not before it, times 3, and by how much
        self._since = 0
        self._symbols, self._used = symbols, 0
        self._told = iter(() if changes is None else changes)
        self._next = int(next(self._told, -1))

    def _window(self, length: int, reference: bytes, place: int, shape: bytes) -> Any:
        """Return where a read lies, as a slice of the window; None where it lies nowhere, or not as a whole."""
        if shape != b"%dM" % length or reference == b"*" or place < 1 or not 0 < length <= WINDOW // 2:
            return None
        moved = place - self._origin
        if reference != self._reference or not 0 <= moved < WINDOW:
            self._lying[:] = 0
            self._once[:] = 0
            self._origin, self._reference, moved = place, reference, 0
        elif moved + length > WINDOW:
            for array in (self._lying, self._once):
                array[: WINDOW - moved] = array[moved:].copy()
                array[WINDOW - moved :] = 0
            self._origin, moved = place, 0
        return slice(moved, moved + length)

    def _learn(self, where: Any, symbols: Any, unknown: Any) -> None:
        """Let a read lie in the window: it takes a place that is free, or where another read differed like it."""
        lying, once, new = self._lying[where], self._once[where], symbols + 1
        differs = (lying != new) & ~unknown
        taken = differs & ((lying == 0) | (once == new))
        once[differs] = new[differs]
        lying[taken] = new[taken]

    def add(self, symbols: Any, unknown: Any, reference: bytes, place: int, shape: bytes) -> None:
        """Write a read."""
        where = self._window(len(symbols), reference, place, shape)
        if where is None:
            self._fresh.append(symbols)
            return
        lying = self._lying[where]
        covered = lying > 0
        if not covered.all():
            self._fresh.append(symbols[~covered])
        steps = ((symbols - lying + 1) & 3)[covered]
        steps[unknown[covered]] = 0
        last = -1
        for at in steps.nonzero()[0].tolist():
            self.changes.append((self._since + at - last - 1) * 3 + int(steps[at]) - 1)
            self._since, last = 0, at
        self._since += len(steps) - 1 - last
        self._learn(where, symbols, unknown)

    def read(self, length: int, unknown: Any, reference: bytes, place: int, shape: bytes) -> Any:
        """Return the nucleotides of the next read.

        Raises:
            CorruptError: there are no more.
        """
        import numpy as np

        where = self._window(length, reference, place, shape)
        if where is None:
            return self._taken(length)
        lying = self._lying[where]
        covered = lying > 0
        symbols = np.empty(length, np.uint8)
        symbols[~covered] = self._taken(length - int(np.count_nonzero(covered)))
        told = (lying - 1)[covered]
        at = -1
        while self._next >= 0 and self._since + len(told) - at - 1 > self._next // 3:
            at += self._next // 3 + 1 - self._since
            told[at] = (told[at] + self._next % 3 + 1) & 3
            self._since = 0
            self._next = int(next(self._told, -1))
        self._since += len(told) - 1 - at
        symbols[covered] = told
        self._learn(where, symbols, unknown)
        return symbols

    def _taken(self, count: int) -> Any:
        taken = self._symbols[self._used : self._used + count]
        if len(taken) != count:
            raise CorruptError("nucleotides of placed reads end too soon")
        self._used += count
        return taken

    def fresh(self) -> Any:
        """Return the nucleotides that no read foretold (uint8)."""
        import numpy as np

        return np.concatenate(self._fresh) if self._fresh else np.zeros(0, np.uint8)

    def check_end(self) -> None:
        """Raise CorruptError unless all that there is was read."""
        if self._next >= 0 or not 0 <= len(self._symbols) - self._used < 4:
            raise CorruptError("placed reads have more nucleotides, or changes, than lines")
