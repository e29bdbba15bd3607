"""What is known of the deflate streams of a block: what wrote those before, and which were redone already."""

from __future__ import annotations

from hashlib import blake2b

from nzip.formats.openers.deflate.following import Guide
from nzip.formats.openers.deflate.redoing import Arrays
from nzip.formats.openers.deflate.settings import Settings
from nzip.formats.openers.notes import notes

RECENT = 3  # settings, and guides, that are tried before others


class Known:
    """The notes of the opener of deflate.

    Attributes:
        settings: of the latest streams, the last first; each with whether flushes forgot matches.
        guides: of the latest streams of other encoders, the last first; each with the share of the coded bytes that
            it took, and how many these were.
    """

    def __init__(self) -> None:
        self.settings: list[tuple[Settings, bool]] = []
        self.guides: list[tuple[Guide, float, int]] = []
        self._arrays: Arrays | None = None
        self._redone: dict[bytes, bytes] = {}

    @property
    def arrays(self) -> Arrays:
        """What the encoder works in."""
        if self._arrays is None:
            self._arrays = Arrays()
        return self._arrays

    def used(self, settings: Settings, clear: bool) -> None:
        """Note what wrote the latest stream."""
        self.settings = [(settings, clear), *(each for each in self.settings if each != (settings, clear))][:RECENT]

    def followed(self, guide: Guide, share: float, coded: int) -> None:
        """As `used`, for one of another encoder."""
        self.guides = [(guide, share, coded), *(each for each in self.guides if each[0] != guide)][:RECENT]

    def redone(self, inner: bytes, recipe: bytes) -> bytes | None:
        """Return the stream that these stand for, where it was made while the block was opened."""
        return self._redone.get(_key(inner, recipe)) if self._redone else None

    def keep(self, inner: bytes, recipe: bytes, coded: bytes) -> None:
        """Note that `coded` is what `inner` and `recipe` stand for."""
        self._redone[_key(inner, recipe)] = coded


def known() -> Known:
    """Return the notes of the block that is being opened or coded; empty ones where none is."""
    return notes(Known)


def _key(inner: bytes, recipe: bytes) -> bytes:
    digest = blake2b(inner, digest_size=32)
    digest.update(len(inner).to_bytes(8, "little"))
    digest.update(recipe)
    return digest.digest()
