"""What is known of a block's streams: it saves time, and changes nothing that is made."""

import pytest
from formats.openers.deflate.plains import by_zlib, words

from nzip.errors import CorruptError
from nzip.formats.openers.deflate.known import RECENT, Known, known
from nzip.formats.openers.deflate.opener import DeflateOpener
from nzip.formats.openers.deflate.redoing import Encoder
from nzip.formats.openers.deflate.settings import Settings
from nzip.formats.openers.notes import noting

MOST = 1 << 20


def test_the_settings_before_are_tried_first() -> None:
    """A short stream is the same at many levels: it gets that of its neighbour."""
    opener, short = DeflateOpener(), by_zlib(b"a few bytes", 9)
    deep = words(1500)
    assert by_zlib(deep, 9) != by_zlib(deep, 6)
    alone = opener.open(short, MOST)
    assert alone is not None
    assert alone.recipe == b"\6"
    with noting():
        first = opener.open(by_zlib(deep, 9), MOST)
        assert first is not None
        assert first.recipe == b"\x09"
        beside = opener.open(short, MOST)
        assert beside is not None
        assert beside.recipe == b"\x09"
    assert opener.close(beside.inner, beside.recipe, len(short)) == short
    assert opener.open(short, MOST) == alone


def test_what_was_redone_is_known() -> None:
    opener, stream = DeflateOpener(), by_zlib(words(300))
    with noting():
        found = opener.open(stream, MOST)
        assert found is not None
        assert known().redone(found.inner, found.recipe) is stream
        assert known().redone(found.inner, b"\5") is None
        assert known().redone(found.inner[:-1], found.recipe) is None
        assert opener.close(found.inner, found.recipe, len(stream)) == stream
        for size in (len(stream) - 1, len(stream) + 1):
            with pytest.raises(CorruptError):
                opener.close(found.inner, found.recipe, size)
    assert known().redone(found.inner, found.recipe) is None


def test_few_are_remembered() -> None:
    notes = Known()
    for level in (1, 2, 3, 4, 2):
        notes.used(Settings(level), False)
    assert [each.level for each, _ in notes.settings] == [2, 4, 3]
    assert len(notes.settings) == RECENT


def test_far_matches_of_three_bytes_tell_of_their_encoder() -> None:
    plain = b"-XYZ1" + words(1500) + b"XYZ2"
    assert len(plain) > 4200
    settings = Settings(8, far=1)
    stream = Encoder(plain).redone(settings, [len(plain)], [], 2 * len(plain))
    assert stream is not None
    assert stream != Encoder(plain).redone(Settings(8), [len(plain)], [], 2 * len(plain))
    found = DeflateOpener().open(stream, MOST)
    assert found is not None
    assert len(found.recipe) == 4
    assert found.recipe[2] & 32
