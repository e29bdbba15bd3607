"""Engine `cm`: context mixing of bits, coded by a binary arithmetic coder.

Many contexts predict the next bit, a gated logistic mixer weighs them (Mahoney's PAQ family; Mattern, "Mixing
Strategies in Data Compression", DCC 2012), and the coder spends what the mixture asks for. docs/reference/CM.md
specifies the payload. This module owns the memory; `kernel` fills it. Only integers take part, so a payload is the same
on every machine.

numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar, NamedTuple

from nzip.entropy.jit import Native
from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.content.kinds import Content
from nzip.models import primers, progress
from nzip.models.base import Engine, Params
from nzip.models.cm import layout
from nzip.models.cm.presets import DEFAULT_PRESET, LARGE, PRESETS, PRESETS_1, Context, Preset, Select, select_rows
from nzip.models.conditional import Conditional, ConditionalKernel, Unconditional
from nzip.process import lock

MIN_BITS, MAX_BITS = 8, 26  # log2 of buckets
MAX_SIZE = (1 << 32) - 1
MATCH_BITS = (10, 22)  # log2 of the match model's table
COUNTER_BITS = (8, 18)  # log2 of the counters' lines
APM_CELLS = 16 * (256 + 65536 + 65536 + 4096)
FIXED = 1 << 20  # what does not depend on the block: tables of sources, of constants, and padding
UNPRIMED = 0x80  # in the stored preset: no primers
KEPT = 64 << 20  # bytes of states that are kept as a primer left them
MAX_RECORD = 0xFFFF
TEXT, BINARY = 0, 1
MAX_DISTANCE = 1100
SAMPLE = 1 << 14
CONTROL_SHARE = 8  # one control byte in so many makes a block binary,
HIGH_SHARE, HIGH_CONTROL_SHARE = 8, 512  # and so do one byte above 127 and one control byte in so many

# The arrays that a kernel changes; `slots64` is the same memory as `slots`.
CHANGED = (
    "slots", "maps", "table", "weights", "counts", "final", "counters", "apm", "v", "after1", "after2", "carried",
    "reached",
)  # fmt: skip

code, restore, count_repeats, spread = (
    Native("nzip.models.cm.kernel", name) for name in ("code", "restore", "count_repeats", "spread")
)


class CmEngine(Engine):
    """Codes a block by context mixing.

    Parameters:
        preset: 1..4, which contexts are mixed; more of them cost time and save bytes.
        bits: log2 of the hash table's buckets of 16 bytes. `fit` chooses it for a block.
        primer: 1 if a block of text may begin with what a primer teaches (the default), 0 if not.
    """

    name = "cm"
    id = 2
    version = 2
    presets: ClassVar[dict[int, Preset]] = PRESETS

    def pack(self, params: Params) -> bytes:
        preset, bits, primer = self._checked(params)
        return bytes((preset | (0 if primer else UNPRIMED), bits))

    def unpack(self, packed: bytes) -> dict[str, int]:
        if len(packed) != 2:
            raise CorruptError("the parameters of a cm block are malformed")
        preset, bits = packed[0] & ~UNPRIMED, packed[1]
        if preset not in self.presets:
            raise UnsupportedError(f"cm preset {preset} is not known to this nzip; upgrade nzip")
        if not MIN_BITS <= bits <= MAX_BITS:
            raise CorruptError("the parameters of a cm block are out of range")
        return {"preset": preset, "bits": bits, "primer": int(not packed[0] & UNPRIMED)}

    @classmethod
    def _checked(cls, params: Params) -> tuple[int, int, int]:
        unknown = set(params) - {"preset", "bits", "primer"}
        if unknown:
            raise ValueError(f"engine cm does not know the parameter {sorted(unknown)[0]!r}")
        preset = params.get("preset", DEFAULT_PRESET)
        if preset not in cls.presets:
            raise ValueError(f"cm preset {preset} is not in 1..{max(cls.presets)}")
        bits = params.get("bits", cls.presets[preset].max_bits)
        if not MIN_BITS <= bits <= MAX_BITS:
            raise ValueError(f"cm bits {bits} is not in {MIN_BITS}..{MAX_BITS}")
        primer = params.get("primer", 1)
        if primer not in (0, 1):
            raise ValueError(f"cm primer {primer} is not 0 or 1")
        return preset, bits, primer

    def fit(self, params: Params, size: int) -> dict[str, int]:
        preset, bits, primer = self._checked(params)
        chosen = self.presets[preset]
        if size >= LARGE and chosen.large:
            preset, chosen = chosen.large, self.presets[chosen.large]
            bits = params.get("bits", chosen.max_bits)
        # A byte needs two buckets a context, most of which other bytes need as well. With a primer the number does not
        # follow the block's size too closely, so that more blocks can begin with a state that was kept.
        known = size if not primer else 1 << (size + chosen.primer - 1).bit_length()
        buckets = max(len(chosen.text), len(chosen.binary)) * known // 2
        return {"preset": preset, "bits": max(MIN_BITS, min(bits, buckets.bit_length())), "primer": primer}

    def memory(self, params: Params, size: int) -> int:
        preset, bits, primer = self._checked(params)
        chosen = self.presets[preset]
        read = primer * chosen.primer
        largest = max(plan(chosen, cls, bits, size + read).total for cls in (TEXT, BINARY))
        if read:  # states are kept, but not beside one that is larger than all of them
            largest = largest + KEPT if largest <= KEPT else max(largest, 2 * KEPT)
        return largest + size + 2 * read  # a copy of the payload, and what is read before the block

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + size  # and one of the block

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; when it would not be shorter than the block, one byte more than the block."""
        preset, bits, primer = self._checked(params)
        cls, record = classify(block)
        if cls == BINARY:
            head, chosen = bytes((cls,)) + record.to_bytes(2, "little"), 0
        else:
            chosen = primers.nearest(block) if primer else 0
            head = bytes((cls, chosen)) if primer else bytes((cls,))
        return _encode(head, block, self.presets[preset], bits, cls, record, chosen)

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        preset, bits, primer = self._checked(params)
        cls = payload[0] if payload else 255
        start = {TEXT: 1 + primer, BINARY: 3}.get(cls, 0)
        if not start or len(payload) < start:
            raise CorruptError("a cm block does not start as it should")
        record = int.from_bytes(payload[1:3], "little") if cls == BINARY else 0
        chosen = payload[1] if cls == TEXT and primer else 0
        if chosen and chosen not in primers.PRIMERS:
            raise CorruptError(f"a cm block names a primer {chosen}, which version 2 does not have")
        return _decode(payload, start, size, self.presets[preset], bits, cls, record, chosen)

    def conditional(self, known: bytes, params: Params, most: int = 0) -> Conditional:
        """Return what blocks cost after `known`, which takes the place of a primer."""
        preset, bits, _ = self._checked(self.fit({**params, "primer": 0}, len(known) + most))
        if known:
            return CmConditional(self.presets[preset], bits, *classify(known), known, most)
        chosen = self.presets[preset]
        return Unconditional(classify, lambda cls, record: CmConditional(chosen, bits, cls, record, b"", most))

    def model_bytes(self, params: Params) -> int:
        return primers.model_bytes() if self._checked(params)[2] else 0

    def prepare(self) -> None:
        self.encode(bytes(64), {"preset": 1, "bits": MIN_BITS, "primer": 0})


