"""Engine `cmfast`: context mixing with few contexts, for speed; two parts of a block are coded side by side.

Before a block of text is coded, the model learns from `primer.txt`, lines of the primers of `nzip.models.primers` that
hold the commonest strings of each kind of text, so that short blocks do not start from nothing.
docs/reference/CMFAST.md specifies the payload. This module owns the memory; `kernel` fills it. Only integers take part,
so a payload is the same on every machine.

numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.formats.content.kinds import Content
from nzip.models import progress
from nzip.models.base import Engine, Params
from nzip.models.cm.engine import BINARY, TEXT, _aligned, classify
from nzip.models.cmfast import layout
from nzip.models.conditional import Conditional, ConditionalKernel, Unconditional
from nzip.process import lock

MIN_BITS, MAX_BITS, DEFAULT_BITS = 12, 24, 22  # log2 of buckets
MAX_STREAMS = 2
TWO_STREAMS = 1 << 16  # blocks from here on are coded in two streams
MATCH_BITS = (12, 20)  # log2 of the match model's table
LEAST = {TEXT: 8, BINARY: 6}  # shortest match
PART = {TEXT: 1 << 13, BINARY: 1 << 16}  # bytes of a stream before the streams meet again
PRIMER = "09c27dd89e71370d71b7ea81d82b62a4f38370da26b146019f28255984d44e23"  # SHA-256 of its text
PRIMED = 1 << 14  # the primer is shorter than this
KEEP_BITS = 16  # up to here the primed memory is kept for the next block
WEIGHT = 22000  # what the weights start with, in 1/65536
FIXED = 1 << 23  # what does not depend on the block: refinement, unhashed buckets, the primer, memory kept primed

code, restore = (Native("nzip.models.cmfast.kernel", name) for name in ("code", "restore"))


class CmFastEngine(Engine):
    """Codes a block by context mixing with five contexts.

    Parameters:
        bits: log2 of the hash table's buckets of 16 bytes. `fit` chooses it for a block.
        streams: 1 or 2 parts of the block that are coded side by side. `fit` chooses it.
    """

    name = "cmfast"
    id = 4
    version = 1

    def pack(self, params: Params) -> bytes:
        return bytes(self._checked(params))

    def unpack(self, packed: bytes) -> dict[str, int]:
        if len(packed) != 2:
            raise CorruptError("the parameters of a cmfast block are malformed")
        bits, streams = packed
        if not MIN_BITS <= bits <= MAX_BITS:
            raise CorruptError("the parameters of a cmfast block are out of range")
        if not 1 <= streams <= MAX_STREAMS:
            raise UnsupportedError(f"cmfast with {streams} streams is not known to this nzip; upgrade nzip")
        return {"bits": bits, "streams": streams}

    @staticmethod
    def _checked(params: Params) -> tuple[int, int]:
        unknown = set(params) - {"bits", "streams"}
        if unknown:
            raise ValueError(f"engine cmfast does not know the parameter {sorted(unknown)[0]!r}")
        bits, streams = params.get("bits", DEFAULT_BITS), params.get("streams", MAX_STREAMS)
        if not MIN_BITS <= bits <= MAX_BITS:
            raise ValueError(f"cmfast bits {bits} is not in {MIN_BITS}..{MAX_BITS}")
        if not 1 <= streams <= MAX_STREAMS:
            raise ValueError(f"cmfast streams {streams} is not in 1..{MAX_STREAMS}")
        return bits, streams

    def fit(self, params: Params, size: int) -> dict[str, int]:
        bits, streams = self._checked(params)
        buckets = 2 * (size + PRIMED)  # of the eight a byte may need, most are needed by other bytes as well
        bits = max(MIN_BITS, min(bits, buckets.bit_length()))
        return {"bits": bits, "streams": streams if size >= TWO_STREAMS else 1}

    def memory(self, params: Params, size: int) -> int:
        bits, _ = self._checked(params)
        return (16 << bits) + (4 << _match_bits(size)) + 2 * size + FIXED  # and copies of the payload and the block

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; when it would not be shorter than the block, one byte more than the block."""
        import numpy as np

        bits, streams = self._checked(params)
        cls, record = classify(block)
        even = len(block) - len(block) % streams
        head = bytes((cls,)) + (record.to_bytes(2, "little") if cls == BINARY else b"") + block[even:]
        coded = np.empty(max(1, len(block) - len(head)), np.uint8)
        state = State(bits, cls, record, even)
        state.buf[state.begin :] = np.frombuffer(block, np.uint8)[:even]
        end = state.run(layout.ENCODE, streams, coded)
        if len(head) + end > len(block):
            return bytes(len(block) + 1)
        return head + coded[:end].tobytes()

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        bits, streams = self._checked(params)
        even = size - size % streams
        cls = payload[0] if payload else 255
        start = {TEXT: 1, BINARY: 3}.get(cls, 0)
        rest = start + size - even
        if not start or len(payload) < rest:
            raise CorruptError("a cmfast block does not start as it should")
        state = State(bits, cls, int.from_bytes(payload[1:start], "little"), even)
        coded = np.frombuffer(payload, np.uint8)[rest:].copy()
        used = state.run(layout.DECODE, streams, coded)
        if used < len(coded):
            raise CorruptError("a cmfast block holds more than its bytes need")
        return bytes(state.buf[state.begin :].tobytes() + payload[start:rest])

    def conditional(self, known: bytes, params: Params, most: int = 0) -> Conditional:
        """Return what blocks cost after `known`, coded in one stream; text comes after the primer and `known`."""
        bits, _ = self._checked(self.fit(params, len(known) + most))
        if known:
            return CmFastConditional(bits, *classify(known), known, most)
        return Unconditional(classify, lambda cls, record: CmFastConditional(bits, cls, record, b"", most))

    def model_bytes(self, params: Params) -> int:
        return len(primer())

    def prepare(self) -> None:
        self.encode(bytes(64), {"bits": MIN_BITS, "streams": 1})


