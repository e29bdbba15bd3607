"""What goes on over the end of a block."""

from __future__ import annotations

import io
import tarfile

import pytest
from formats.content.contents import bmp, riff, wave
from numba import config

import nzip
from nzip.formats.content.continued import Begun, behind
from nzip.formats.content.kinds import Segment

SOUND = riff(wave(9000, 2, 2, 20), 2, 2)


def blocks(data: bytes, size: int) -> list[tuple[bytes, Segment | None]]:
    """Return blocks of `size` bytes, each with what it goes on with first."""
    found: list[tuple[bytes, Segment | None]] = []
    begun: Begun = ()
    for at in range(0, len(data), size):
        block = data[at : at + size]
        found.append((block, begun[0] if begun else None))
        begun = behind(block, begun)
    return found


@pytest.mark.parametrize("size", [4097, 10_000, 35_999])
def test_a_sound_goes_on_in_frames(size: int) -> None:
    for number, (_, begun) in enumerate(blocks(SOUND + b"a few words", size)[1:], 1):
        assert begun is not None
        assert (begun.kind, begun.width, begun.channels) == ("audio", 2, 2)
        assert (number * size + begun.offset - 44) % 4 == 0
        assert number * size + begun.length == len(SOUND)


def test_a_picture_goes_on_in_rows() -> None:
    picture = bmp(100, 90, 24)
    (_, _), (_, begun), *_ = blocks(picture, 7001)
    assert begun is not None
    assert begun.kind == "image"
    assert (7001 + begun.offset - 54) % begun.row == 0


def test_what_ends_with_its_block_does_not_go_on() -> None:
    assert behind(SOUND) == ()
    assert behind(SOUND + b"more") == ()
    assert behind(b"") == ()
    assert behind(b"the road lay empty") == ()
    begun = behind(SOUND[:20_000])
    assert begun
    assert behind(SOUND[20_000:], begun) == ()
    assert behind(SOUND[20_000:] + SOUND[:5000], begun)  # the next one begins there


def test_a_size_that_nobody_knew_lasts() -> None:
    unknown = SOUND[:40] + b"\xff\xff\xff\xff" + SOUND[44:]
    (begun,) = behind(unknown)
    assert begun.length > 1 << 40


def test_the_last_member_of_an_archive() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (("a", b"words " * 500), ("b", SOUND), ("c", b"words " * 500)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = out.getvalue()
    start = data.index(b"RIFF")
    (_, _), (block, begun), *_ = blocks(data, 20_000)
    assert begun is not None
    assert block
    assert 20_000 + begun.length == start + len(SOUND)
    assert (20_000 + begun.offset - start - 44) % 4 == 0
    assert behind(data) == ()


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without compiled code")
def test_blocks_cost_little() -> None:
    whole = nzip.compress(SOUND)
    parts = nzip.compress(SOUND, block_size=12_000)
    assert nzip.decompress(parts) == SOUND
    assert len(parts) < len(whole) * 1.1