class CmEngine1(CmEngine):
    """Version 1 of `cm`: without primers. What it wrote is read for ever.

    Parameters:
        preset: 1..6.
        bits: as in version 2.
    """

    version = 1
    presets = PRESETS_1

    def pack(self, params: Params) -> bytes:
        preset, bits, _ = self._checked(params)
        return bytes((preset, bits))

    def unpack(self, packed: bytes) -> dict[str, int]:
        if packed and packed[0] & UNPRIMED:
            raise UnsupportedError(f"cm preset {packed[0]} is not known to this nzip; upgrade nzip")
        params = super().unpack(packed)
        del params["primer"]
        return params

    @classmethod
    def _checked(cls, params: Params) -> tuple[int, int, int]:
        if "primer" in params:
            raise ValueError("version 1 of engine cm does not know the parameter 'primer'")
        return super()._checked({**params, "primer": 0})

    def fit(self, params: Params, size: int) -> dict[str, int]:
        fitted = super().fit(params, size)
        del fitted["primer"]
        return fitted


def _encode(head: bytes, block: bytes, preset: Preset, bits: int, cls: int, record: int, primer: int) -> bytes:
    import numpy as np

    read, state = _begin(preset, bits, cls, record, len(block), primer)
    coded = np.empty(max(1, len(block) - len(head)), np.uint8)
    data = np.frombuffer(read + block, np.uint8).copy()
    with progress.watching(state["reached"], len(read), len(block)):
        end = code(layout.ENCODE, len(read), data, coded, *state.values())
    if len(head) + end > len(block):
        return bytes(len(block) + 1)
    return head + bytes(coded[:end].tobytes())


