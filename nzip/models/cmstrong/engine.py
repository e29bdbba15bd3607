"""Engine `cmstrong`: the strong context mixing of levels 7 to 9.

Many more contexts than `cm`, weight sets chosen by many things, three mixers in the second layer, several match models,
and contexts of near bits for bitmaps (Mahoney's PAQ family; Mattern, "Mixing Strategies in Data Compression", DCC
2012). docs/reference/CMSTRONG.md specifies the payload. This module owns the memory; `kernel` fills it. Only integers
take part, so a payload is the same on every machine.

numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, NamedTuple

from nzip.entropy import jit
from nzip.entropy.jit import Native
from nzip.errors import CorruptError, UnsupportedError
from nzip.formats.content.kinds import Content
from nzip.models import primers, progress
from nzip.models.base import Engine, Params
from nzip.models.cm.engine import BINARY, SAMPLE, TEXT, _aligned, _constants, examine
from nzip.models.cmstrong import layout
from nzip.models.cmstrong.presets import DEFAULT_PRESET, PRESETS, Preset

MIN_BITS, MAX_BITS = 8, 26  # log2 of buckets
MATCH_BITS = (10, 22)  # log2 of each match model's table
MATCH_CELLS = 128 + 4 * 2048
APM_CELLS = 16 * (256 + 4 * 65536)
BIT_SLOTS = 1 << 22
FINAL_ROWS = 256 + 256 + 80 + 32768
FIXED = 5 << 19  # what does not depend on the block: tables of sources, of constants, and padding
UNPRIMED = 0x80  # in the stored preset: no primers
MAX_RECORD = 0xFFFF
SKIMMED = sum(primer.size for primer in primers.PRIMERS.values())  # bytes that are skimmed, at most
BITMAP = 2  # beside the classes of `cm`
EVEN_TENTHS = 6  # a bitmap's share of bytes that are 0 or 255, in tenths, at least

# The arrays that reading changes; `slots64` is the same memory as `slots`.
CHANGED = (
    "slots", "bitslots", "maps", "match_maps", "table", "weights", "uses", "final", "apm", "v", "after1", "after2",
    "after3", "matched",
)  # fmt: skip
KEPT_BLOCK = 1 << 16  # blocks up to here begin with a state that was kept; larger ones take longer than reading does
STATES = 4  # so many are kept, the latest; each takes about 55 MB of disk

code = Native("nzip.models.cmstrong.kernel", "code")


class CmStrongEngine(Engine):
    """Codes a block by context mixing with many contexts.

    Parameters:
        preset: 1..3, which contexts are mixed; more of them cost time and save bytes.
        bits: log2 of the hash table's buckets of 16 bytes. `fit` chooses it for a block.
        primer: 1 if a block of text may begin with what a primer teaches (the default), 0 if not.
    """

    name = "cmstrong"
    id = 5
    version = 1

    def pack(self, params: Params) -> bytes:
        preset, bits, primer = self._checked(params)
        return bytes((preset | (0 if primer else UNPRIMED), bits))

    def unpack(self, packed: bytes) -> dict[str, int]:
        if len(packed) != 2:
            raise CorruptError("the parameters of a cmstrong block are malformed")
        preset, bits = packed[0] & ~UNPRIMED, packed[1]
        if preset not in PRESETS:
            raise UnsupportedError(f"cmstrong preset {preset} is not known to this nzip; upgrade nzip")
        if not MIN_BITS <= bits <= MAX_BITS:
            raise CorruptError("the parameters of a cmstrong block are out of range")
        return {"preset": preset, "bits": bits, "primer": int(not packed[0] & UNPRIMED)}

    @staticmethod
    def _checked(params: Params) -> tuple[int, int, int]:
        unknown = set(params) - {"preset", "bits", "primer"}
        if unknown:
            raise ValueError(f"engine cmstrong does not know the parameter {sorted(unknown)[0]!r}")
        preset = params.get("preset", DEFAULT_PRESET)
        if preset not in PRESETS:
            raise ValueError(f"cmstrong preset {preset} is not in 1..{max(PRESETS)}")
        bits = params.get("bits", PRESETS[preset].max_bits)
        if not MIN_BITS <= bits <= MAX_BITS:
            raise ValueError(f"cmstrong bits {bits} is not in {MIN_BITS}..{MAX_BITS}")
        primer = params.get("primer", 1)
        if primer not in (0, 1):
            raise ValueError(f"cmstrong primer {primer} is not 0 or 1")
        return preset, bits, primer

    def fit(self, params: Params, size: int) -> dict[str, int]:
        preset, bits, primer = self._checked(params)
        chosen = PRESETS[preset]
        # A byte needs two buckets a context, many of which other bytes need as well.
        buckets = max(map(len, chosen.contexts)) * (size + primer * chosen.primer)
        return {"preset": preset, "bits": max(MIN_BITS, min(bits, buckets.bit_length())), "primer": primer}

    def memory(self, params: Params, size: int) -> int:
        preset, bits, primer = self._checked(params)
        chosen = PRESETS[preset]
        read = primer * (chosen.primer + (SKIMMED if chosen.skim else 0))
        needs = [plan(chosen, TEXT, bits, size + read).total + 3 * read]
        needs += [plan(chosen, cls, bits, size).total for cls in (BINARY, BITMAP)]
        return max(needs) + size  # a copy of the payload

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + size  # and one of the block

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; when it would not be shorter than the block, one byte more than the block."""
        preset, bits, primer = self._checked(params)
        cls, record = classify(block)
        if cls == TEXT:
            chosen = primers.nearest(block) if primer else 0
            return _encode(bytes((cls, chosen)) if primer else bytes((cls,)), block, preset, bits, cls, record, chosen)
        head = record.to_bytes(2, "little")
        if cls == BITMAP:
            # A table of mostly zeros looks the same: the middle of the block says what it is.
            middle = block[max(0, len(block) // 2 - SAMPLE // 2) :][:SAMPLE]
            small = min(bits, 20)
            lengths = [len(_encode(head, middle, preset, small, kind, record)) for kind in (BINARY, BITMAP)]
            if lengths[0] < lengths[1]:
                cls = BINARY
        return _encode(bytes((cls,)) + head, block, preset, bits, cls, record)

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        preset, bits, primer = self._checked(params)
        cls = payload[0] if payload else 255
        start = {TEXT: 1 + primer, BINARY: 3, BITMAP: 3}.get(cls, 0)
        if not start or len(payload) < start:
            raise CorruptError("a cmstrong block does not start as it should")
        record = int.from_bytes(payload[1:3], "little") if cls != TEXT else 0
        chosen = payload[1] if cls == TEXT and primer else 0
        if chosen and chosen not in primers.PRIMERS:
            raise CorruptError(f"a cmstrong block names a primer {chosen}, which version 1 does not have")
        data, first, skim, known, state = _begin(preset, bits, cls, record, bytes(size), chosen)
        coded = np.frombuffer(payload, np.uint8)[start:].copy()
        with progress.watching(state["reached"], first, len(data) - first):
            used = code(layout.DECODE, first, skim, known, data, coded, *state.values())
        if used < len(coded):
            raise CorruptError("a cmstrong block holds more than its bytes need")
        return bytes(data[known:].tobytes())

    def model_bytes(self, params: Params) -> int:
        return primers.model_bytes() if self._checked(params)[2] else 0

    def prepare(self) -> None:
        self.encode(bytes(64), {"preset": 1, "bits": MIN_BITS, "primer": 0})


def _read(preset: int, primer: int) -> tuple[int, bytes]:
    """Return how many bytes are skimmed, and these and those that are read before a block; nothing for primer 0."""
    if not primer:
        return 0, b""
    others = (number for number in primers.PRIMERS if number != primer)
    skimmed = b"".join(map(primers.text, others)) if PRESETS[preset].skim else b""
    return len(skimmed), skimmed + primers.text(primer)[-PRESETS[preset].primer :]


def _encode(head: bytes, block: bytes, preset: int, bits: int, cls: int, record: int, primer: int = 0) -> bytes:
    """Return the payload of `block` as one of class `cls`; one byte more than the block if it is not shorter."""
    import numpy as np

    data, first, skim, known, state = _begin(preset, bits, cls, record, block, primer)
    coded = np.empty(max(1, len(block) - len(head)), np.uint8)
    with progress.watching(state["reached"], first, len(data) - first):
        end = code(layout.ENCODE, first, skim, known, data, coded, *state.values())
    if len(head) + end > len(block):
        return bytes(len(block) + 1)
    return head + bytes(coded[:end].tobytes())


def _begin(
    preset: int, bits: int, cls: int, record: int, block: bytes, primer: int
) -> tuple[Any, int, int, int, dict[str, Any]]:
    """Return what the kernel begins with.

    Returns:
        What is known and the block, where in it to begin, how much is skimmed, how much is known, and the state.
    """
    import numpy as np

    skim, read = _read(preset, primer)
    data = np.frombuffer(read + block, np.uint8).copy()
    state = build_state(preset, bits, cls, record, len(data))
    if not skim or len(block) > KEPT_BLOCK or os.environ.get("NZIP_STATES") == "0":
        return data, 0, skim, len(read), state
    # Reading takes longer than coding a short block, so what it leads to is kept in a file, where there is room.
    texts = [(number, primers.PRIMERS[number].sha256) for number in primers.PRIMERS]
    # The preset counts as it stands here: whoever measures parts of it changes it while the program runs.
    kinds = repr((preset, PRESETS[preset], bits, primer, plan(PRESETS[preset], cls, bits, len(data)), texts))
    key = jit.key_of(__name__, "state", kinds)
    arrays = [state[name] for name in CHANGED]
    if jit.load_arrays(key, arrays):
        return data, len(read), skim, len(read), state
    del state, arrays  # they may hold what was read of a bad file
    state = build_state(preset, bits, cls, record, len(data))
    known = data[: len(read)].copy()
    code(layout.READ, 0, skim, len(read), known, np.zeros(1, np.uint8), *state.values())
    jit.keep_arrays(key, [state[name] for name in CHANGED], STATES)
    return data, len(read), skim, len(read), state


class Plan(NamedTuple):
    """Sizes of the kernel's arrays, in elements (and `total` in bytes)."""

    contexts: int  # those of bytes and those of bits
    inputs: int
    seconds: int  # contexts with a second input: as many as fit
    match_bits: int
    rows: tuple[int, ...]
    total: int


def plan(preset: Preset, cls: int, bits: int, size: int) -> Plan:
    """Return what a block of `size` bytes needs."""
    sets, matches = preset.sets[cls], len(preset.matches)
    n = len(preset.contexts[cls]) + len(preset.near[cls])
    inputs = (n + 3 * matches + 1 + 15) // 16 * 16
    seconds = min(n, inputs - n - 3 * matches - 1)
    match_bits = max(MATCH_BITS[0], min(MATCH_BITS[1], (size - 1).bit_length()))
    rows = tuple(choice.rows for choice in sets)
    cells = 256 * n + matches * (MATCH_CELLS + (1 << match_bits)) + sum(rows) * (inputs + 2)
    cells += FINAL_ROWS * len(sets) + APM_CELLS
    slots = (16 << bits) + (BIT_SLOTS if preset.near[cls] else 1)
    return Plan(n, inputs, seconds, match_bits, rows, slots + 4 * cells + FIXED)


def classify(block: bytes) -> tuple[int, int]:
    """Return the class of a block, and its record length unless it is text. BITMAP is a guess, BINARY the other."""
    seen = examine(block)
    # A bitmap is mostly white or black, and its rows resemble each other.
    if seen.even * 10 > seen.size * EVEN_TENTHS and seen.repeats * 4 > seen.fresh and seen.record > 2:
        return BITMAP, seen.record
    return seen.cls, seen.record


@lru_cache(maxsize=1)
def _stretch16() -> Any:
    import numpy as np

    from nzip.models.cm import tables

    return np.array(tables.stretch_values(16), np.int16)


def build_state(number: int, bits: int, cls: int, record: int, size: int) -> dict[str, Any]:
    """Allocate and initialise what the kernel works on for preset `number`, in the order of the kernel's arguments."""
    import numpy as np

    preset = PRESETS[number]
    contexts, near, sets = preset.contexts[cls], preset.near[cls], preset.sets[cls]
    sizes = plan(preset, cls, bits, size)
    squash, _, after, rates, priors, apm_priors, match_priors = _constants()
    n, k, m = sizes.contexts, len(sets), len(preset.matches)

    settings = np.zeros(layout.CFG_SIZE, np.int64)
    settings[layout.CFG_INPUTS] = sizes.inputs
    settings[layout.CFG_LIMIT] = preset.limit
    settings[layout.CFG_RECORD] = record
    settings[layout.CFG_RATE] = preset.rate[cls]
    settings[layout.CFG_RATE_START] = preset.rate_start[cls]
    settings[layout.CFG_RATE_FALL] = preset.rate_fall
    settings[layout.CFG_LOUD] = preset.loud
    settings[layout.CFG_QUIET] = preset.quiet
    settings[layout.CFG_MATCH_BITS] = sizes.match_bits
    settings[layout.CFG_FINAL_RATE] = preset.final_rate
    settings[layout.CFG_APM_LIMIT] = preset.apm_limit
    settings[layout.CFG_BITS] = bits
    settings[layout.CFG_SECOND] = sizes.seconds
    settings[layout.CFG_SKIM] = preset.skim

    spec = np.zeros((len(contexts), 6), np.uint64)
    for i, c in enumerate(contexts):
        spec[i] = (c.first, c.first_mask, c.second, c.second_mask, c.third, c.third_mask)
    slots = _aligned(16 << bits, np.uint8)
    maps = np.zeros((n, 256), np.uint32)
    maps[:, : priors.shape[-1]] = priors
    match_maps = np.zeros((m, MATCH_CELLS), np.uint32)
    match_maps[:, :128] = match_priors
    match_maps[:, 128:] = 15 << 28 | 2
    selectors = np.zeros((6, k), np.int64)
    for i, choice in enumerate(sets):
        first = sum(sizes.rows[:i])
        selectors[:, i] = (choice.select, first, choice.source, choice.shift, choice.mask, choice.by_bit)
    weights = _aligned(sum(sizes.rows) * sizes.inputs, np.int32).reshape(-1, sizes.inputs)
    weights[:, :n] = preset.weight
    start = n + sizes.seconds
    weights[:, start : start + 3 * m : 3] = preset.weight  # the match models' stretched probabilities
    return {
        "settings": settings,
        "spec": spec.reshape(-1),
        "near": np.array(near, np.uint64),
        "least": np.array(preset.matches, np.int64),
        "selectors": selectors.reshape(-1),
        "x": _aligned(sizes.inputs, np.int32),
        "slots": slots,
        "slots64": slots.view(np.uint64),
        "bitslots": np.zeros(BIT_SLOTS if near else 1, np.uint8),
        "maps": maps.reshape(-1),
        "match_maps": match_maps.reshape(-1),
        "table": np.zeros(m << sizes.match_bits, np.uint32),
        "weights": weights.reshape(-1),
        "uses": np.zeros(sum(sizes.rows), np.int64),
        "final": np.full(FINAL_ROWS * k, (1 << 16) // k, np.int32),
        "apm": _aligned(APM_CELLS, np.uint32),
        "knots": apm_priors,
        "squash": squash,
        "stretch": _stretch16(),
        "after": after,
        "rates": rates,
        "v": np.zeros(layout.SOURCES, np.uint64),
        "after1": np.zeros(256, np.uint64),
        "after2": np.zeros(65536, np.uint64),
        "after3": np.zeros(65536, np.uint64),
        "matched": np.zeros(4 * m, np.int64),
        "reached": np.zeros(1, np.int64),
    }
