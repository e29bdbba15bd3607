"""The memory of the loops: which arrays each works on, how large they are, and what they begin with.

A `State` is the memory of one block. What all types of bytes share (buckets, match table, sources, sse) is there once;
maps and weights are there for each mixture that the block needs. A `KeptState` is a state without its zeros.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from nzip.entropy.jit import Native
from nzip.models.cm import layout
from nzip.models.cm.presets import SOURCES, Context, Mixture, Preset
from nzip.process import lock

COUNTER_BITS = (8, 18)  # log2 of the counters' lines

PIECE = 1 << 19  # bytes of an array that are looked at together: that takes up to forty times as much for a moment

Arrays = dict[str, Any]

spread = Native("nzip.models.cm.sparse", "spread")

_lock = lock()
_constants: Arrays = {}


def constants() -> Arrays:
    """Return the constant tables as arrays, and what maps and sse begin with."""
    with _lock:
        if not _constants:
            import numpy as np

            from nzip.models.cm import tables

            knots = tables.sse_priors()
            priors = np.zeros(256, np.uint32)
            priors[: len(tables.state_priors())] = tables.state_priors()
            _constants.update(
                squash=np.array(tables.squash_values(), np.int32),
                stretch=np.array(tables.stretch_values(), np.int16),
                after=np.array(tables.state_table(), np.uint8).reshape(-1),
                rates=np.array(tables.rates(), np.int32),
                priors=priors,
                match_priors=np.array(tables.match_priors(), np.uint32),
                knots=np.array(knots, np.uint32),
                short_squash=np.array(tables.squash_values(), np.uint16),
                short_knots=np.array([entry >> 16 for entry in knots[:16]], np.uint16),
            )
        return _constants


def _long_stretch() -> Any:
    found = constants()
    with _lock:
        if "long_stretch" not in found:
            import numpy as np

            from nzip.models.cm import tables

            found["long_stretch"] = np.array(tables.stretch_values(16), np.int16)
    return found["long_stretch"]


def aligned(count: int, dtype: Any) -> Any:
    """Return zeros that start at a cache line: a bucket's neighbours then share one."""
    import numpy as np

    size = np.dtype(dtype).itemsize
    raw = np.zeros(count + 64 // size, dtype)
    skip = (-raw.ctypes.data % 64) // size
    return raw[skip : skip + count]


class Loop(ABC):
    """One of the loops, and the arrays that it works on.

    Class attributes:
        name: of its module.
        arguments: the arrays that its kernel takes behind the settings, in order.
        shared: those that it changes and that all mixtures share,
        own: and those that each mixture has for itself.
        filled: those of the shared ones that do not begin with zeros.
        walked: those that its kernel `restore` reads, as it walks through a block once more,
        start: the one that it walks with as it was before the block,
        undone: and those that it undoes; none where there is no such kernel.
        base: bytes of memory whatever the block: tables of sources, of constants, and padding.
        match_bits: log2 of the fewest and the most entries of a match model's table.
    """

    name: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]
    shared: ClassVar[tuple[str, ...]]
    own: ClassVar[tuple[str, ...]]
    filled: ClassVar[tuple[str, ...]] = ()
    walked: ClassVar[tuple[str, ...]] = ()
    start: ClassVar[str]
    undone: ClassVar[tuple[str, ...]] = ()
    base: ClassVar[int] = 5 << 19
    match_bits: ClassVar[tuple[int, int]]

    def __init__(self) -> None:
        self.code = Native(f"nzip.models.cm.{self.name}", "code")
        self.restore = Native(f"nzip.models.cm.{self.name}", "restore")

    def bits_of_match(self, size: int) -> int:
        """Return the log2 of a match model's table where `size` bytes are read and coded."""
        low, high = self.match_bits
        return max(low, min(high, (size - 1).bit_length()))

    @abstractmethod
    def inputs(self, preset: Preset, mixture: Mixture) -> int:
        """Return how many inputs the mixer of a mixture has."""

    @abstractmethod
    def memory(self, preset: Preset, bits: int, size: int) -> int:
        """Return the bytes of a state, at most: one of all mixtures."""

    @abstractmethod
    def shared_arrays(self, preset: Preset, bits: int, size: int) -> Arrays:
        """Return what all mixtures share, and the constants."""

    @abstractmethod
    def own_arrays(self, preset: Preset, mixture: Mixture, bits: int) -> Arrays:
        """Return what a mixture has for itself."""

    def settings(self, preset: Preset, mixture: Mixture, bits: int, size: int) -> Any:
        """Return the settings (int64) for a mixture."""
        import numpy as np

        settings = np.zeros(layout.CFG_SIZE, np.int64)
        settings[layout.CFG_INPUTS] = self.inputs(preset, mixture)
        settings[layout.CFG_LIMIT] = preset.limit
        settings[layout.CFG_RATE] = mixture.rate
        settings[layout.CFG_RATE_START] = mixture.rate_start
        settings[layout.CFG_RATE_FALL] = preset.rate_fall
        settings[layout.CFG_MATCH_MIN] = mixture.matches[-1]
        settings[layout.CFG_MATCH_BITS] = self.bits_of_match(size)
        settings[layout.CFG_FINAL_RATE] = mixture.final_rate
        settings[layout.CFG_SSE_LIMIT] = preset.sse_limit
        settings[layout.CFG_BITS] = bits
        settings[layout.CFG_AHEAD] = preset.ahead
        settings[layout.CFG_COUNTERS] = preset.counters
        settings[layout.CFG_COUNTER_BITS] = counter_bits(preset, size)
        settings[layout.CFG_COUNTER_LIMIT] = preset.counter_limit
        settings[layout.CFG_LOUD] = preset.loud
        settings[layout.CFG_QUIET] = preset.quiet
        settings[layout.CFG_SKIM] = preset.skim
        settings[layout.CFG_STREAMS] = 1
        settings[layout.CFG_PART] = mixture.part
        settings[layout.CFG_GUESSES] = mixture.guesses
        return settings