def _decode(
    payload: bytes, start: int, size: int, preset: Preset, bits: int, cls: int, record: int, primer: int
) -> bytes:
    import numpy as np

    read, state = _begin(preset, bits, cls, record, size, primer)
    data = np.empty(len(read) + size, np.uint8)
    data[: len(read)] = np.frombuffer(read, np.uint8)
    coded = np.frombuffer(payload, np.uint8)[start:].copy()
    with progress.watching(state["reached"], len(read), size):
        used = code(layout.DECODE, len(read), data, coded, *state.values())
    if used < len(coded):
        raise CorruptError("a cm block holds more than its bytes need")
    return bytes(data[len(read) :].tobytes())


def _begin(preset: Preset, bits: int, cls: int, record: int, size: int, primer: int) -> tuple[bytes, dict[str, Any]]:
    """Return what is read before a block of `size` bytes, and the state after it.

    Reading a primer takes longer than coding a short block, so the states of the last ones are kept.
    """
    if not primer:
        return b"", build_state(preset, bits, cls, record, size)
    import numpy as np

    read = primers.text(primer)[-preset.primer :]
    sizes = plan(preset, cls, bits, len(read) + size)
    key = (preset, bits, sizes, primer)
    with _lock:
        kept = _kept.get(key)
        if kept is not None:
            _kept.move_to_end(key)
    if kept is not None:
        return read, kept.state()
    state = build_state(preset, bits, cls, record, len(read) + size)
    code(layout.READ, 0, np.frombuffer(read, np.uint8).copy(), np.zeros(1, np.uint8), *state.values())
    if sizes.total > KEPT:
        with _lock:
            _kept.clear()  # such a block's memory is stated without them
        return read, state
    kept = KeptState(state)
    with _lock:
        _kept[key] = kept
        while sum(entry.size for entry in _kept.values()) > KEPT:
            _kept.popitem(last=False)
    return read, state


