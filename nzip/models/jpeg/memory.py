"""The arrays that the loops work on."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.formats.jpeg.planes import Planes
from nzip.formats.jpeg.recoding import Outline
from nzip.formats.jpeg.structure import ZIGZAG
from nzip.models.cm import tables
from nzip.models.cm.layout import READ
from nzip.models.jpeg import layout, standard
from nzip.models.jpeg.layout import Preset
from nzip.process import lock

_read = Native("nzip.models.jpeg.bytes_kernel", "code")
_lock = lock()
_kept: dict[str, Any] = {}


class State(NamedTuple):
    """What the loop over coefficients learns, and constants, in the order of its arguments from `settings` on."""

    settings: Any
    chosen: Any
    starts: Any
    cells: Any
    weights: Any
    uses: Any
    extra: Any
    sizes: Any
    values: Any
    logs: Any
    squash: Any
    stretch: Any
    rates: Any


class ByteState(NamedTuple):
    """The same of the loop over bytes, from `cells` on."""

    cells: Any
    places: Any
    weights: Any
    squash: Any
    stretch: Any
    rates: Any


def constants() -> dict[str, Any]:
    """Return the tables that never change, made once."""
    import numpy as np

    with _lock:
        if not _kept:
            _kept.update(
                squash=np.array(tables.squash_values(), np.uint16),
                stretch=np.array(tables.stretch_values(), np.int16),
                rates=np.array(tables.rates(), np.int32),
                logs=np.array(layout.logarithms(), np.int32),
                starts=np.array(layout.starts(), np.int64),
                order=np.array(layout.order(), np.int64),
                before=np.frombuffer(standard.read_before(), np.uint8).copy(),
            )
    return _kept


def state(preset: Preset) -> State:
    """Return what the loop over coefficients starts from."""
    import numpy as np

    known = constants()
    lanes = 16 * preset.vectors
    weights = np.zeros((layout.WEIGHT_ROWS, lanes), np.int32)
    weights[:, :-1] = layout.WEIGHT
    values = np.zeros((128, 16), np.int32)
    values[:, :2] = layout.VALUE_WEIGHT
    chosen = np.zeros((len(layout.KINDS), layout.MOST + 1), np.int64)
    for row, contexts in zip(chosen, preset.contexts, strict=True):
        row[0] = len(contexts)
        row[1 : 1 + len(contexts)] = contexts
    return State(
        settings=np.array((preset.vectors, preset.rate, preset.limit, 0, 0, 0), np.int64),
        chosen=chosen.reshape(-1),
        starts=known["starts"],
        cells=np.zeros(layout.CELLS, np.uint32),
        weights=weights.reshape(-1),
        uses=np.zeros(layout.WEIGHT_ROWS, np.int64),
        extra=np.array(layout.warming(), np.int64),
        sizes=np.full(128 * 16, layout.SIZE_WEIGHT, np.int32),
        values=values.reshape(-1),
        logs=known["logs"],
        squash=known["squash"],
        stretch=known["stretch"],
        rates=known["rates"],
    )


def byte_state() -> ByteState:
    """Return what the loop over bytes has learned before a block."""
    from nzip.entropy import bounds

    known = constants()
    with _lock:
        if "bytes" not in _kept:
            first = _empty_byte_state()
            coder = bounds.begin()
            _read(READ, 0, known["before"], known["before"][:0].copy(), coder, *first)
            _kept["bytes"] = first
        first = _kept["bytes"]
    return first._replace(cells=first.cells.copy(), places=first.places.copy(), weights=first.weights.copy())


def _empty_byte_state() -> ByteState:
    import numpy as np

    from nzip.models.jpeg import bytes_layout as sizes

    known = _kept
    weights = np.full((sizes.ROWS, 8), sizes.WEIGHT, np.int32)
    weights[:, 6:] = 0
    return ByteState(
        np.zeros(sizes.CELLS, np.uint32), np.zeros(1 << sizes.MATCH_BITS, np.int64), weights.reshape(-1),
        known["squash"], known["stretch"], known["rates"],
    )  # fmt: skip


class Picture:
    """A picture as the loop takes it.

    Args:
        outline: what is said of it.

    Attributes:
        quantisers: int64 (64 * components,), raster order.
        passing: arrays that last for it alone.
    """

    def __init__(self, outline: Outline, planes: Planes):
        import numpy as np

        components = outline.frame.components
        quantisers = np.ones((len(components), 64), np.int64)
        for row, component in zip(quantisers, components, strict=True):
            table = outline.quantisers.get(component.table)
            if table is not None:
                row[list(ZIGZAG)] = np.maximum(table, 1)
        self.quantisers = quantisers.reshape(-1)
        self._columns = list(accumulate((component.wide + 1 for component in components), initial=0))
        columns = self._columns[-1]
        self.passing = (
            np.zeros(8 * columns, np.int64), np.zeros(4 * columns, np.int64), np.zeros(columns, np.int64),
            np.zeros(planes.blocks, np.int16),
        )  # fmt: skip

    def shape(self, planes: Planes) -> Any:
        """Return what the loop has to know of a strip."""
        import numpy as np

        components = planes.frame.components
        shape = [len(components), planes.blocks, planes.first, planes.stop]
        for k, component in enumerate(components):
            shape += [
                planes.origin(k), component.wide, component.high, int(k in (1, 2)), component.down, self._columns[k],
            ]  # fmt: skip
        return np.array(shape + [0] * (layout.SHAPE - len(shape)), np.int64)