@lru_cache(maxsize=1)
def primer() -> bytes:
    """Return the text that the model learns before a block of text; `corpora/make_primers.py --short` made it.

    Raises:
        NzipError: the installed file is damaged, or of another version than this program has imported.
    """
    text = Path(__file__).with_name("primer.txt").read_bytes()
    if hashlib.sha256(text).hexdigest() != PRIMER:
        raise NzipError("the primer of cmfast is not that of this nzip; start the program again, or install nzip again")
    return text


def _match_bits(size: int) -> int:
    return max(MATCH_BITS[0], min(MATCH_BITS[1], (size + PRIMED).bit_length()))


_lock = lock()
_lock_kept = lock()
_tables: dict[str, Any] = {}


def _constants() -> dict[str, Any]:
    """The constant tables as arrays, and what maps and refinement start with."""
    with _lock:
        if not _tables:
            import numpy as np

            from nzip.models.cm import tables
            priors = np.array(tables.state_priors(), np.uint32)
            maps = np.zeros((layout.CONTEXTS, 256), np.uint32)
            maps[:, : len(priors)] = priors
            maps = np.concatenate((maps.reshape(-1), np.array(tables.match_priors()[::4], np.uint32)))
            stretch = np.array(tables.stretch_values(), np.int16)
            _tables.update(
                squash=np.array(tables.squash_values(), np.uint16),
                stretch=stretch,
                after=np.array(tables.state_table(), np.uint8).reshape(-1),
                rates=np.array(tables.rates(), np.int32),
                maps=maps,
                ready=stretch[maps >> 20],
                knots=np.array([entry >> 16 for entry in tables.apm_priors()[:16]], np.uint16),
            )
    return _tables


def _fresh(bits: int, match_bits: int) -> dict[str, Any]:
    """Allocate and initialise what the kernel changes, in the order of its arguments."""
    import numpy as np

    constants = _constants()
    slots = _aligned(layout.DIRECT + (16 << bits), np.uint8)
    weights = np.zeros((layout.ROWS, layout.LANES), np.int32)
    weights[:, : layout.CONTEXTS + 1] = WEIGHT
    apm = _aligned(layout.APM_ROWS * 16, np.uint16)
    apm.reshape(-1, 16)[:] = constants["knots"]
    return {
        "carry": np.zeros(4, np.uint64),
        "slots": slots,
        "slots64": slots.view(np.uint64),
        "maps": constants["maps"].copy(),
        "ready": constants["ready"].copy(),
        "table": np.zeros(1 << match_bits, np.uint32),
        "weights": weights.reshape(-1),
        "apm": apm,
    }


