"""The engines `cmfast`, `cm` and `cmstrong`: context mixing of bits, coded by a binary arithmetic coder.

Many contexts predict the next bit, a gated logistic mixer weighs them (Mahoney's PAQ family; Mattern, "Mixing
Strategies in Data Compression", DCC 2012), and the coder spends what the mixture asks for. The three engines are one
frame around three loops (`fast`, `normal`, `strong`), which differ in how many contexts they take and what else they
do for each bit. A block is coded stretch by stretch: its segment map says which mixture of contexts serves which
stretch, and all share what they have learned. Before a block with text, the loop reads a primer.

docs/reference/CM.md specifies the payload. Only integers take part, so a payload is the same on every machine. numba
and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from nzip.entropy import jit
from nzip.errors import CorruptError, NzipError
from nzip.formats.content.kinds import Content
from nzip.formats.content.records import guess, plain
from nzip.models import primers, progress
from nzip.models.base import NOTHING, Beside, Engine
from nzip.models.cm import layout, memory, segments
from nzip.models.cm.layout import AUDIO, BINARY, BITMAP, KEYED, ROWS, TABLE, TEXT
from nzip.models.cm.memory import KeptState, Loop, State
from nzip.models.cm.presets import FAST, LARGE, NORMAL, STRONG, Mixture, Preset
from nzip.models.cm.segments import Stretch
from nzip.models.conditional import Conditional, ConditionalKernel, Unconditional
from nzip.params import Flag, Number, Parameters, Params
from nzip.process import lock

MIN_BITS, MAX_BITS = 8, 26  # log2 of buckets
TWO_STREAMS = 1 << 16  # blocks from here on are coded in two streams by `cmfast`
SAMPLE = 1 << 14  # bytes from a block's middle that say whether it is a bitmap
FAVOUR = 16  # what tables gain once they are known, beyond what a sample shows: one part in so many
SHORT_PRIMER = "09c27dd89e71370d71b7ea81d82b62a4f38370da26b146019f28255984d44e23"  # SHA-256 of its text
KEPT_BLOCK = 1 << 16  # blocks up to here begin with a state kept in a file; larger ones take longer than reading does
TEXTS = (TEXT, ROWS, TABLE)
STATES = 4  # so many files are kept, the latest; each takes about 55 MB
OWN_KEPT = 2  # states after what is known beside blocks that are kept, the latest
KNOWN_TYPE = 1 << 16  # blocks up to here are taken to be of the type of what is known beside many
SKIMMED = sum(primer.size for primer in primers.PRIMERS.values())  # bytes that are skimmed, at most


class Reading(NamedTuple):
    """What a loop reads before a block.

    Attributes:
        text: the bytes.
        skimmed: how many of them, the first ones, are only skimmed.
        number: of the primer, or 0.
        type: of the mixture that serves,
        mode: and how it tells fields apart.
        own: it is what the user has beside blocks.
    """

    text: bytes = b""
    skimmed: int = 0
    number: int = 0
    type: int = TEXT
    mode: int = 0
    own: bool = False


class _Run(NamedTuple):
    """What a loop does at one go.

    Attributes:
        start, stop: where in the buffer.
        stretch: of the block, whose contexts serve,
        begin: and where in the buffer it begins.
        known: the bytes, where they are only read; else they are coded.
    """

    start: int
    stop: int
    stretch: Stretch
    begin: int
    known: bytes


def _runs(found: list[Stretch], beside: Beside, start: int) -> list[_Run]:
    """Return the runs of a block of these stretches that begins at `start` of the buffer, and of what stands beside."""
    runs = []
    at = start

    def add(count: int, stretch: Stretch, begin: int, known: bytes = b"") -> None:
        nonlocal at
        if count:
            runs.append(_Run(at, at + count, stretch, begin, known))
            at += count

    add(len(beside.text), max(found, key=lambda stretch: stretch.length), at, beside.text)
    heads = iter(beside.heads)
    place, head = next(heads, (-1, b""))
    literal = 0
    for stretch in found:
        begin, end = at, literal + stretch.length
        while literal < end:
            if place == literal:
                add(len(head), stretch, begin, head)
                place, head = next(heads, (-1, b""))
            stop = min(end, place) if place > literal else end
            add(stop - literal, stretch, begin)
            literal = stop
    return runs


class ContextMixing(Engine):
    """One loop with its presets.

    Class attributes:
        loop: the loop.
        presets: by their numbers.
        kept: bytes of states after primers that are kept in memory,
        beside: and the most memory of a block that may begin with one.
        numbered: whether a payload names the primer that is read before it.
        sampling: the preset that tells what looks like a table from prose between tags; 0 for that of the block.
    """

    loop: ClassVar[Loop]
    presets: ClassVar[dict[int, Preset]]
    kept: ClassVar[int] = 0
    beside: ClassVar[int] = 0
    numbered: ClassVar[bool] = True
    sampling: ClassVar[int] = 0
    version = 1

    def __init__(self) -> None:
        self._states: OrderedDict[tuple[Any, ...], KeptState] = OrderedDict()
        self._own_states: OrderedDict[tuple[Any, ...], KeptState] = OrderedDict()
        self._lock = lock()

    # ---- parameters

    def _full(self, params: Params) -> dict[str, int]:
        """Return all parameters, also those that the engine has not."""
        full = {"preset": 1, "primer": 1, "streams": 1, **self.parameters.check(params)}
        if full["bits"] is None:
            full["bits"] = self.presets[full["preset"]].max_bits
        return full

    def _given(self, full: dict[str, int]) -> dict[str, Any]:
        return {parameter.name: full[parameter.name] for parameter in self.parameters}

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        full = self._full(params)
        preset = self.presets[full["preset"]]
        if size >= LARGE and preset.large:
            full["preset"], preset = preset.large, self.presets[preset.large]
            full["bits"] = params.get("bits") or preset.max_bits
        buckets = self._buckets(preset, size, full["primer"])
        lowest = next(parameter for parameter in self.parameters if parameter.name == "bits").low  # type: ignore[attr-defined]
        full["bits"] = max(lowest, min(full["bits"], buckets.bit_length()))
        if size < TWO_STREAMS:
            full["streams"] = 1
        return self._given(full)

    def _buckets(self, preset: Preset, size: int, primer: int) -> int:
        """Return how many buckets a block needs: two a byte and context, of which many serve other bytes as well."""
        return max(len(mixture.contexts) for mixture in preset.mixtures[:3]) * (size + primer * preset.primer)

    def _most_read(self, preset: Preset, primer: int) -> int:
        """Return how many bytes are read before a block, at most."""
        return primer * (preset.primer + (SKIMMED if preset.skim else 0))

    def memory(self, params: Params, size: int) -> int:
        full = self._full(params)
        preset = self.presets[full["preset"]]
        read = self._most_read(preset, full["primer"])
        need = self.loop.memory(preset, full["bits"], size + read)
        if read and self.kept:  # states are kept, but not beside one that is larger than all of them
            need = need + self.kept if need <= self.beside else max(need, self.beside + self.kept)
        return need + size + 3 * read  # a copy of the payload, and what is read before the block

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + size  # and one of the block

    def model_bytes(self, params: Params) -> int:
        return primers.model_bytes() if self._full(params)["primer"] else 0

    # ---- blocks

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; when it would not be shorter than the block, one byte more than the block."""
        return self._encode(block, params, content, NOTHING)

    def _encode(self, block: bytes, params: Params, content: Content | None, beside: Beside) -> bytes:
        full = self._full(params)
        if beside.kept and len(block) <= KNOWN_TYPE:
            return self._coded(block, full, [Stretch(_type_of(beside.text), len(block))], beside)
        return self._coded(block, full, self._stretches(block, full, content), beside)

    def _stretches(self, block: bytes, full: dict[str, int], content: Content | None) -> list[Stretch]:
        found = segments.stretches(plain(block) if content is None or content.size != len(block) else content)
        at = 0
        for number, stretch in enumerate(found):
            found[number] = self._typed(stretch, full, block[at : at + stretch.length])
            at += stretch.length
        return found

    def _typed(self, stretch: Stretch, full: dict[str, int], part: bytes) -> Stretch:
        """Return a stretch, which holds `part`, as a type that has a mixture of its own and suits it.

        A table of mostly zeros looks like a bitmap, and prose between tags like a table; the middle says what it is.
        """
        if stretch.type in (ROWS, TABLE):
            return self._rows(stretch, full, part)
        if stretch.type != BITMAP:
            return stretch
        binary, bitmap = (stretch._replace(type=kind, guessed=False) for kind in (BINARY, BITMAP))
        mixtures = self.presets[full["preset"]].mixtures
        if mixtures[BITMAP] == mixtures[BINARY]:
            return binary
        if not stretch.guessed:
            return bitmap
        return self._shorter((bitmap, binary), full, part)

    def _rows(self, stretch: Stretch, full: dict[str, int], part: bytes) -> Stretch:
        """Return a stretch of rows, or a table, as what suits it: that, or text; lines may be rows of keys as well."""
        text = stretch._replace(type=TEXT, mode=0, guessed=False)
        if len(self.presets[full["preset"]].mixtures) <= ROWS:
            return text
        found = stretch._replace(guessed=False)
        if not stretch.guessed:
            return found
        keyed = found._replace(type=TABLE, mode=KEYED)
        kinds = (keyed, text) if stretch.type == TABLE else (keyed, text, found)
        return self._shorter(kinds, {**full, "preset": self.sampling or full["preset"]}, part, FAVOUR)

    def _shorter(self, kinds: tuple[Stretch, ...], full: dict[str, int], part: bytes, favour: int = 0) -> Stretch:
        """Return that of some stretches with which the middle of `part` is shortest; the first, if none is shorter.

        All but the second count as shorter by one part in `favour`.
        """
        middle = part[max(0, len(part) // 2 - SAMPLE // 2) :][:SAMPLE]
        small = {**full, "bits": min(full["bits"], 20), "streams": 1, "primer": 0}
        sizes = [len(self._coded(middle, small, [kind._replace(length=len(middle))])) for kind in kinds]
        if favour:
            sizes[1] += sizes[1] // favour
        return kinds[sizes.index(min(sizes))]

    def encode_stretches(self, block: bytes, params: Params, found: list[Stretch]) -> bytes:
        """Return the payload of a block of these stretches; they may begin elsewhere by a byte, for two streams."""
        return self._coded(block, self._full(params), found)

    def _coded(self, block: bytes, full: dict[str, int], found: list[Stretch], beside: Beside = NOTHING) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        size = len(block) - len(block) % full["streams"]
        found = segments.even(found, full["streams"], size)
        if beside.kept:
            reading, named, beside = _own(beside), b"", NOTHING
        else:
            reading, named = self._reading_for(block, full, found)
        head = segments.pack(found) + named + block[size:]
        known, state = self._begin(full, reading, size + beside.size)
        data = np.empty(known + beside.size + size, np.uint8)
        data[:known] = np.frombuffer(reading.text, np.uint8)
        runs = _runs(found, beside, known)
        at = 0
        for run in runs:
            data[run.start : run.stop] = np.frombuffer(run.known or block[at : at + run.stop - run.start], np.uint8)
            at += 0 if run.known else run.stop - run.start
        payload = np.empty(max(len(block), len(head) + 1), np.uint8)
        payload[: len(head)] = np.frombuffer(head, np.uint8)
        coded = payload[len(head) :]
        coder = bounds.begin()
        self._run(layout.ENCODE, state, full, runs, data, coded, coder)
        end = bounds.finish(coder, coded) if coder[bounds.AT] <= len(coded) else len(coded) + 1
        if len(head) + end > len(block):
            return bytes(len(block) + 1)
        return bytes(payload[: len(head) + end].tobytes())

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        return self.decode_beside(payload, size, params, NOTHING)

    learns_beside = True

    def alone(self, params: Params, kept: bool = False) -> Params:
        own = {"streams": 1, **({"primer": 0} if kept else {})}
        return {**params, **{key: value for key, value in own.items() if key in self._given(self._full(params))}}

    def encode_beside(self, block: bytes, params: Params, content: Content | None, beside: Beside) -> bytes:
        return self._encode(block, params, content, beside)

    def decode_beside(self, payload: bytes, size: int, params: Params, beside: Beside) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        full = self._full(params)
        whole = size - size % full["streams"]
        types = len(self.presets[full["preset"]].mixtures)
        found, at = segments.unpack(payload, whole, types)
        if any(stretch.length % full["streams"] for stretch in found) or (full["streams"] > 1 and beside.size):
            raise CorruptError(f"a {self.name} block has a segment that its streams cannot share")
        number = 0
        if not beside.kept and self.numbered and full["primer"] and _texts(found):
            if at >= len(payload):
                raise CorruptError(f"a {self.name} block does not start as it should")
            number, at = payload[at], at + 1
            if number and number not in primers.PRIMERS:
                raise CorruptError(f"a {self.name} block names a primer {number}, which nzip does not have")
        rest = at + size - whole
        if len(payload) < rest:
            raise CorruptError(f"a {self.name} block does not start as it should")
        if beside.kept:
            reading, beside = _own(beside), NOTHING
        else:
            reading = self._reading(full, found, number)
        known, state = self._begin(full, reading, whole + beside.size)
        data = np.empty(known + beside.size + size, np.uint8)
        data[:known] = np.frombuffer(reading.text, np.uint8)
        data[known + beside.size + whole :] = np.frombuffer(payload[at:rest], np.uint8)
        coded = np.frombuffer(payload, np.uint8)[rest:].copy()
        coder = bounds.begin(coded)
        runs = _runs(found, beside, known)
        for run in runs:
            if run.known:
                data[run.start : run.stop] = np.frombuffer(run.known, np.uint8)
        self._run(layout.DECODE, state, full, runs, data, coded, coder)
        if coder[bounds.AT] < len(coded):
            raise CorruptError(f"a {self.name} block holds more than its bytes need")
        del coded  # its room is that of the bytes to be returned, as memory is stated
        if not beside.size:
            return bytes(data[known:].tobytes())
        return b"".join(data[run.start : run.stop].tobytes() for run in runs if not run.known)

    def _run(
        self, mode: int, state: State, full: dict[str, int], runs: list[_Run], data: Any, coded: Any, coder: Any
    ) -> None:
        from nzip.entropy import bounds

        preset, begin = self.presets[full["preset"]], runs[0].start
        nothing = bounds.begin()
        # Beside an old version most of a block goes on as that did, but for a byte here and there.
        recovers = int(any(run.known for run in runs))
        with progress.watching(state.reached, begin, len(data) - begin):
            for run in runs:
                state.run(
                    layout.READ if run.known else mode, run.start, run.stop, data, coded,
                    nothing if run.known else coder, preset.mixtures[run.stretch.type],
                    STREAMS=full["streams"], RECOVERS=recovers, **_shape(run.stretch, run.begin),
                )  # fmt: skip
                if mode == layout.ENCODE and coder[bounds.AT] > len(coded):
                    break

    # ---- primers

    def _reading_for(self, block: bytes, full: dict[str, int], found: list[Stretch]) -> tuple[Reading, bytes]:
        """Return what is read before a block, and what its payload says of it."""
        texts, at = [], 0
        for stretch in found:
            if stretch.type in TEXTS:
                texts.append(block[at : at + stretch.length] if len(found) > 1 else block)
            at += stretch.length
        if not self.numbered or not full["primer"] or not texts:
            return self._reading(full, found, 0), b""
        number = primers.nearest(max(texts, key=len))
        return self._reading(full, found, number), bytes((number,))

    def _reading(self, full: dict[str, int], found: list[Stretch], number: int) -> Reading:
        """Return what is read before a block whose payload names primer `number`; 0 for none."""
        if not number:
            return Reading()
        preset = self.presets[full["preset"]]
        others = (each for each in primers.PRIMERS if each != number)
        skimmed = b"".join(map(primers.text, others)) if preset.skim else b""
        # As text, if there is any; else as the first rows or table.
        like = min((stretch for stretch in found if stretch.type in TEXTS), key=lambda stretch: stretch.type != TEXT)
        text = skimmed + primers.text(number)[-preset.primer :]
        return Reading(text, len(skimmed), number, like.type, like.mode)

    def _begin(self, full: dict[str, int], reading: Reading, size: int) -> tuple[int, State]:
        """Return how many bytes are read before a block of `size` bytes, and the state after them.

        Reading a primer takes longer than coding a short block, so the latest states are kept.
        """
        preset, bits = self.presets[full["preset"]], full["bits"]
        begin = len(reading.text)
        sizes = self._state_size(begin, size)
        if not begin:
            return 0, State(self.loop, preset, bits, sizes)
        # The preset counts as it stands here: whoever measures parts of it changes it while the program runs.
        key = (preset, bits, self.loop.bits_of_match(sizes), memory.counter_bits(preset, sizes), reading)
        states = self._own_states if reading.own else self._states
        with self._lock:
            kept = states.get(key)
            if kept is not None:
                states.move_to_end(key)
        if kept is not None:
            return begin, kept.state()
        state = self._read(preset, bits, sizes, reading, size)
        if not reading.own and self.loop.memory(preset, bits, sizes) > self.beside:
            with self._lock:
                self._states.clear()  # such a block's memory is stated without them
            return begin, state
        kept = KeptState(state, preset.mixtures[reading.type])
        with self._lock:
            states[key] = kept
            while len(self._own_states) > OWN_KEPT:
                self._own_states.popitem(last=False)
            while sum(entry.size for entry in self._states.values()) > self.kept:
                self._states.popitem(last=False)
        return begin, state

    def _state_size(self, begin: int, size: int) -> int:
        """Return for how many bytes a state is made."""
        return begin + size

    def _read(self, preset: Preset, bits: int, sizes: int, reading: Reading, size: int) -> State:
        """Return a state after what is read."""
        state = State(self.loop, preset, bits, sizes)
        read(state, reading.text, preset.mixtures[reading.type], reading.skimmed, MODE=reading.mode)
        return state

    # ---- cost after other bytes

    def conditional(self, known: bytes, params: Params, most: int = 0) -> Conditional:
        """Return what blocks cost after `known`, which takes the place of a primer, or comes after the short one."""
        if not self.loop.undone:
            return super().conditional(known, params, most)
        given = {**params, "primer": 0} if self.numbered else params
        full = self._full(self.fit(given, len(known) + most))
        preset = self.presets[full["preset"]]

        def start(cls: int, record: int, read: bytes) -> Conditional:
            stretch = self._typed(Stretch(cls, 0, record), full, b"")
            first = self._reading(full, [stretch], 0).text
            sizes = self._state_size(0 if self.numbered else len(first), max(1, len(read) + most))
            state = State(self.loop, preset, full["bits"], sizes)
            return KnownBytes(state, preset.mixtures[stretch.type], stretch, first, read, most)

        if known:
            return start(*guess(known)[:2], known)
        return Unconditional(lambda block: guess(block)[:2], lambda cls, record: start(cls, record, b""))

    def prepare(self) -> None:
        self.encode(bytes(64), self.fit({"bits": 12}, 64))


def _own(beside: Beside) -> Reading:
    """Return what is read where the user says what."""
    return Reading(beside.text, type=_type_of(beside.text), own=True)


@lru_cache(maxsize=4)
def _type_of(text: bytes) -> int:
    """Return the type of the mixture that serves for a text, and for short blocks beside it."""
    return TEXT if guess(text)[0] == TEXT else BINARY


def _texts(found: list[Stretch]) -> bool:
    """Whether a stretch is text, of lines with fields or not: a primer is read before such blocks."""
    return any(stretch.type in TEXTS for stretch in found)


def _shape(stretch: Stretch, at: int) -> dict[str, int]:
    """Return the settings that tell a loop of a stretch that begins at `at`."""
    return {
        "RECORD": stretch.stride if stretch.type == AUDIO else stretch.period,
        "TYPE": stretch.type,
        "STRIDE": stretch.stride,
        "WIDTH": stretch.width,
        "BIG": int(stretch.big),
        "ORIGIN": at - stretch.phase,
        "MODE": stretch.mode,
    }


def read(state: State, text: bytes, mixture: Mixture, skimmed: int = 0, first: int = 0, **shape: int) -> None:
    """Let a state learn from `text[first:]`; the first `skimmed` bytes are only skimmed."""
    import numpy as np

    from nzip.entropy import bounds

    data = np.frombuffer(text, np.uint8).copy()
    nothing = np.zeros(1, np.uint8)
    state.run(layout.READ, first, len(data), data, nothing, bounds.begin(), mixture, SKIMMED=skimmed, **shape)


class KnownBytes(ConditionalKernel):
    """What blocks cost after a short primer (or nothing) and known bytes, with the contexts of `mixture`."""

    def __init__(self, state: State, mixture: Mixture, stretch: Stretch, first: bytes, known: bytes, most: int):
        import numpy as np

        self._mixture = mixture
        self._record = stretch.period
        self.begin = len(first) + len(known)
        self.buffer = np.zeros(self.begin + most, np.uint8)
        self.buffer[: self.begin] = np.frombuffer(first + known, np.uint8)
        if first:
            read(state, first, mixture)
        if known:
            read(state, first + known, mixture, first=len(first), RECORD=self._record)
        self._was, self._work = state, state.copied(mixture)

    def _code(self, mode: int, buffer: Any, coded: Any) -> Any:
        from nzip.entropy import bounds

        coder = bounds.begin(coded if mode == layout.DECODE else None)
        self._work.run(mode, self.begin, len(buffer), buffer, coded, coder, self._mixture, RECORD=self._record)
        return coder

    def _encode_kernel(self, buffer: Any, coded: Any) -> tuple[int, int, int]:
        from nzip.entropy import bounds

        coder = self._code(layout.ENCODE, buffer, coded)
        whole, spread = int(coder[bounds.AT]), int(coder[bounds.HIGH] - coder[bounds.LOW])
        return bounds.finish(coder, coded), whole, spread

    def _decode_kernel(self, buffer: Any, coded: Any) -> None:
        self._code(layout.DECODE, buffer, coded)

    def _undo(self, buffer: Any) -> None:
        self._work.undo(self._was, self.begin, buffer, self._mixture, RECORD=self._record)


_PRIMER = Flag(
    name="primer", default=1, inverted=True, help="1 if a block of text may begin with what a primer teaches, 0 if not."
)


def _bits(low: int, high: int, default: int | None) -> Number:
    text = "The most that the log2 of the hash table's buckets, of 16 bytes each, may be."
    return Number(name="bits", low=low, high=high, default=default, help=text)


def _preset(presets: dict[int, Preset], default: int) -> Number:
    text = "Which contexts are mixed; more of them cost time and save bytes."
    for number, preset in presets.items():
        if preset.large:
            text += f" In blocks of {LARGE >> 20} MiB and more, {number} is {preset.large}."
    return Number(name="preset", low=1, high=max(presets), default=default, bits=7, newer=True, help=text)


class CmEngine(ContextMixing):
    """Codes a block by context mixing."""

    name = "cm"
    id = 2
    loop = memory.NORMAL
    presets = NORMAL
    kept = beside = 64 << 20
    parameters = Parameters("engine cm", _preset(NORMAL, 3), _PRIMER, _bits(MIN_BITS, MAX_BITS, None))

    def _buckets(self, preset: Preset, size: int, primer: int) -> int:
        # With a primer the number does not follow the block's size too closely, so that more blocks can begin with a
        # state that was kept.
        known = size if not primer else 1 << (size + preset.primer - 1).bit_length()
        # What a bitmap has on top leads to few buckets, and a table twice as large costs all other bytes time.
        return max(len(mixture.contexts) for mixture in preset.mixtures[:2]) * known // 2


class CmFastEngine(ContextMixing):
    """Codes a block by context mixing with five contexts, in one or two streams.

    Before text, the model learns from `primer.txt`: lines of the primers of `nzip.models.primers` that hold the
    commonest strings of each kind of text.
    """

    name = "cmfast"
    id = 4
    loop = memory.FAST
    presets = FAST
    kept, beside = 4 << 20, 8 << 20
    numbered = False
    sees_lines = False
    parameters = Parameters(
        "engine cmfast",
        _bits(12, 24, 22),
        Number(
            name="streams", low=1, high=2, default=2, newer=True,
            help="Parts of the block that are coded side by side; 2 is faster, and only large blocks are cut.",
        ),
    )  # fmt: skip

    def _buckets(self, preset: Preset, size: int, primer: int) -> int:
        return 2 * (size + preset.primer)  # of the eight a byte may need, most are needed by other bytes as well

    def memory(self, params: Params, size: int) -> int:
        full = self._full(params)
        preset = self.presets[1]
        need = self.loop.memory(preset, full["bits"], size + preset.primer)
        return need + 2 * size + self.kept + (1 << 20)  # copies of the payload and the block, the primer

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size)

    def model_bytes(self, params: Params) -> int:
        return len(short_primer())

    def _reading(self, full: dict[str, int], found: list[Stretch], number: int) -> Reading:
        return Reading(short_primer()) if full["primer"] and _texts(found) else Reading()

    def sample_size(self, sample: bytes, params: Params, content: Content) -> int:
        """As for others, without the primer: reading it takes longer, and to a long block it means little."""
        full = {**self._full(self.fit(params, len(sample))), "primer": 0}
        return len(self._coded(sample, full, self._stretches(sample, full, content)))

    def _state_size(self, begin: int, size: int) -> int:
        return size + self.presets[1].primer  # which the short primer is shorter than


class CmStrongEngine(ContextMixing):
    """Codes a block by context mixing with many contexts."""

    name = "cmstrong"
    id = 5
    loop = memory.STRONG
    presets = STRONG
    sampling = 1
    parameters = Parameters(
        "engine cmstrong", _preset(STRONG, 3), _PRIMER, _bits(MIN_BITS, MAX_BITS, None)
    )

    def _read(self, preset: Preset, bits: int, sizes: int, reading: Reading, size: int) -> State:
        """As for the others; where much is skimmed, states are kept in files, where there is room."""
        if not reading.skimmed or size > KEPT_BLOCK or os.environ.get("NZIP_STATES") == "0":
            return super()._read(preset, bits, sizes, reading, size)
        texts = [(number, primers.PRIMERS[number].sha256) for number in primers.PRIMERS]
        match_bits = self.loop.bits_of_match(sizes)
        kind = (reading.type, reading.mode, reading.number, reading.skimmed)
        key = jit.key_of(__name__, "state", repr((preset, bits, kind, match_bits, texts)))
        mixture = preset.mixtures[reading.type]
        state = State(self.loop, preset, bits, sizes)
        if jit.load_arrays(key, state.changed(mixture)):
            return state
        del state  # it may hold what was read of a bad file, and memory is stated for one
        state = super()._read(preset, bits, sizes, reading, size)
        jit.keep_arrays(key, state.changed(mixture), STATES)
        return state


@lru_cache(maxsize=1)
def short_primer() -> bytes:
    """Return the text that `cmfast` learns before text; `corpora/make_primers.py --short` made it.

    Raises:
        NzipError: the installed file is damaged, or of another version than this program has imported.
    """
    text = Path(__file__).with_name("primer.txt").read_bytes()
    if hashlib.sha256(text).hexdigest() != SHORT_PRIMER:
        raise NzipError("the primer of cmfast is not that of this nzip; start the program again, or install nzip again")
    return text
