"""What a block holds: a cheap look at its first bytes and at samples of the rest.

`detect` names the kind of content, what a header or the bytes themselves tell about its samples and records, and where
in the block another kind begins. Decisions are made in integers from the block alone, so every machine makes the same
ones; what they decide is written in the file, so a reader never needs them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nzip.formats.content import estimate, headers, records, texts
from nzip.formats.content.kinds import TEXT, Content, Segment
from nzip.formats.content.segments import stretches

PIECE = 4 << 10
PIECES = 12
WIDTH_SAMPLE = 8 << 10


def detect(block: bytes, *, apart: bool = True) -> Content:
    """Return what `block` seems to hold. Never raises; the answer depends on nothing but the bytes.

    Args:
        block: the bytes.
        apart: whether to search for stretches of other kinds, and for what only engines with contexts use: kinds of
            text, the class and records of what a header describes, and long records. Those take longer.
    """
    block = bytes(block)
    whole = look(block, closely=apart)
    parts = stretches(block) if apart else []
    if len(parts) < 2:
        return Content((whole,))
    found: list[Segment] = []
    for part in parts:
        data = block[part.start + part.skipped : part.stop]
        segment = look(data.rstrip(b"\0") or data)  # a member of an archive is filled up with zeros
        segment = replace(segment, length=part.stop - part.start, offset=segment.offset + part.skipped)
        if found and _alike(found[-1], segment):
            found[-1] = replace(found[-1], length=found[-1].length + segment.length)
        else:
            found.append(segment)
    return Content((whole,)) if len(found) < 2 else Content(tuple(found), whole)


def look(data: bytes, *, closely: bool = True) -> Segment:
    """Return what `data` seems to be, taken as one stretch; `closely` is `apart` of `detect`."""
    if not data:
        return Segment("binary", 0, TEXT, confidence=0)
    head = bytes(data[: headers.HEAD])
    sample = _sample(data)
    counts = _counts(sample)
    found = headers.parse(head, len(data))
    if found is not None and (found.length * 2 < len(data) or (found.kind == "compressed" and not dense(counts))):
        found = None  # a header of what stands first says little of all, and a magic number nothing of even bytes
    if found is None and texts.is_text(counts):
        if not closely:
            return Segment("text", len(data), TEXT)
        kind, confidence = texts.kind(head, sample)
        separator = texts.separator(texts.lines(head)) if kind == "csv" else 0
        lines = kind in ("text", "code") and texts.alike(sample)
        found = Segment(kind, len(data), separator=separator, lines=lines, confidence=confidence)
    if not closely and found is not None and (found.width or not found.numeric):
        return replace(found, length=len(data))
    guess = records.guess(data, records.MAX_DISTANCE if closely else records.SHORT)
    if found is None:
        return _binary(data, sample, counts, guess)
    return _guessed(replace(found, length=len(data)), guess)


def described(data: bytes, segment: Segment) -> Segment:
    """Return a segment of which no more is known than what its header says, with the class and the record that `look`
    would find in its bytes: engines of contexts need them where they have none for its kind or width."""
    return segment if segment.record or not (segment.width and data) else _guessed(segment, records.guess(data))


def _guessed(segment: Segment, guess: records.Guess) -> Segment:
    cls = segment.cls if segment.kind == "bitmap" else guess.cls
    return replace(segment, cls=cls, record=guess.record)


def _alike(a: Segment, b: Segment) -> bool:
    """Whether two neighbours can be one segment: the same contexts serve both."""
    if a.cls != b.cls or a.width or b.width:
        return False
    if a.cls == TEXT:
        return _fields(a) == _fields(b)
    return a.kind == b.kind and (a.record == b.record or a.kind == "compressed")


def _fields(segment: Segment) -> tuple[Any, ...]:
    """Return what says how the fields of a text's lines are told apart; the same for all texts without fields."""
    structured = segment.kind in ("log", "csv", "json", "xml") or segment.lines
    return (segment.kind, segment.separator, segment.lines) if structured else ()


def _sample(data: bytes) -> bytes:
    """Return up to 64 KiB: the head and pieces at even distances."""
    if len(data) <= headers.HEAD + PIECE * PIECES:
        return bytes(data)
    step = (len(data) - headers.HEAD - PIECE) // (PIECES - 1)
    starts = [headers.HEAD + i * step for i in range(PIECES)]
    return bytes(data[: headers.HEAD]) + b"".join(bytes(data[start : start + PIECE]) for start in starts)


def _counts(sample: bytes) -> list[int]:
    import numpy as np

    counts: list[int] = np.bincount(np.frombuffer(sample, np.uint8), minlength=256).tolist()
    return counts


def dense(counts: list[int]) -> bool:
    """Whether bytes are as even as a compressor's output: 7.75 bits each or more (less is asked of short blocks)."""
    total = sum(counts)
    if total < 1024:
        return sum(1 for count in counts if count) * 4 > min(total, 256)
    import numpy as np

    length = estimate.code_length(np.array(counts))
    return length * 4 >= total * 31 * estimate.UNIT


def _binary(data: bytes, sample: bytes, counts: list[int], guess: records.Guess) -> Segment:
    import numpy as np

    size, cls, record = len(data), guess.cls, guess.record
    if len(sample) < 64:
        return Segment("binary", size, cls, record=record, confidence=30)
    if _has_x86_code(np.frombuffer(sample, np.uint8)):
        return Segment("exe-x86", size, cls, record=record, confidence=60)
    start = size // 3 if size > 3 * WIDTH_SAMPLE else 0  # behind what may be a header
    width = _width(np.frombuffer(data[start : start + WIDTH_SAMPLE], np.uint8))
    if width:
        return Segment("array", size, cls, width, stride=width, record=record, confidence=60)
    if dense(counts) and not guess.regular:
        return Segment("compressed", size, cls, record=record, confidence=60)
    if cls == records.BITMAP:
        return Segment("bitmap", size, cls, row=record, record=record)
    return Segment("binary", size, cls, record=record)


def _has_x86_code(data: Any) -> bool:
    """Whether calls stand close: bytes E8 whose operand ends in 00 or FF far more often than bytes do by chance."""
    import numpy as np

    calls = np.flatnonzero(data[:-4] == 0xE8) + 4
    near = int(np.count_nonzero((data[calls] == 0) | (data[calls] == 255)))
    anywhere = int(np.count_nonzero((data == 0) | (data == 255)))
    # One call in 512 bytes at least; half of all E8; and more than 1.5 times what chance gives.
    return near * 512 >= len(data) and near * 2 >= len(calls) and near * len(data) * 2 >= 3 * anywhere * len(calls)


def _width(data: Any) -> int:
    """Return the sample width at which the bytes' places tell much about them; 0 if none does."""
    whole = estimate.order0(data)
    if len(data) < 512 or whole < len(data) * estimate.UNIT:
        return 0  # too little to tell, or so regular that repeats say more
    best, found = whole - whole // 16, 0
    for width in (2, 3, 4, 8):
        # Each column's byte counts cost something too; without that, wide ones always win.
        learnt = 3 * estimate.UNIT * 256 * (width - 1) * min(len(data), 1 << 14) // (1 << 16)
        length = sum(estimate.order0(data[column::width]) for column in range(width)) + learnt
        if length + whole // 64 < best:
            best, found = length, width
    return found