def _run(mode: int, buf: Any, begin: int, streams: int, coded: Any, settings: Any, arrays: dict[str, Any]) -> int:
    import numpy as np

    constants = [_constants()[name] for name in ("squash", "stretch", "after", "rates")]
    reached = np.zeros(1, np.int64)
    with progress.watching(reached, begin, len(buf) - begin) if mode != layout.TRAIN else nullcontext():
        return int(code(mode, buf, begin, streams, coded, *settings, *arrays.values(), *constants, reached))


def _primed(text: bytes, bits: int, match_bits: int) -> dict[str, Any]:
    """What the kernel changes, once it has learned from `text`."""
    import numpy as np

    arrays = _fresh(bits, match_bits)
    if text:
        settings = (False, 0, LEAST[TEXT], PART[TEXT], bits, match_bits)
        _run(layout.TRAIN, np.frombuffer(text, np.uint8).copy(), 0, 1, np.zeros(1, np.uint8), settings, arrays)
    return arrays


_kept = lru_cache(maxsize=1)(_primed)


class State:
    """What the kernel works on for one block: all memory, with the primer learned.

    Args:
        bits: log2 of the hashed buckets.
        cls: class of the block.
        record: its record length; 0 for text.
        size: its bytes that are coded.
    """

    def __init__(self, bits: int, cls: int, record: int, size: int):
        import numpy as np

        first = primer() if cls == TEXT else b""
        self.begin = len(first)
        self.buf = np.empty(self.begin + size, np.uint8)
        self.buf[: self.begin] = np.frombuffer(first, np.uint8)
        match_bits = _match_bits(size)
        self.settings = (cls == BINARY, record, LEAST[cls], PART[cls], bits, match_bits)
        if first and bits <= KEEP_BITS:
            # Learning from the primer takes longer than coding a short block: what it leads to is kept, and copied.
            with _lock_kept:
                kept = _kept(first, bits, match_bits)
            self.arrays = _fresh(bits, match_bits)
            for name, array in self.arrays.items():
                if name != "slots64":  # the same memory as slots
                    array[:] = kept[name]
        else:
            self.arrays = _primed(first, bits, match_bits)

    def run(self, mode: int, streams: int, coded: Any) -> int:
        """Encode or decode the block; returns what the kernel returns."""
        return _run(mode, self.buf, self.begin, streams, coded, self.settings, self.arrays)


class CmFastConditional(ConditionalKernel):
    """What blocks of class `cls` and record length `record` cost after `known`."""

    def __init__(self, bits: int, cls: int, record: int, known: bytes, most: int):
        import numpy as np

        state = State(bits, cls, record, len(known) + most)
        self._settings = state.settings
        self.buffer = state.buf
        self._arrays = state.arrays
        self.begin = state.begin + len(known)
        self.buffer[state.begin : self.begin] = np.frombuffer(known, np.uint8)
        if known:
            read = self.buffer[: self.begin]
            _run(layout.TRAIN, read, state.begin, 1, np.zeros(1, np.uint8), self._settings, self._arrays)
        self._work = {name: array.copy() for name, array in self._arrays.items()}
        for name in ("slots", "apm"):
            array = self._arrays[name]
            self._work[name] = _aligned(len(array), array.dtype)
            self._work[name][:] = array
        self._work["slots64"] = self._work["slots"].view(np.uint64)

    def _encode_kernel(self, buffer: Any, coded: Any) -> tuple[int, int, int]:
        end = int(_run(layout.ENCODE, buffer, self.begin, 1, coded, self._settings, self._work))
        whole, spread = self._work["carry"][2:4].tolist()
        return end, whole, spread

    def _decode_kernel(self, buffer: Any, coded: Any) -> None:
        _run(layout.DECODE, buffer, self.begin, 1, coded, self._settings, self._work)

    def _undo(self, buffer: Any) -> None:
        work, was = self._work, self._arrays
        binary, period, least, _, bits, match_bits = self._settings
        restore(
            buffer, self.begin, binary, period, least, bits, match_bits, work["slots"], work["table"], work["apm"],
            was["carry"], was["slots"], was["table"], was["apm"],
        )  # fmt: skip
        for name in ("carry", "maps", "ready", "weights"):
            work[name][:] = was[name]
