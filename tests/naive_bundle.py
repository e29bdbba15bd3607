"""Bundles in plain Python, written from docs/reference/BUNDLE.md: the head, and the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Close = Callable[[bytes, bytes, int], bytes]  # inner content, recipe, size


@dataclass
class Part:
    engine: int
    version: int
    params: bytes
    transforms: list[tuple[int, int, bytes, int]]
    sizes: list[int]
    payload: bytes = b""


@dataclass
class Bundle:
    openers: list[tuple[int, int]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


class Cursor:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        assert self.at + count <= len(self.data)
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value


def parse(payload: bytes, raw_size: int) -> Bundle:
    cursor, found = Cursor(payload), Bundle()
    for _ in range(cursor.byte()):
        found.openers.append((cursor.byte(), cursor.byte()))
        cursor.uleb()
        cursor.uleb()
    lengths = []
    for _ in range(cursor.byte()):
        part = Part(cursor.byte(), 1, b"", [], [])
        if part.engine:
            part.version = cursor.byte()
            part.params = cursor.take(cursor.byte())
            for _ in range(cursor.byte()):
                part.transforms.append((cursor.byte(), cursor.byte(), cursor.take(cursor.byte()), cursor.uleb()))
        part.sizes = [cursor.uleb() for _ in range(cursor.uleb())]
        lengths.append(cursor.uleb())
        found.parts.append(part)
    decoded = sum(sum(part.sizes) + sum(size for *_, size in part.transforms) for part in found.parts)
    assert decoded <= 256 * raw_size + 65536
    for part, length in zip(found.parts, lengths, strict=True):
        part.payload = cursor.take(length)
    assert cursor.at == len(payload)
    return found


def put_together(plan: bytes, streams: Sequence[bytes], openers: Sequence[Close], size: int) -> bytes:
    cursor, places = Cursor(plan), [0] * len(streams)

    def content(size: int) -> bytes:
        made = bytearray()
        while len(made) < size:
            word, length = cursor.uleb(), cursor.uleb()
            if word % 4 == 1:
                inner_size = cursor.uleb()
                recipe = cursor.take(cursor.uleb())
                made += openers[word // 4](content(inner_size), recipe, length)
            elif word % 4 == 2:
                start = cursor.uleb()
                made += streams[word // 4][start : start + length]
            else:
                at = places[word // 4]
                made += streams[word // 4][at : at + length]
                places[word // 4] += length
        return bytes(made)

    made = content(size)
    assert cursor.at == len(plan)
    assert places == list(map(len, streams))
    return made