class KeptState:
    """A copy of a state without its zeros, which are most of it after a primer.

    Attributes:
        size: bytes that it takes.
    """

    def __init__(self, state: dict[str, Any]):
        import numpy as np

        self._whole = {name: array for name, array in state.items() if name not in CHANGED and name != "slots64"}
        self._order = tuple(state)
        # Of each array: bytes that are not 0, how far each lies behind the one before, and length and type.
        self._parts: dict[str, tuple[Any, Any, Any]] = {}
        self.size = 0
        for name in CHANGED:
            array = state[name]
            there = array.view(np.uint8)
            places = np.flatnonzero(there)
            gaps = np.diff(places, prepend=-1)
            # A gap is a byte: longer ones are filled with zeros that are written out.
            steps = (gaps - 1) // 255
            ends = np.cumsum(steps + 1) - 1
            short: Any = np.full(int(ends[-1]) + 1 if len(ends) else 0, 255, np.uint8)
            short[ends] = gaps - 255 * steps
            values = np.zeros(len(short), np.uint8)
            values[ends] = there[places]
            if 2 * len(short) > array.nbytes:
                short, values = None, array.copy()
            self._parts[name] = (short, values, (len(array), array.dtype))
            self.size += values.nbytes + (0 if short is None else short.nbytes)

    def state(self) -> dict[str, Any]:
        """Return the state again, for a kernel to change."""
        import numpy as np

        fresh = dict(self._whole)
        for name, (gaps, values, (length, dtype)) in self._parts.items():
            if gaps is None:
                fresh[name] = values.copy()
                continue
            fresh[name] = _aligned(length, dtype)
            spread(gaps, values, fresh[name].view(np.uint8))
        fresh["slots64"] = fresh["slots"].view(np.uint64)
        return {name: fresh[name] for name in self._order}


class CmConditional(ConditionalKernel):
    """What blocks of class `cls` and record length `record` cost after `known`."""

    def __init__(self, preset: Preset, bits: int, cls: int, record: int, known: bytes, most: int):
        import numpy as np

        self.begin = len(known)
        self._state = build_state(preset, bits, cls, record, max(1, len(known) + most))
        self.buffer = np.zeros(len(known) + most, np.uint8)
        self.buffer[: len(known)] = np.frombuffer(known, np.uint8)
        if known:
            code(layout.READ, 0, self.buffer[: len(known)], np.zeros(1, np.uint8), *self._state.values())
        self._work = _copied(self._state)

    def _encode_kernel(self, buffer: Any, coded: Any) -> tuple[int, int, int]:
        end = int(code(layout.ENCODE, self.begin, buffer, coded, *self._work.values()))
        whole, spread = self._work["carried"][4:6].tolist()
        return end, whole, spread

    def _decode_kernel(self, buffer: Any, coded: Any) -> None:
        code(layout.DECODE, self.begin, buffer, coded, *self._work.values())

    def _undo(self, buffer: Any) -> None:
        work, state = self._work, self._state
        names = ("slots", "table", "counters", "apm", "v", "after1", "after2")
        restore(
            self.begin, buffer, work["settings"], work["spec"], work["direct"],
            *(work[name] for name in names), *(state[name] for name in names),
        )  # fmt: skip
        for name in ("maps", "weights", "counts", "final", "carried", "reached"):
            work[name][:] = state[name]


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of what a kernel changes."""
    fresh = dict(state)
    for name in CHANGED:
        fresh[name] = _aligned(len(state[name]), state[name].dtype, state[name])
    fresh["slots64"] = fresh["slots"].view(state["slots64"].dtype)
    return fresh


class Plan(NamedTuple):
    """Sizes of the kernel's arrays, in elements (and `total` in bytes)."""

    contexts: int
    inputs: int
    slots: int
    match_bits: int
    counter_bits: int
    rows: tuple[int, ...]
    total: int


_kept: OrderedDict[tuple[Preset, int, Plan, int], KeptState] = OrderedDict()


