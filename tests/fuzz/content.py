"""What looks at contents before they are compressed: `detect`, and where a block ends."""

from __future__ import annotations

import io
import struct
import tarfile
from random import Random

from nzip.formats.content.choice import choose
from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import KINDS
from nzip.formats.content.segments import last_border
from nzip.registry import TRANSFORMS

from . import mutate
from .samples import text
from .target import RIGHT, Target, Wrong

MOST_SEGMENTS = 256


class ContentTarget(Target):
    """Headers of all formats and archives of them: whatever they say, there is an answer, and it fits the bytes."""

    name = "content"
    share = 2.0

    def prepare(self) -> None:
        wave = struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)
        dib = struct.pack("<IiiHHIIiiII", 40, 99, -60, 1, 24, 0, 0, 0, 0, 0, 0)
        headers = [
            b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0" + wave + b"data" + struct.pack("<I", 20000),
            b"FORM\0\0\0\xffAIFFCOMM\0\0\0\x12" + struct.pack(">HIH", 2, 300, 16) + bytes(10) + b"SSND" + bytes(12),
            b".snd" + struct.pack(">IIIII", 24, 20000, 3, 8000, 1),
            b"BM" + struct.pack("<III", 18054, 0, 54) + dib,
            b"P6\n# words\n99 60\n255\n",
            b"P4 999 60\n",
            b"\0\0\x0c\3" + struct.pack(">III", 9, 8, 70),
            b"\x93NUMPY\1\0\x60\0{'descr': '>f8', 'fortran_order': False, 'shape': (50, 9), }",
            struct.pack("<Q", 30) + b'{"a":{"dtype":"BF16"}}        ',
            b"CDF\1",
            b"\x89HDF\r\n\x1a\n",
            b"\x7fELF\2\1\1" + bytes(11) + b"\x3e\0",
            b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0\x64\x86",
            b"\xcf\xfa\xed\xfe\7\0\0\1",
            b"\xff\xd8\xff\xe0",
        ]
        dice = Random(1)
        bodies = [dice.randbytes(20000), bytes(i // 7 % 256 for i in range(20000)), text(1, 20000), b"ustar" * 4000]
        self.headers = headers
        self.files = [header + body for header in headers for body in bodies]
        self.archives = []
        for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w", format=form) as archive:
                for number, data in enumerate(dice.sample(self.files, 3)):
                    info = tarfile.TarInfo(str(number))
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
            self.archives.append(out.getvalue())
        for seed in [*self.files, *self.archives]:
            self.run(seed)

    def mutation(self, r: Random) -> bytes:
        way = r.random()
        if way < 0.5:
            file = r.choice(self.files)
            return mutate.octets(r, file[:120]) + file[120 : r.choice((400, 3000, len(file)))]
        if way < 0.8:
            archive = bytearray(r.choice(self.archives))
            heads = [i - 257 for i in range(len(archive)) if archive.startswith(b"ustar", i) and i >= 257]
            at = r.choice(heads or [0])
            archive[at : at + 512] = mutate.octets(r, bytes(archive[at : at + 512]), rounds=1)[:512].ljust(512, b"\0")
            if r.random() < 0.7:  # with a sum that is right
                archive[at + 148 : at + 156] = b" " * 8
                archive[at + 148 : at + 156] = b"%06o\0 " % sum(archive[at : at + 512])
            return bytes(archive[r.choice((0, 0, 1, 512)) :])
        return b"".join(mutate.octets(r, r.choice(self.files)[:30000]) for _ in range(3))[: mutate.MOST]

    def run(self, case: bytes) -> str:
        content = detect(case)
        if content.size != len(case) or not 1 <= len(content.segments) <= MOST_SEGMENTS:
            raise Wrong("the segments are not the block")
        for segment in (*content.segments, content.whole):
            numbers = (segment.length, segment.width, segment.stride, segment.row, segment.record, segment.offset)
            if segment.kind not in KINDS or min(numbers) < 0 or segment.cls not in (0, 1, 2):
                raise Wrong("a segment holds what it must not")
        if not 0 <= last_border(case) <= len(case):
            raise Wrong("a block ends outside itself")
        for sees_records in (False, True):
            for name, params in choose(case[:4096], content, sees_records=sees_records):
                TRANSFORMS.by_name(name).pack(params)
        return RIGHT


TARGETS: list[type[Target]] = [ContentTarget]
