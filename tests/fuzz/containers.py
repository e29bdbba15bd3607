"""What opens containers: the search for them in any bytes, and openers that are given other recipes than they made."""

from __future__ import annotations

import base64
import struct
from random import Random

from nzip.errors import CorruptError
from nzip.formats.content.containers.search import find
from nzip.formats.content.tree import Branch, Leaf, Tree, grow
from nzip.formats.openers.base import Opener
from nzip.registry import OPENERS
from nzip.settings import Room

from . import mutate
from .samples import text
from .target import ANY, RIGHT, Target, Wrong

MOST = Room(1 << 23, 1 << 22)  # bytes that may come out of containers
LONGEST = 1 << 13  # bytes of a seed


def files() -> list[bytes]:
    """Return small files with containers in them, and such in each other."""
    from formats.openers.made import Member, apng_of, gzip_of, image_header, png_of, zip_of, zlib_of
    from formats.openers.made_sequences import dna, fasta, placed, reads

    words = text(1, 3000)
    rows = b"".join(b"\2" + bytes(x * y % 251 for x in range(30)) for y in range(40))
    picture = png_of(rows, image_header(10, 40), 200)
    bundle = zip_of(
        [Member(b"a.txt", words), Member(b"b.png", picture, 0), Member(b"c.txt", words[:500], descriptor="<III")]
    )
    document = b"%PDF-1.5\n1 0 obj\n<< /Filter /FlateDecode /Width 10 /Height 40 /BitsPerComponent 8 /DecodeParms << "
    document += b"/Predictor 15 /Columns 10 /Colors 3 >> >>\nstream\r\n" + zlib_of(rows) + b"\nendstream\n"
    runs = tiff_of(rows)
    photograph = b"\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x0b\x08\0\x10\0\x10\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0"
    return [
        zlib_of(words),
        gzip_of(words),
        picture,
        apng_of([rows, rows[::-1].replace(b"\2", b"\1")], image_header(10, 40), 10, 40, 100),
        bundle,
        zip_of([Member(b"%d.txt" % k, words[k * 9 : k * 50], extra=b"ab\1\0c", comment=b"%d" % k) for k in range(9)]),
        gzip_of(bundle),
        document,
        runs,
        b"data:image/png;base64," + base64.b64encode(picture) + b" and " + words[:300].hex().encode(),
        photograph + words[:400] + b"\xff\xd9",
        b"\x89HDF\r\n\x1a\n" + bytes(8) + b"\2\0\x08\0\1\0\1\0shuffle\0\4\0\0\0" + zlib_of(rows),
        fasta(dna(1000, 1)) + fasta(dna(300, 2).lower() + "NNN", 50, "\r\n"),
        reads(12),
        placed(15),
    ]  # fmt: skip


def tiff_of(rows: bytes) -> bytes:
    """Return a TIFF of one strip of 31 columns, packed in runs."""
    packed = b"".join(
        b"\xfe" + bytes((row[0],)) + bytes((len(row) - 4,)) + row[3:]
        for row in (rows[k : k + 1] * 3 + rows[k + 3 : k + 31] for k in range(0, len(rows), 31))
    )
    fields = ((256, 31), (257, len(rows) // 31), (258, 8), (259, 32773), (273, 8), (278, 9999), (279, len(packed)))
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in fields)
    return b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory + bytes(4)


def rebuilt(tree: Tree) -> bytes:
    return b"".join(
        node.data if isinstance(node, Leaf) else node.opener.close(rebuilt(node.children), node.recipe, node.size)
        for node in tree
    )


class ContainersTarget(Target):
    """Files of all formats, whole, cut, changed and joined: what is found fits the bytes, and all of them come back."""

    name = "containers"

    def prepare(self) -> None:
        self.seeds = files()
        for seed in self.seeds:
            self.run(seed)

    def mutation(self, r: Random) -> bytes:
        parts = [
            mutate.octets(r, r.choice(self.seeds)) if r.random() < 0.8 else r.choice(self.seeds)
            for _ in range(r.choice((1, 1, 2, 4)))
        ]
        whole = b"".join(parts)
        start = r.choice((0, 0, 0, r.randrange(len(whole) + 1)))
        return whole[start:][: mutate.MOST]

    def run(self, case: bytes) -> str:
        at = 0
        for found in find(case):
            if not at <= found.start < found.stop <= len(case):
                raise Wrong("what is found does not lie in order")
            if found.segment is not None and found.segment.length != found.stop - found.start:
                raise Wrong("a segment is not its stretch")
            at = found.stop
        if rebuilt(grow(case, MOST)) != case:
            raise Wrong("the bytes do not come back")
        return RIGHT


class OpenersTarget(Target):
    """What openers close: inner bytes, recipes and sizes that are changed."""

    name = "openers"

    def prepare(self) -> None:
        self.seeds: list[tuple[Opener, bytes, bytes, int]] = []
        for file in files():
            self._collect(grow(file, MOST))
        self._collect_parts()
        for opener, inner, recipe, size in self.seeds:
            self.run(_case(opener, inner, recipe, size))

    def _collect(self, tree: Tree) -> None:
        for node in tree:
            if isinstance(node, Branch):
                self.seeds.append((node.opener, rebuilt(node.children)[:LONGEST], node.recipe, node.size))
                self._collect(node.children)

    def _collect_parts(self) -> None:
        from formats.openers.deflate.parts import parts_of, small

        opener = OPENERS.by_name("torn")
        for level in (1, 6):
            for coded, part, _ in list(parts_of(small(text(1, LONGEST - 1000), level, 2), 2))[-2:]:
                if (opened := opener.open(coded, LONGEST, part=part)) is not None:
                    self.seeds.append((opener, opened.inner, opened.recipe, len(coded)))

    def mutation(self, r: Random) -> bytes:
        opener, inner, recipe, size = r.choice(self.seeds)
        if r.random() < 0.1:
            opener = r.choice(self.seeds)[0]
        if r.random() < 0.7:
            recipe = mutate.octets(r, recipe)[:LONGEST]
        if r.random() < 0.6:
            inner = mutate.octets(r, inner)[:LONGEST]
        if r.random() < 0.3:
            size = r.choice((size - 1, size + 1, 1, 4 * size, len(inner), r.randrange(1 << 16)))
        return _case(opener, inner, recipe, max(1, size))

    def run(self, case: bytes) -> str:
        id_, version, size, length = struct.unpack("<BBII", case[:10])
        opener: Opener = OPENERS.by_id(id_, version)
        recipe, inner = case[10 : 10 + length], case[10 + length :]
        made = opener.close(inner, recipe, size)
        if len(made) != size:
            raise Wrong(f"opener {opener.name} gives another size than was asked for")
        try:
            again = opener.close(inner, recipe, size)
        except CorruptError:
            again = b""
        if again != made:
            raise Wrong(f"opener {opener.name} gives other bytes the second time")
        return ANY


def _case(opener: Opener, inner: bytes, recipe: bytes, size: int) -> bytes:
    return struct.pack("<BBII", opener.id, opener.version, size, len(recipe)) + recipe + inner


TARGETS: list[type[Target]] = [ContainersTarget, OpenersTarget]
