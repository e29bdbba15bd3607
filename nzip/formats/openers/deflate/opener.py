"""The opener of raw deflate streams."""

from __future__ import annotations

from itertools import islice
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.deflate import following
from nzip.formats.openers.deflate import recipe as recipes
from nzip.formats.openers.deflate.inflation import Inflated, tokens_of
from nzip.formats.openers.deflate.redoing import Encoder
from nzip.formats.openers.deflate.search import LIKELY, Structure, candidates

WORTH = 6  # a recipe of more than this part of the stream is not worth it

MOST_SETTINGS = 1 << 18  # bytes of settings, at most
SAMPLES = (b"\x03\0", b"\1\0\0\xff\xff")  # nothing, as zlib and as another writes it: all kernels are used


class DeflateOpener(Opener):
    """Gives what a raw deflate stream holds; the recipe says how it was deflated."""

    name = "deflate"
    id = 1
    version = 1

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        stream = tokens_of(coded, 0, most)
        if stream is None or stream.end != len(coded):
            return None
        exact = self._exact(coded, stream)
        if exact is not None:
            return Opened(stream.plain.tobytes(), exact)
        followed = self._followed(coded, stream)
        if followed is not None and self.close(stream.plain.tobytes(), followed, len(coded)) == coded:
            return Opened(stream.plain.tobytes(), followed)
        return None

    def _followed(self, coded: bytes, stream: Inflated) -> bytes | None:
        follower = following.Follower(coded, stream)
        if not follower.able():
            return None
        guide, cost, reached = follower.best()
        if cost * len(stream.plain) * WORTH > len(coded) * reached + 64 * WORTH * len(stream.plain):
            return None
        made = follower.coded_by(guide, following.ALL)
        if made is None or len(made[0]) * WORTH > len(coded):
            return None
        return following.pack(guide, follower.most_tokens, stream.padding, made[0])

    def _exact(self, coded: bytes, stream: Inflated) -> bytes | None:
        if stream.padding or stream.odd:
            return None
        structure = Structure(stream)
        encoder = Encoder(stream.plain)
        wanted = structure.seen[:LIKELY]
        whole = len(wanted) == len(stream.tokens) == len(structure.seen) and not structure.hidden
        failed: set[tuple[object, ...]] = set()
        agreed: dict[tuple[object, ...], int] = {}
        tried = candidates(structure)
        # The likeliest by themselves; it is rare that many are needed, and then they are compared together.
        while batch := list(islice(tried, min(64, 1 + 2 * len(agreed)))):
            for marks in {tuple(marks): marks for _, marks in batch}.values():
                fresh = {(*each.matching(), *marks): each for each, of in batch if of == marks}
                fresh = {key: each for key, each in fresh.items() if key not in agreed}
                counts = encoder.agreements([*fresh.values()], structure.stops, marks, wanted)
                agreed.update(zip(fresh, counts, strict=True))
            for settings, marks in batch:
                form = settings.form(marks)
                if form in failed or agreed[*settings.matching(), *marks] != len(wanted):
                    continue
                if encoder.redone(settings, structure.stops, marks, len(coded)) == coded:
                    return recipes.pack(settings, structure.stops, marks)
                if whole:
                    failed.add(form)  # all tokens are alike: others that write blocks in this way fail too
        return None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        made = self.close_within(inner, recipe, size)
        if len(made) != size:
            raise CorruptError("a deflate stream does not have the size that is stated for it")
        return made

    def close_within(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        """As `close`, for a stream of at most `size` bytes: what wraps one need not say how long it is."""
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