def counter_bits(preset: Preset, size: int) -> int:
    """Return the log2 of the counters' lines where `size` bytes are read and coded."""
    return max(COUNTER_BITS[0], min(COUNTER_BITS[1], size.bit_length() - 1)) if preset.counters else 0


def mixtures(preset: Preset) -> tuple[Mixture, ...]:
    """Return the different mixtures of a preset."""
    return tuple(dict.fromkeys(preset.mixtures))


def salts(preset: Preset) -> dict[Context, int]:
    """Return what keeps the hash of each context apart: one number for a context in whichever mixture it stands."""
    contexts = (context for mixture in preset.mixtures for context in mixture.contexts)
    return {context: number for number, context in enumerate(dict.fromkeys(contexts), 1)}


def numbered(preset: Preset, mixture: Mixture) -> list[tuple[Context, int]]:
    """Return the contexts of a mixture of the loop `strong` with their salts: their numbers in its list.

    Contexts of rows that text has too share its buckets; the others are counted on behind those of text.
    """
    listed = (*(preset.mixtures[0].contexts if mixture.guesses else ()), *mixture.contexts)
    numbers = {context: number for number, context in enumerate(dict.fromkeys(listed), 1)}
    return [(context, numbers[context]) for context in mixture.contexts]


def _selectors(mixture: Mixture, seen: int) -> tuple[Any, int]:
    """Return what chooses the rows of each weight set, and how many rows there are in all."""
    import numpy as np

    rows = [choice.rows(seen) for choice in mixture.sets]
    selectors = np.zeros((6, len(rows)), np.int64)
    for i, choice in enumerate(mixture.sets):
        first = sum(rows[:i])
        selectors[:, i] = (choice.select, first, choice.source, choice.shift, choice.mask, choice.by_bit)
    return selectors.reshape(-1), sum(rows)


def _maps(contexts: int, *more: Any) -> Any:
    import numpy as np

    return np.concatenate((np.tile(constants()["priors"], contexts), *more))


