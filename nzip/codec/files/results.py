"""What is reported of a file that was worked on, while it is and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nzip.codec.salvage.faults import Fault
from nzip.models.base import Engine

Progress = Callable[[int, int | None, int], None]
"""Called with bytes of the source done, bytes of the source in all (None if unknown), bytes written."""
Prepare = Callable[[Engine], None]
"""Called with the engine that is needed, before the first block; may call its `prepare`."""


@dataclass(frozen=True)
class FileResult:
    """What was done.

    Attributes:
        source: the path that was read; the stream's name when it was a stream.
        target: the path that was written; None when nothing was.
        raw_size: bytes of content.
        size: bytes compressed.
        seconds: how long it took.
        members: members in the compressed file.
        kind: `"tar"` when the content is a packed directory, `"files"` when some files of an archive were extracted,
            `"image"` or `"audio"` when a picture or sound was made from latents, `"lossy"` when one was turned into
            them.
        removed: the source was deleted.
        entries: files, directories and links of a packed directory.
        skipped: paths in a directory that hold no bytes to pack (sockets, devices, pipes).
        outside: symbolic links of a directory that was packed which lead outside of it.
        pixels: of a picture that was compressed with loss; else 0.
        length: seconds of a sound that was compressed with loss; else 0.
        psnr: decibels of what comes back of such a picture or sound; None where it was not measured.
        missing: paths that an archive of which some files were extracted does not hold.
        faults: what is lost of a damaged file that was saved.
    """

    source: str
    target: str | None
    raw_size: int
    size: int
    seconds: float
    members: int = 1
    kind: str | None = None
    removed: bool = False
    entries: int = 0
    skipped: tuple[str, ...] = ()
    outside: int = 0
    pixels: int = 0
    length: float = 0.0
    psnr: float | None = None
    missing: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def ratio(self) -> float:
        """Bytes of content for one compressed byte: more is better; 0 for empty content."""
        return self.raw_size / self.size if self.size else 0.0

    @property
    def bits_per_pixel(self) -> float | None:
        """Bits for a pixel of a picture that was compressed with loss; None for all else."""
        return 8 * self.size / self.pixels if self.pixels else None

    @property
    def kbps(self) -> float | None:
        """Kilobits for a second of a sound that was compressed with loss; None for all else."""
        return 8 * self.size / self.length / 1000 if self.length else None
