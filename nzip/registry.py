"""Which engines, transforms and openers exist, by name and by the id that files carry.

This stands below all that looks them up, so it knows no more of them than `Registered` says. The built-in ones are
imported when they are first asked for, so that looking at a file imports nothing heavy. Other packages add theirs
through the entry-point groups `nzip.engines`, `nzip.transforms` and `nzip.openers`, whose values name an `Engine`,
`Transform` or `Opener` class (or a function that returns an object of one).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

from nzip.errors import UnsupportedError
from nzip.process import imported, lock


class Registered(Protocol):
    """What an `Engine`, a `Transform` and an `Opener` have alike.

    Attributes:
        name: the word users see.
        id, version: what a block's header states.
    """

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> int: ...
    @property
    def version(self) -> int: ...


class Registry:
    """Engines, transforms or openers by name and by (id, version).

    Args:
        word: what the registry holds, for messages.
        group: the entry-point group of other packages.
        builtin: (name, id, version, "module:Class") of each built-in one. An older version of an engine stands
            before the newer one: the last of a name is the one that `by_name` gives.
    """

    def __init__(self, word: str, group: str, builtin: list[tuple[str, int, int, str]]):
        self._word = word
        self._group = group
        self._paths = {(id_, version): path for _, id_, version, path in builtin}
        self._names = {name: (id_, version) for name, id_, version, _ in builtin}
        self._objects: dict[tuple[int, int], Any] = {}
        self._others_loaded = False
        self._lock = lock()

    def register(self, item: Registered) -> None:
        """Add `item`; it becomes what its name stands for.

        Raises:
            ValueError: its id and version are taken by another, or are out of range.
        """
        if not (1 <= item.id <= 127 and 1 <= item.version <= 255):
            raise ValueError(f"{self._word} {item.name!r} has id {item.id} and version {item.version}")
        key = (item.id, item.version)
        with self._lock:
            if key in self._paths or key in self._objects:
                raise ValueError(f"{self._word} id {item.id} version {item.version} is taken")
            self._objects[key] = item
            self._names[item.name] = key

    def by_name(self, name: str) -> Any:
        """Return the newest version of the one called `name`.

        Raises:
            ValueError: there is none.
        """
        if name not in self._names:
            self._load_others()
        if name not in self._names:
            raise ValueError(f"no {self._word} is called {name!r}; there are {', '.join(sorted(self._names))}")
        return self._get(self._names[name])

    def by_id(self, id_: int, version: int) -> Any:
        """Return the one that a file names.

        Raises:
            UnsupportedError: this installation does not have it.
        """
        key = (id_, version)
        if key not in self._paths and key not in self._objects:
            self._load_others()
        if key in self._paths or key in self._objects:
            return self._get(key)
        known = [v for i, v in {*self._paths, *self._objects} if i == id_]
        if known:
            raise UnsupportedError(
                f"{self._word} {id_} has version {version} in this file and this nzip knows up to {max(known)}; "
                "upgrade nzip"
            )
        raise UnsupportedError(f"{self._word} {id_} is not known to this nzip; upgrade nzip or install what adds it")

    def name_of(self, id_: int) -> str:
        """Return the name for `id_`, or a description when it is unknown."""
        for _ in range(2):
            for name, key in self._names.items():
                if key[0] == id_:
                    return name
            self._load_others()
        return f"{self._word} {id_}"

    def __iter__(self) -> Iterator[str]:
        self._load_others()
        return iter(list(self._names))

    def _get(self, key: tuple[int, int]) -> Any:
        with self._lock:
            if key not in self._objects:
                module, _, attribute = self._paths[key].partition(":")
                imported(module)
                self._objects[key] = getattr(import_module(module), attribute)()
            return self._objects[key]

    def _load_others(self) -> None:
        with self._lock:
            if self._others_loaded:
                return
            self._others_loaded = True
            for point in entry_points(group=self._group):
                # Another package's fault must not keep nzip from reading its own files.
                try:
                    loaded = point.load()
                    self.register(loaded() if callable(loaded) else loaded)
                except Exception as error:
                    warnings.warn(f"{self._word} {point.name!r} of another package is left out: {error}", stacklevel=2)


ENGINES = Registry(
    "engine",
    "nzip.engines",
    [
        ("store", 0, 1, "nzip.models.store:StoreEngine"),
        ("zstd", 1, 1, "nzip.models.zstd:ZstdEngine"),
        ("cm", 2, 1, "nzip.models.cm.engine:CmEngine"),
        ("midicoth", 3, 1, "nzip.models.midicoth.engine:MidicothEngine"),
        ("cmfast", 4, 1, "nzip.models.cm.engine:CmFastEngine"),
        ("cmstrong", 5, 1, "nzip.models.cm.engine:CmStrongEngine"),
        ("lm", 6, 1, "nzip.models.lm.engine:LmEngine"),
        ("latents", 7, 1, "nzip.models.latent.engine:LatentsEngine"),
        ("columnar", 8, 1, "nzip.models.columnar:ColumnarEngine"),
        ("bundle", 9, 1, "nzip.models.bundle:BundleEngine"),
        ("jpeg", 10, 1, "nzip.models.jpeg.engine:JpegEngine"),
        ("pix", 11, 1, "nzip.models.pix.engine:PixEngine"),
        ("pcm", 12, 1, "nzip.models.pcm.engine:PcmEngine"),
        ("bilevel", 13, 1, "nzip.models.bilevel.engine:BilevelEngine"),
        ("tensor", 14, 1, "nzip.models.tensor.engine:TensorEngine"),
        ("dna", 15, 1, "nzip.models.dna.engine:DnaEngine"),
        ("reads", 16, 1, "nzip.models.reads.engine:ReadsEngine"),
        ("circuit", 17, 1, "nzip.models.circuit.engine:CircuitEngine"),
    ],
)

TRANSFORMS = Registry(
    "transform",
    "nzip.transforms",
    [
        ("delta", 1, 1, "nzip.formats.transforms.delta:DeltaTransform"),
        ("x86", 2, 1, "nzip.formats.transforms.x86:X86Transform"),
        ("shuffle", 3, 1, "nzip.formats.transforms.shuffle:ShuffleTransform"),
        ("arm64", 4, 1, "nzip.formats.transforms.arm64:Arm64Transform"),
        ("parts", 5, 1, "nzip.formats.transforms.parts:PartsTransform"),
        ("lines", 6, 1, "nzip.formats.transforms.lines:LinesTransform"),
    ],
)

OPENERS = Registry(
    "opener",
    "nzip.openers",
    [
        ("deflate", 1, 1, "nzip.formats.openers.deflate.opener:DeflateOpener"),
        ("torn", 2, 1, "nzip.formats.openers.deflate.torn:TornOpener"),
        ("lzw", 10, 1, "nzip.formats.openers.lzw:LzwOpener"),
        ("differences", 11, 1, "nzip.formats.openers.differences:DifferencesOpener"),
        ("base64", 12, 1, "nzip.formats.openers.base64:Base64Opener"),
        ("hexadecimal", 13, 1, "nzip.formats.openers.hexadecimal:HexadecimalOpener"),
        ("fax", 14, 1, "nzip.formats.openers.fax:FaxOpener"),
        ("ascii85", 15, 1, "nzip.formats.openers.ascii85:Ascii85Opener"),
        ("packbits", 16, 1, "nzip.formats.openers.packbits:PackbitsOpener"),
        ("rows", 20, 1, "nzip.formats.openers.rows:RowsOpener"),
        ("png", 21, 1, "nzip.formats.openers.png:PngOpener"),
        ("zip", 22, 1, "nzip.formats.openers.zip.opener:ZipOpener"),
        ("gzip", 23, 1, "nzip.formats.openers.wrapped:GzipOpener"),
        ("zlib", 24, 1, "nzip.formats.openers.wrapped:ZlibOpener"),
        ("shuffle", 25, 1, "nzip.formats.openers.shuffle:ShuffleOpener"),
        ("sequences", 30, 1, "nzip.formats.openers.sequences:SequencesOpener"),
        ("fastq", 31, 1, "nzip.formats.openers.fastq:FastqOpener"),
        ("sam", 32, 1, "nzip.formats.openers.sam:SamOpener"),
        ("lattice", 33, 1, "nzip.formats.openers.lattice:LatticeOpener"),
        ("packed", 34, 1, "nzip.formats.openers.packed:PackedOpener"),
        ("vcf", 35, 1, "nzip.formats.openers.vcf:VcfOpener"),
    ],
)