class Fast(Loop):
    name = "fast"
    arguments = (
        "spec", "slots", "slots64", "maps", "ready", "table", "weights", "sse", "squash", "stretch", "after", "rates",
        "carried", "reached",
    )  # fmt: skip
    shared = ("slots", "table", "sse", "carried", "reached")
    own = ("maps", "ready", "weights")
    filled = ("sse",)
    walked = ("spec",)
    start = "carried"
    undone = ("slots", "table", "sse")
    match_bits = (12, 20)

    def bits_of_match(self, size: int) -> int:
        return super().bits_of_match(size + 1)

    def inputs(self, preset: Preset, mixture: Mixture) -> int:
        return layout.FAST_LANES

    def memory(self, preset: Preset, bits: int, size: int) -> int:
        slots = layout.FAST_DIRECT + (16 << bits)
        own = 6 * (256 * layout.FAST_CONTEXTS + 32) + 4 * layout.FAST_ROWS * layout.FAST_LANES
        table = 4 << self.bits_of_match(size)
        return slots + table + len(mixtures(preset)) * own + 32 * layout.FAST_SSE_ROWS + self.base

    def shared_arrays(self, preset: Preset, bits: int, size: int) -> Arrays:
        import numpy as np

        fixed = constants()
        slots = aligned(layout.FAST_DIRECT + (16 << bits), np.uint8)
        sse = aligned(16 * layout.FAST_SSE_ROWS, np.uint16)
        sse.reshape(-1, 16)[:] = fixed["short_knots"]
        return {
            "slots": slots,
            "slots64": slots.view(np.uint64),
            "table": np.zeros(1 << self.bits_of_match(size), np.uint32),
            "sse": sse,
            "carried": np.zeros(2, np.uint64),
            "reached": np.zeros(1, np.int64),
            "squash": fixed["short_squash"],
            **{name: fixed[name] for name in ("stretch", "after", "rates")},
        }

    def own_arrays(self, preset: Preset, mixture: Mixture, bits: int) -> Arrays:
        import numpy as np

        fixed = constants()
        spec = [(c.first, c.first_mask, c.second, c.second_mask, c.shift) for c in mixture.contexts]
        maps = _maps(layout.FAST_CONTEXTS, fixed["match_priors"][::4])
        weights = np.zeros((layout.FAST_ROWS, layout.FAST_LANES), np.int32)
        weights[:, : layout.FAST_CONTEXTS + 1] = preset.weight
        return {
            "spec": np.array(spec, np.uint64).reshape(-1),
            "maps": maps,
            "ready": fixed["stretch"][maps >> 20],
            "weights": weights.reshape(-1),
        }


