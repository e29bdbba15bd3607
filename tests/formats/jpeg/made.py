"""JPEG files for tests: those in `files`, and others that the package's own writer makes of them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from nzip.formats.jpeg import recoding
from nzip.formats.jpeg.planes import Planes
from nzip.formats.jpeg.recoding import ODD, ZEROS, Apart, Source, packed, take_apart

FILES = Path(__file__).parent / "files"


def file(name: str) -> bytes:
    """Return a file of `files`."""
    return (FILES / f"{name}.jpg").read_bytes()


def every() -> dict[str, bytes]:
    """Return all files of `files`."""
    return {path.stem: path.read_bytes() for path in sorted(FILES.glob("*.jpg"))}


def apart(data: bytes) -> Apart:
    """Return a file taken apart, which must be possible."""
    found = take_apart(data)
    assert found is not None
    return found


def coefficients(data: bytes, found: Apart) -> Any:
    """Return the coefficients of a file, plane after plane."""
    planes = Planes(found.outline.frame, True)
    assert planes.following()
    Source(data[: found.size], found).fill(planes)
    return planes.values


def together(head: bytes, manner: recoding.Manner, said: recoding.Outline, values: Any, size: int) -> bytes:
    """Return the file that a head and coefficients make."""
    planes = Planes(said.frame, True)
    planes.values[:] = values
    made: bytes = recoding.put_together(head, manner, said, size, lambda _: None, planes).tobytes()
    return made


def written(head: bytes, manner: recoding.Manner, values: Any) -> bytes:
    """Return the file that a head and coefficients make, of whatever size."""
    most = 1 << 16
    said = recoding.outline(head, manner, most)
    try:  # the writer wants to know the size, and says what it is
        together(head, manner, said, values, most)
    except recoding.CorruptError as error:
        return together(head, manner, said, values, int(str(error).split("it has ")[1].split()[0]))
    raise AssertionError("the size fits by chance")


def large(name: str, side: int) -> bytes:
    """Return a grey picture of so many blocks each way, whose blocks are flat, with the codes of a file of `files`."""
    found = apart(file(name))
    at = found.head.index(b"\xff\xc2" if name.startswith("progressive") else b"\xff\xc0") + 5
    head = all_codes(found.head[:at] + (8 * side).to_bytes(2, "big") * 2 + found.head[at + 4 :])
    said = recoding.outline(head, found.manner, 1 << 30)
    planes = Planes(said.frame, True)
    planes.values[:-64:64] = [(k * k * 37) % 97 - 48 for k in range(side * side)]
    try:
        recoding.put_together(head, found.manner, said, 1 << 25, lambda _: None, planes)
    except recoding.CorruptError as error:
        planes.rewind()
        size = int(str(error).split("it has ")[1].split()[0])
        made: bytes = recoding.put_together(head, found.manner, said, size, lambda _: None, planes).tobytes()
        return made
    raise AssertionError("no size fits")


def filled(data: bytes, fill: int) -> bytes:
    """Return a file with other bits where bytes are filled up."""
    found = apart(data)
    pads = bytes((k * 37 + 5) & 255 for k in range(4000)) if fill == ODD else b""
    return written(found.head, replace(found.manner, fill=fill, pads=pads), coefficients(data, found))


def one_by_one(data: bytes) -> bytes:
    """Return a sequential file with a scan for each component."""
    found = apart(data)
    at = found.head.rindex(b"\xff\xda")
    body = found.head[at + 4 :]
    scans = [b"\xff\xda\0\x08\x01" + body[1 + 2 * k : 3 + 2 * k] + b"\0\x3f\0" for k in range(body[0])]
    head = found.head[:at] + b"".join(scans) + b"\xff\xd9"
    return written(head, replace(found.manner, scans=len(scans)), coefficients(data, found))


def all_codes(head: bytes) -> bytes:
    """Return a head whose Huffman tables have all symbols."""
    ac = bytes(7) + b"\xff" + bytes(8) + bytes(range(255))  # of 8 bits each
    dc = bytes(3) + b"\x0c" + bytes(12) + bytes(range(12))
    tables = b"".join(bytes((number,)) + dc + bytes((0x10 | number,)) + ac for number in (0, 1))
    segment = b"\xff\xc4" + (len(tables) + 2).to_bytes(2, "big") + tables
    return head.replace(b"\xff\xda", segment + b"\xff\xda")


def broken_runs(data: bytes) -> bytes:
    """Return a progressive file whose runs of ended blocks end before every third block."""
    found = apart(data)
    breaks = tuple(packed(range(1, scan.units, 3)) if scan.first else b"" for scan in found.outline.scans)
    return written(all_codes(found.head), replace(found.manner, breaks=breaks), coefficients(data, found))


def turned(data: bytes) -> bytes:
    """Return a file of 4:2:2 as one of 4:4:0."""
    found = apart(data)
    at = found.head.index(b"\xff\xc0")
    size = found.head[at + 5 : at + 9]
    frame = (
        found.head[at : at + 5] + size[2:] + size[:2] + found.head[at + 9 : at + 11] + b"\x12" + found.head[at + 12 :]
    )
    return written(all_codes(found.head[:at] + frame), found.manner, coefficients(data, found))


@lru_cache(1)
def variants() -> dict[str, bytes]:
    """Return files of all kinds that come back."""
    restarts = file("baseline_444_restarts")
    return {
        **every(),
        "zeros": filled(restarts, ZEROS),
        "odd": filled(restarts, ODD),
        "odd progressive": filled(file("progressive_444_restarts"), ODD),
        "one by one": one_by_one(file("baseline_420")),
        "broken runs": broken_runs(file("progressive_grey")),
        "4:4:0": turned(file("baseline_422_optimised")),
        "trailing restart": file("grey")[:-2] + b"\xff\xd0\xff\xd9",
        "garbage before the end": file("grey")[:-2] + b"garbage" * 3 + b"\xff\xff\xd9",
        "without end": file("grey")[:-2],
        "cut": file("baseline_420")[:-130],
        "cut progressive": file("progressive_420")[:-40],
    }
