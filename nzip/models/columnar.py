"""Engine `columnar`: the columns of records, each coded by itself or given another one.

Samples of sound, pixels and weights of networks have few bytes that predict their neighbours in a file, and many that
predict their neighbours in the sample: the high byte says how the low one is spread. So bytes are taken as rows of some
columns, and each column is coded by adaptive frequencies of single bytes (`nzip.entropy.range`), either by itself or
with frequencies of their own for groups of values of one column to its left. For such data that is smaller than what
finds repeats, and several times as fast as mixing contexts. It is the order-1 coder of old with its order taken across
a row, which lets a column be decoded group by group.

docs/reference/COLUMNAR.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.models.base import Engine
from nzip.params import Parameters, Params

MOST = 16  # columns
USUAL = (1, 2, 3, 4, 6, 8)  # numbers of columns that are tried
SAMPLE = 1 << 18  # bytes from a block's middle that decide about columns
MARGIN = 64
LEAST, SHARE = 64, 64  # rows of a group at least, and one row in so many
PER_BYTE, FIXED = 12, 16 << 20  # memory


class ColumnarEngine(Engine):
    """Codes a block as columns of bytes; it has no parameters."""

    name = "columnar"
    id = 8
    version = 1
    parameters = Parameters("engine columnar")
    imports = ("nzip.entropy.range", "nzip.formats.content.estimate")

    def memory(self, params: Params, size: int) -> int:
        return FIXED + PER_BYTE * size

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        import numpy as np

        from nzip.entropy import range as coder

        data = np.frombuffer(block, np.uint8)
        lefts = _plan(data, content)
        first = content.whole.offset % len(lefts) if content else 0
        rows = _rows(data, first, len(lefts))
        out = [bytes([len(lefts), first, *lefts]), block[:first]]
        for column, left in enumerate(lefts):
            mine = rows[:, column]
            for places in _places(rows, column, left):
                coded = coder.encode_adaptive(mine[places], 256)
                out += [uleb(len(coded)), coded]
        return b"".join(out) + block[first + rows.size :]

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import range as coder

        reader = Reader(payload)
        count, first = reader.u8(), reader.u8()
        lefts = reader.bytes(count)
        if not first < count <= MOST or any(left > column for column, left in enumerate(lefts)):
            raise CorruptError("a columnar block is damaged (its head names columns that are not there)")
        data = np.empty(size, np.uint8)
        data[:first] = np.frombuffer(reader.bytes(min(first, size)), np.uint8)
        rows = _rows(data, first, count)
        for column, left in enumerate(lefts):
            for places in _places(rows, column, left):
                coded = reader.bytes(reader.uleb())
                rows[places, column] = coder.decode_adaptive(coded, 256, len(rows[places, column]))
        behind = data[first + rows.size :]
        behind[:] = np.frombuffer(reader.bytes(len(behind)), np.uint8)
        if reader.left():
            raise CorruptError("a columnar block holds more than its bytes need")
        return data.tobytes()

    def prepare(self) -> None:
        block = bytes(range(64))
        self.decode(self.encode(block, {}), len(block), {})


def _plan(data: Any, content: Content | None) -> list[int]:
    """Return for each column how far to its left the one stands that it is coded by; 0 for none.

    Costs are integers (`nzip.formats.content.estimate`), so every machine plans alike.
    """
    import numpy as np

    from nzip.formats.content import estimate

    whole = content.whole if content else None
    counts = sorted({*USUAL, *((whole.stride, whole.record) if whole else ())} & set(range(1, MOST + 1)))
    best: tuple[int, list[int]] | None = None
    for count in counts:
        size = min(SAMPLE, len(data)) // count * count
        start = (len(data) - size) // 2 // count * count
        rows = data[start : start + size].reshape(-1, count)
        total, lefts = 0, list[int]()
        for column in range(count):
            costs = []
            for left in range(column + 1):
                groups = _groups(rows[:, column - left]) if left else np.zeros(len(rows), np.uint8)
                costs.append(estimate.conditional(rows[:, column], groups))
            total += min(costs)
            lefts.append(costs.index(min(costs)))
        if rows.size and (best is None or total + total // MARGIN < best[0]):
            best = total, lefts
    return best[1] if best else [0]


def _rows(data: Any, first: int, count: int) -> Any:
    """Return the whole rows of `data` from byte `first` on, (rows, columns)."""
    whole = max(0, len(data) - first) // count * count
    return data[first : first + whole].reshape(-1, count)


def _places(rows: Any, column: int, left: int) -> list[Any]:
    """Return the rows whose bytes of `column` are coded together, as indices, group by group."""
    import numpy as np

    if not left:
        return [slice(None)]
    groups = _groups(rows[:, column - left])
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.cumsum(np.bincount(groups))[:-1])


def _groups(known: Any) -> Any:
    """Return for each byte of a column the group that it puts its row in: values that follow each other share a group
    until it has enough rows."""
    import numpy as np

    least = max(LEAST, len(known) // SHARE)
    of, group, held, left = np.zeros(256, np.uint8), 0, 0, len(known)
    for value, count in enumerate(np.bincount(known, minlength=256).tolist()):
        of[value] = group
        held, left = held + count, left - count
        if held >= least <= left:
            group, held = group + 1, 0
    return of[known]