def plan(preset: Preset, cls: int, bits: int, size: int) -> Plan:
    """Return what a block of `size` bytes needs."""
    contexts, sets = (preset.text, preset.text_sets) if cls == TEXT else (preset.binary, preset.binary_sets)
    n = len(contexts)
    inputs = min(preset.inputs, (2 * n + 3 + preset.counters + 15) // 16 * 16)
    slots = (16 << bits) + sum((context.first_mask + 1) * 512 for context in contexts if context.direct)
    match_bits = max(MATCH_BITS[0], min(MATCH_BITS[1], (size - 1).bit_length()))
    counter_bits = max(COUNTER_BITS[0], min(COUNTER_BITS[1], size.bit_length() - 1)) if preset.counters else 0
    rows = tuple(select_rows(select, n) for select in sets)
    cells = 256 * n + (1 << match_bits) + sum(rows) * (inputs + 2) + 256 * len(sets)
    cells += (16 << counter_bits) + APM_CELLS
    return Plan(n, inputs, slots, match_bits, counter_bits, rows, slots + 4 * cells + FIXED)


def classify(block: bytes) -> tuple[int, int]:
    """Return the class of a block, and its record length if it is binary."""
    seen = examine(block)
    return seen.cls, seen.record


class Examined(NamedTuple):
    """What samples of a block show. The numbers behind `record` are 0 for text."""

    cls: int
    record: int  # the distance at which most bytes repeat
    size: int = 0  # bytes of the samples
    even: int = 0  # of these the ones that are 0 or 255
    fresh: int = 0  # and those that do not continue a run
    repeats: int = 0  # and of these, those that repeat at the best distance


def examine(block: bytes) -> Examined:
    """Return the class and the record length of a block, and what speaks for them.

    Bytes that continue a run are not counted as repeats: they repeat at every distance.
    """
    import numpy as np

    data = np.frombuffer(block, np.uint8)
    if len(data) > SAMPLE:
        third = len(data) // 3
        data = np.concatenate((data[third:][: SAMPLE // 2], data[2 * third :][: SAMPLE // 2]))
    else:
        data = data.copy()  # one that may be written to, as kernels ask for
    counts = np.bincount(data, minlength=256)
    control = int(counts[:9].sum() + counts[14:32].sum())
    high = int(counts[128:].sum())
    # Samples of sound, pictures and tensors hold few control characters; text in any encoding holds next to none.
    samples = high * HIGH_SHARE > len(data) and control * HIGH_CONTROL_SHARE > len(data)
    if control * CONTROL_SHARE <= len(data) and not samples:
        return Examined(TEXT, 0)
    fresh = np.ones(len(data), np.uint8)
    fresh[1:] = data[1:] != data[:-1]
    scores = np.zeros(max(3, min(MAX_DISTANCE, len(data) // 3)), np.int32)
    count_repeats(data, fresh, scores)
    best = int(scores.max())
    # A multiple of the length repeats nearly as often: the shortest of the good ones is taken.
    record = 2 + int(np.argmax(scores[2:] >= max(1, best - best // 32)))
    return Examined(BINARY, record, len(data), int(counts[0] + counts[255]), int(fresh.sum()), best)


_lock = lock()
_tables: list[Any] = []


def _constants() -> list[Any]:
    """The constant tables as arrays."""
    with _lock:
        if not _tables:
            import numpy as np

            from nzip.models.cm import tables

            squash = np.array(tables.squash_values(), np.int32)
            stretch = np.array(tables.stretch_values(), np.int16)
            after = np.array(tables.state_table(), np.uint8).reshape(-1)
            _tables.extend((squash, stretch, after, np.array(tables.rates(), np.int32)))
            _tables.append(np.array(tables.state_priors(), np.uint32))
            _tables.append(np.array(tables.apm_priors(), np.uint32))
            _tables.append(np.array(tables.match_priors(), np.uint32))
    return _tables


def build_state(preset: Preset, bits: int, cls: int, record: int, size: int) -> dict[str, Any]:
    """Allocate and initialise what the kernel works on, in the order of the kernel's arguments."""
    import numpy as np

    contexts: tuple[Context, ...] = preset.text if cls == TEXT else preset.binary
    sets: tuple[Select, ...] = preset.text_sets if cls == TEXT else preset.binary_sets
    sizes = plan(preset, cls, bits, size)
    squash, stretch, after, rates, priors, apm_priors, match_priors = _constants()
    n, k = sizes.contexts, len(sets)

    settings = np.zeros(layout.CFG_SIZE, np.int64)
    settings[layout.CFG_INPUTS] = sizes.inputs
    settings[layout.CFG_LIMIT] = preset.limit
    settings[layout.CFG_RECORD] = record
    settings[layout.CFG_RATE] = preset.rate
    settings[layout.CFG_RATE_START] = preset.rate_start
    settings[layout.CFG_RATE_FALL] = preset.rate_fall
    settings[layout.CFG_MATCH_MIN] = preset.match_min if cls == TEXT else preset.match_min_binary
    settings[layout.CFG_MATCH_BITS] = sizes.match_bits
    settings[layout.CFG_FINAL_RATE] = preset.final_rate
    settings[layout.CFG_APM_LIMIT] = preset.apm_limit
    settings[layout.CFG_REFINE] = preset.refine
    settings[layout.CFG_BITS] = bits
    settings[layout.CFG_AHEAD] = preset.ahead
    settings[layout.CFG_COUNTERS] = preset.counters
    settings[layout.CFG_COUNTER_BITS] = sizes.counter_bits
    settings[layout.CFG_COUNTER_LIMIT] = preset.counter_limit

    spec = np.zeros((n, 4), np.uint64)
    direct = np.zeros(n, np.int64)
    end = 16 << bits
    for i, context in enumerate(contexts):
        spec[i] = (context.first, context.first_mask, context.second, context.second_mask)
        if context.direct:
            direct[i] = end
            end += (context.first_mask + 1) * 512
        elif context.wide:
            direct[i] = -1
    slots = _aligned(end, np.uint8)

    maps = np.zeros(256 * n + layout.MATCH_MAPS, np.uint32)
    maps[: 256 * n].reshape(n, 256)[:, : priors.shape[-1]] = priors
    maps[256 * n :] = match_priors
    selectors = np.zeros((2, k), np.int64)
    selectors[0] = sets
    selectors[1] = np.cumsum((0, *sizes.rows[:-1]))
    weights = np.zeros((sum(sizes.rows), sizes.inputs), np.int32)
    weights[:, :n] = preset.weight
    behind = n + min(n, sizes.inputs - n - 3 - preset.counters)
    weights[:, behind] = preset.weight  # the match model's
    weights[:, behind + 3 : behind + 3 + preset.counters] = preset.weight
    final = np.full(256 * k, (1 << 16) // k, np.int32)
    return {
        "settings": settings,
        "spec": spec.reshape(-1),
        "direct": direct,
        "selectors": selectors.reshape(-1),
        "slots": slots,
        "slots64": slots.view(np.uint64),
        "maps": maps,
        "table": np.zeros(1 << sizes.match_bits, np.uint32),
        "weights": weights.reshape(-1),
        "counts": np.zeros(sum(sizes.rows), np.int64),
        "final": final,
        "counters": _aligned(16 << sizes.counter_bits, np.uint32),
        "apm": _aligned(APM_CELLS, np.uint32),
        "knots": apm_priors,
        "squash": squash,
        "stretch": stretch,
        "after": after,
        "rates": rates,
        "v": np.zeros(layout.SOURCES, np.uint64),
        "after1": np.zeros(256, np.uint64),
        "after2": np.zeros(65536, np.uint64),
        "carried": np.zeros(6, np.int64),
        "reached": np.zeros(1, np.int64),
    }


def _aligned(count: int, dtype: Any, content: Any = None) -> Any:
    """Zeros, or `content`, that start at a cache line: a bucket's neighbours then share one."""
    import numpy as np

    size = np.dtype(dtype).itemsize
    raw = (np.zeros if content is None else np.empty)(count + 64 // size, dtype)
    skip = (-raw.ctypes.data % 64) // size
    if content is not None:
        raw[skip : skip + count] = content
    return raw[skip : skip + count]