class Normal(Loop):
    name = "normal"
    arguments = (
        "spec", "direct", "selectors", "slots", "slots64", "maps", "table", "weights", "uses", "final", "counters",
        "sse", "knots", "squash", "stretch", "after", "rates", "v", "fields", "spots", "matched", "reached",
    )  # fmt: skip
    shared = ("slots", "table", "counters", "sse", "v", "fields", "spots", "matched", "reached")
    own = ("maps", "weights", "uses", "final")
    walked = ("spec", "direct")
    start = "v"
    undone = ("slots", "table", "counters", "sse")
    base = 4 << 19
    match_bits = (10, 22)

    def inputs(self, preset: Preset, mixture: Mixture) -> int:
        most = 2 * len(mixture.contexts) + 3 + preset.counters + mixture.guesses
        return min(mixture.inputs or preset.inputs, (most + 15) // 16 * 16)

    def memory(self, preset: Preset, bits: int, size: int) -> int:
        cells = (1 << self.bits_of_match(size)) + (16 << counter_bits(preset, size)) + 16 * layout.SSE_ROWS
        cells += layout.SPOTS + 2 * layout.R_FIELDS + layout.GUESS_CELLS
        for mixture in mixtures(preset):
            n = len(mixture.contexts)
            rows = sum(choice.rows(n + 1) for choice in mixture.sets)
            cells += 256 * (n + len(mixture.sets)) + rows * (self.inputs(preset, mixture) + 2)
        return _slots(preset, bits) + 4 * cells + self.base

    def shared_arrays(self, preset: Preset, bits: int, size: int) -> Arrays:
        import numpy as np

        fixed = constants()
        slots = aligned(_slots(preset, bits), np.uint8)
        return {
            "slots": slots,
            "slots64": slots.view(np.uint64),
            "table": np.zeros(1 << self.bits_of_match(size), np.uint32),
            "counters": aligned(16 << counter_bits(preset, size), np.uint32),
            "sse": aligned(16 * layout.SSE_ROWS, np.uint32),
            "v": np.zeros(SOURCES, np.uint64),
            "fields": np.zeros(layout.R_FIELDS, np.uint64),
            "spots": np.zeros(layout.SPOTS, np.uint32),
            "matched": np.zeros(4, np.int64),
            "reached": np.zeros(1, np.int64),
            **{name: fixed[name] for name in ("knots", "squash", "stretch", "after", "rates")},
        }

    def own_arrays(self, preset: Preset, mixture: Mixture, bits: int) -> Arrays:
        import numpy as np

        contexts, sets, n = mixture.contexts, len(mixture.sets), len(mixture.contexts)
        inputs = self.inputs(preset, mixture)
        places = _direct(preset, bits)
        salt = salts(preset)
        spec = [(c.first, c.first_mask, c.second, c.second_mask, salt[c]) for c in contexts]
        selectors, rows = _selectors(mixture, n + 1)
        weights = np.zeros((rows, inputs), np.int32)
        weights[:, :n] = preset.weight
        behind = n + min(n, inputs - n - 3 - preset.counters - mixture.guesses)
        weights[:, behind] = preset.weight  # the match model's
        weights[:, behind + 3 : behind + 3 + preset.counters + mixture.guesses] = preset.weight
        guesses = np.full(layout.GUESS_CELLS if mixture.guesses else 0, 12 << 28 | 2, np.uint32)
        return {
            "spec": np.array(spec, np.uint64).reshape(-1),
            "direct": np.array([places[c] if c.direct else -int(c.wide) for c in contexts], np.int64),
            "selectors": selectors,
            "maps": _maps(n, constants()["match_priors"], guesses),
            "weights": weights.reshape(-1),
            "uses": np.zeros(rows, np.int64),
            "final": np.full(256 * sets, (1 << 16) // sets, np.int32),
        }


def _direct(preset: Preset, bits: int) -> dict[Context, int]:
    """Return where the buckets of each unhashed context begin, behind those of the others."""
    places: dict[Context, int] = {}
    end = 16 << bits
    for mixture in preset.mixtures:
        for context in mixture.contexts:
            if context.direct and context not in places:
                places[context] = end
                end += (context.first_mask + 1) * 512
    return places


def _slots(preset: Preset, bits: int) -> int:
    """Return the bytes of all buckets."""
    return (16 << bits) + sum((context.first_mask + 1) * 512 for context in _direct(preset, bits))


class Strong(Loop):
    name = "strong"
    arguments = (
        "spec", "near", "least", "selectors", "x", "slots", "slots64", "bitslots", "maps", "match_maps",
        "guess_maps", "table", "weights", "uses", "final", "sse", "knots", "squash", "stretch", "after", "rates", "v",
        "after1", "after2", "after3", "fields", "spots", "matched", "reached",
    )  # fmt: skip
    shared = ("slots", "table", "sse", "v", "after1", "after2", "after3", "fields", "spots", "matched", "reached")
    own = ("bitslots", "maps", "match_maps", "guess_maps", "weights", "uses", "final")
    match_bits = (10, 22)

    def inputs(self, preset: Preset, mixture: Mixture) -> int:
        n = len(mixture.contexts) + len(mixture.near)
        return (n + 3 * len(mixture.matches) + 1 + 2 * mixture.guesses + 15) // 16 * 16

    def seconds(self, preset: Preset, mixture: Mixture) -> int:
        """Return how many contexts have a second input: as many as fit."""
        n = len(mixture.contexts) + len(mixture.near)
        return min(n, self.inputs(preset, mixture) - n - 3 * len(mixture.matches) - 1 - 2 * mixture.guesses)

    def memory(self, preset: Preset, bits: int, size: int) -> int:
        cells = (len(preset.mixtures[0].matches) << self.bits_of_match(size)) + 16 * layout.STRONG_SSE_ROWS
        cells += layout.SPOTS + 2 * layout.R_FIELDS
        near = 0
        for mixture in mixtures(preset):
            n, sets = len(mixture.contexts) + len(mixture.near), len(mixture.sets)
            rows = sum(choice.rows(8) for choice in mixture.sets)
            cells += 256 * n + len(mixture.matches) * layout.STRONG_MATCH_CELLS + layout.FINAL_ROWS * sets
            cells += layout.GUESS_CELLS if mixture.guesses else 1
            cells += rows * (self.inputs(preset, mixture) + 2)
            near += (1 << layout.BIT_BITS) if mixture.near else 1
        return (16 << bits) + near + 4 * cells + self.base

    def shared_arrays(self, preset: Preset, bits: int, size: int) -> Arrays:
        import numpy as np

        fixed, matches = constants(), len(preset.mixtures[0].matches)
        slots = aligned(16 << bits, np.uint8)
        return {
            "slots": slots,
            "slots64": slots.view(np.uint64),
            "table": np.zeros(matches << self.bits_of_match(size), np.uint32),
            "sse": aligned(16 * layout.STRONG_SSE_ROWS, np.uint32),
            "v": np.zeros(SOURCES, np.uint64),
            "after1": np.zeros(256, np.uint64),
            "after2": np.zeros(65536, np.uint64),
            "after3": np.zeros(65536, np.uint64),
            "fields": np.zeros(layout.R_FIELDS, np.uint64),
            "spots": np.zeros(layout.SPOTS, np.uint32),
            "matched": np.zeros(4 * matches, np.int64),
            "reached": np.zeros(1, np.int64),
            "stretch": _long_stretch(),
            **{name: fixed[name] for name in ("knots", "squash", "after", "rates")},
        }

    def own_arrays(self, preset: Preset, mixture: Mixture, bits: int) -> Arrays:
        import numpy as np

        sets, matches = len(mixture.sets), len(mixture.matches)
        n = len(mixture.contexts) + len(mixture.near)
        inputs = self.inputs(preset, mixture)
        spec = [
            (c.first, c.first_mask, c.second, c.second_mask, c.third, c.third_mask, salt)
            for c, salt in numbered(preset, mixture)
        ]
        selectors, rows = _selectors(mixture, 8)
        match_maps = np.full((matches, layout.STRONG_MATCH_CELLS), 15 << 28 | 2, np.uint32)
        match_maps[:, : layout.MATCH_MAPS] = constants()["match_priors"]
        weights = aligned(rows * inputs, np.int32).reshape(-1, inputs)
        weights[:, :n] = preset.weight
        start = n + self.seconds(preset, mixture)
        weights[:, start : start + 3 * matches : 3] = preset.weight  # the match models' stretched probabilities
        start += 3 * matches + 1
        weights[:, start : start + 2 * mixture.guesses : 2] = preset.weight  # those of the guesses
        return {
            "spec": np.array(spec, np.uint64).reshape(-1),
            "near": np.array(mixture.near, np.uint64),
            "least": np.array(mixture.matches, np.int64),
            "selectors": selectors,
            "x": aligned(inputs, np.int32),
            "bitslots": np.zeros((1 << layout.BIT_BITS) if mixture.near else 1, np.uint8),
            "maps": _maps(n),
            "match_maps": match_maps.reshape(-1),
            "guess_maps": np.full(layout.GUESS_CELLS if mixture.guesses else 1, 12 << 28 | 2, np.uint32),
            "weights": weights.reshape(-1),
            "uses": np.zeros(rows, np.int64),
            "final": np.full(layout.FINAL_ROWS * sets, (1 << 16) // sets, np.int32),
        }

    def settings(self, preset: Preset, mixture: Mixture, bits: int, size: int) -> Any:
        settings = super().settings(preset, mixture, bits, size)
        settings[layout.CFG_SECOND] = self.seconds(preset, mixture)
        return settings


FAST, NORMAL, STRONG = Fast(), Normal(), Strong()


class State:
    """The memory of one block.

    Args:
        loop, preset: what works on it.
        bits: log2 of the hashed buckets.
        size: bytes that are read and coded.

    Attributes:
        reached: where a loop says how far it is (int64 (1,)).
    """

    def __init__(self, loop: Loop, preset: Preset, bits: int, size: int):
        self._kind = (loop, preset, bits, size)
        self._shared = loop.shared_arrays(preset, bits, size)
        self._own: dict[Mixture, Arrays] = {}

    @property
    def reached(self) -> Any:
        return self._shared["reached"]

    def run(
        self, mode: int, first: int, end: int, buf: Any, coded: Any, coder: Any, mixture: Mixture, **settings: int
    ) -> None:
        """Let the loop code `buf[first:end]` with the contexts of `mixture`.

        Args:
            mode: `layout.ENCODE`, `DECODE` or `READ`.
            first, end, buf, coded, coder: as the kernel takes them.
            mixture: of the preset.
            settings: what is not that of the mixture, by its name in `layout`, without CFG_.
        """
        loop, preset, bits, size = self._kind
        values = loop.settings(preset, mixture, bits, size)
        for name, value in settings.items():
            values[getattr(layout, f"CFG_{name}")] = value
        arrays = self.arrays(mixture)
        loop.code(mode, first, end, buf, coded, coder, values, *(arrays[name] for name in loop.arguments))

    def arrays(self, mixture: Mixture) -> Arrays:
        """Return the loop's arrays for a mixture, by their names."""
        loop, preset, bits, _ = self._kind
        if mixture not in self._own:
            self._own[mixture] = loop.own_arrays(preset, mixture, bits)
        return {**self._shared, **self._own[mixture]}

    def changed(self, mixture: Mixture) -> list[Any]:
        """Return what the loop changes where only `mixture` was in use."""
        loop, arrays = self._kind[0], self.arrays(mixture)
        return [arrays[name] for name in (*loop.shared, *loop.own)]

    def copied(self, mixture: Mixture) -> State:
        """Return a copy, as far as `mixture` goes."""
        copy = State(*self._kind)
        for there, here in zip(copy.changed(mixture), self.changed(mixture), strict=True):
            there[:] = here
        return copy

    def undo(self, was: State, first: int, buf: Any, mixture: Mixture, **settings: int) -> None:
        """Make this state what `was` is, which is what it was before `mixture` coded `buf[first:]` in one stream."""
        loop, preset, bits, size = self._kind
        values = loop.settings(preset, mixture, bits, size)
        for name, value in settings.items():
            values[getattr(layout, f"CFG_{name}")] = value
        now, before = self.arrays(mixture), was.arrays(mixture)
        walked = [now[name] for name in loop.walked]
        names = loop.undone
        old = [before[name] for name in (loop.start, *names)]
        loop.restore(first, buf, values, *walked, *(now[name] for name in names), *old)
        for name in {*loop.shared, *loop.own} - set(names):
            now[name][:] = before[name]


class KeptState:
    """A copy of a state, as far as a mixture goes, without its zeros, which are most of it after a primer.

    Attributes:
        size: bytes that it takes.
    """

    def __init__(self, state: State, mixture: Mixture):
        import numpy as np

        self._kind = state._kind
        self._mixture = mixture
        # Of each piece of each array: the array's number, where the piece begins, how far each byte that is not 0 lies
        # behind the one before, and these bytes; or all of them.
        self._parts: list[tuple[int, int, Any, Any]] = []
        loop = state._kind[0]
        whole = {*loop.own, *loop.filled}  # are not made of zeros, which the others are where nothing was kept
        named = zip((*loop.shared, *loop.own), state.changed(mixture), strict=True)
        for number, (name, array) in enumerate(named):
            there = array.view(np.uint8)
            for start in range(0, len(there), PIECE):
                piece = there[start : start + PIECE]
                gaps, values = (None, piece.copy()) if name in whole else _without_zeros(piece)
                if len(values):
                    self._parts.append((number, start, gaps, values))
        self.size = sum(array.nbytes for part in self._parts for array in part[2:] if array is not None)

    def state(self) -> State:
        """Return the state again, for a loop to change."""
        import numpy as np

        state = State(*self._kind)
        arrays = [array.view(np.uint8) for array in state.changed(self._mixture)]
        for number, start, gaps, values in self._parts:
            piece = arrays[number][start : start + PIECE]
            if gaps is None:
                piece[:] = values
            else:
                spread(gaps, values, piece)
        return state


def _without_zeros(piece: Any) -> tuple[Any, Any]:
    """Return the gaps and the values that `spread` makes `piece` (uint8 array) of; None and a copy where that is
    shorter."""
    import numpy as np

    places = np.flatnonzero(piece)
    gaps = np.diff(places, prepend=-1)
    # A gap is a byte: longer ones are filled with zeros that are written out.
    steps = (gaps - 1) // 255
    ends = np.cumsum(steps + 1) - 1
    short = np.full(int(ends[-1]) + 1 if len(ends) else 0, 255, np.uint8)
    if 2 * len(short) > len(piece):
        return None, piece.copy()
    short[ends] = gaps - 255 * steps
    values = np.zeros(len(short), np.uint8)
    values[ends] = piece[places]
    return short, values
