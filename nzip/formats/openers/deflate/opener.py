"""The opener of raw deflate streams."""

from __future__ import annotations

from itertools import chain, islice, repeat
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.deflate import following
from nzip.formats.openers.deflate import recipe as recipes
from nzip.formats.openers.deflate.flushes import CLEAR
from nzip.formats.openers.deflate.inflation import Inflated, tokens_of
from nzip.formats.openers.deflate.known import Known, known
from nzip.formats.openers.deflate.redoing import Encoder
from nzip.formats.openers.deflate.search import LIKELY, Structure, candidates

WORTH = 6  # a recipe of more than this part of the stream is not worth it

# Settings that are tried to the end where stored blocks hide tokens: nothing else tells them apart.
FEW_HIDDEN, MANY_HIDDEN = 16, 48
MOST_SETTINGS = 1 << 18  # bytes of settings, at most
# Nothing, as zlib and as another writes it; and what settings have to be looked for: all kernels are used.
SAMPLES = (b"\x03\0", b"\1\0\0\xff\xff", b"KLLLLLLL\4\0")


class DeflateOpener(Opener):
    """Gives what a raw deflate stream holds; the recipe says how it was deflated."""

    name = "deflate"
    id = 1
    version = 1

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        stream = tokens_of(coded, 0, most)
        if stream is None or stream.end != len(coded):
            return None
        inner, notes = stream.plain.tobytes(), known()
        recipe = self._exact(coded, stream, notes)
        if recipe is None:
            recipe = self._followed(coded, stream, notes)
            if recipe is None or self.close(inner, recipe, len(coded)) != coded:
                return None
        notes.keep(inner, recipe, coded)
        return Opened(inner, recipe)

    def _followed(self, coded: bytes, stream: Inflated, notes: Known) -> bytes | None:
        follower = following.Follower(coded, stream)
        if not follower.able():
            return None
        guide, cost, reached = follower.best(notes.guides)
        if cost * len(stream.plain) * WORTH > len(coded) * reached + 64 * WORTH * len(stream.plain):
            return None
        made = follower.coded_by(guide, following.ALL)
        if made is None or len(made[0]) * WORTH > len(coded):
            return None
        notes.followed(guide, len(made[0]) / len(coded), len(coded))
        return following.pack(guide, follower.most_tokens, stream.padding, made[0])

    def _exact(self, coded: bytes, stream: Inflated, notes: Known) -> bytes | None:
        if stream.padding or stream.odd:
            return None
        structure = Structure(stream)
        encoder = Encoder(stream.plain, notes.arrays)
        sample = structure.seen[:LIKELY]
        failed: set[tuple[object, ...]] = set()  # forms of blocks
        agreed: dict[tuple[object, ...], int] = {}  # tokens, by what decides them
        left = FEW_HIDDEN if not len(sample) else MANY_HIDDEN  # trials of a stream that does not show all its tokens
        tried, sizes = candidates(structure, notes.settings), chain((1, 8), repeat(64))
        # The likeliest by themselves; it is rare that many are needed, and then they are compared together.
        while batch := list(islice(tried, next(sizes))):
            for marks in {tuple(marks): marks for _, marks in batch}.values() if len(batch) > 1 else ():
                fresh = {(*each.matching(), *marks): each for each, of in batch if of == marks}
                fresh = {key: each for key, each in fresh.items() if key not in agreed}
                counts = encoder.agreements([*fresh.values()], structure.stops, marks, sample)
                agreed.update(zip(fresh, counts, strict=True))
            for settings, marks in batch:
                form, matching = settings.form(marks), (*settings.matching(), *marks)
                if form in failed or agreed.get(matching, len(sample)) < len(sample):
                    continue
                count = encoder.agreement(settings, structure.stops, marks, structure.seen, coded)
                if count < 0:
                    notes.used(settings, any(mark & CLEAR for mark in marks))
                    return recipes.pack(settings, structure.stops, marks)
                if count == len(structure.seen) and not structure.hidden:
                    failed.add(form)  # all tokens are alike: others that write blocks in this way fail too
                elif count < len(structure.seen):
                    agreed[matching] = -1
                else:
                    agreed.setdefault(matching, count)
                    left -= 1
                    if not left:
                        return None
        return None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        made = self.close_within(inner, recipe, size)
        if len(made) != size:
            raise CorruptError("a deflate stream does not have the size that is stated for it")
        return made

    def close_within(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        """As `close`, for a stream of at most `size` bytes: what wraps one need not say how long it is."""
        made = known().redone(inner, recipe)
        if made is not None and len(made) <= size:
            return made
        if len(recipe) > size + MOST_SETTINGS:
            raise CorruptError("a deflate recipe is longer than its stream")
        if recipe[:1] == bytes((following.MARK,)):
            return following.close(inner, recipe, size)
        source = Reader(recipe)
        settings, stops, marks = recipes.unpack(source, len(inner))
        if source.left():
            raise CorruptError("a deflate recipe has bytes too many")
        redone = Encoder(inner).redone(settings, stops, marks, size)
        if redone is None:
            raise CorruptError("a deflate stream does not have the size that is stated for it")
        return redone

    def memory(self, inner: int, size: int) -> int:
        return inner + 3 * size + 4 * min(inner, following.MOST_TOKENS) + (4 << 20)

    def prepare(self) -> None:
        for stream in SAMPLES:
            self.open(stream, 64)
