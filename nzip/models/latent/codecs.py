"""The latent codecs by name and by the number that files carry, and where their models lie.

A model is found by its id: among those that come with nzip, then in the folder `latent` of the models' folder, where
users put their own.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import weights
from nzip.models.latent.layers import Ops
from nzip.models.latent.weights import Model
from nzip.process import lock

Settings = tuple[int, ...]
Symbols = list[NDArray[Any]]

MAX_SETTINGS = 8


def check_range(symbols: NDArray[Any], most: int) -> None:
    """Refuse symbols that are not in 0..most.

    Raises:
        ValueError: some are not.
    """
    if symbols.size and not 0 <= int(symbols.min()) <= int(symbols.max()) <= most:
        raise ValueError(f"symbols are not in 0..{most}")


class LatentCodec(Protocol):
    """What makes integers of a signal and a signal of integers; one object serves any number of threads.

    Attributes:
        name: the word users see.
        kind: "image" or "audio".
        channels: of the signals that it takes; 3 for pictures (red, green, blue).
        rate: samples a second that sounds must have; 0 for any, and for pictures.
    """

    name: Any
    kind: Any
    channels: int
    rate: int

    def settings(self, quality: int) -> Settings:
        """Return what travels in the file for a quality of 1 to 100, small integers from 0 on; more is better."""

    def layout(self, size: tuple[int, ...], settings: Settings) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return type and shape of each array of symbols of a signal of the size (H, W) or (T,).

        Raises:
            CorruptError: such settings do not exist.
        """

    def memory(self, size: tuple[int, ...], settings: Settings) -> int:
        """Return the bytes that decoding or making a signal of this size takes, its symbols and the model not counted.

        A bound, in numpy's layers. Sizes are those of parts (see `record`), so it never is more than a few GB.
        """

    def analyse(self, signal: NDArray[np.float32], settings: Settings, ops: Ops) -> Symbols:
        """Return the symbols of a signal, float32 (C, H, W) in -1/2..1/2 or (C, T) in -1..1."""

    def synthesise(self, symbols: Symbols, size: tuple[int, ...], settings: Settings, ops: Ops) -> NDArray[np.float32]:
        """Return the lossy signal, (C, *size).

        Raises:
            ValueError, CorruptError: symbols are out of range, or have other shapes than `layout` says.
        """

    def encode(self, symbols: Symbols, settings: Settings) -> bytes:
        """Return the code of symbols, the same on every machine.

        Raises:
            ValueError: symbols are out of range.
        """

    def decode(self, data: bytes, size: tuple[int, ...], settings: Settings) -> Symbols:
        """Return symbols from their code, the same on every machine.

        Raises:
            CorruptError: it is damaged.
        """


class RefiningCodec(LatentCodec, Protocol):
    """One that can search for better symbols than those of its analysis."""

    def refined(self, signal: NDArray[np.float32], symbols: Symbols, settings: Settings, rounds: int) -> Symbols:
        """Return symbols that give a better signal, after so many rounds.

        Raises:
            UnsupportedError: what the search takes is not installed.
        """


@dataclass(frozen=True)
class Entry:
    """A codec: the number that files carry, where its class is, and the model that is taken where none is named."""

    id: int
    path: str
    defaults: dict[str, str]  # kind -> stem of the file


CODECS = {
    "walloc": Entry(
        1, "nzip.models.latent.walloc.codec:WallocCodec", {"image": "walloc-48", "audio": "walloc-stereo-108"}
    ),
    "vqgan": Entry(2, "nzip.models.latent.vqgan.codec:VqganCodec", {"image": "vqgan-f16"}),
    "hyperprior": Entry(3, "nzip.models.latent.hyperprior.codec:HyperpriorCodec", {"image": "hyperprior"}),
    "grvq": Entry(4, "nzip.models.latent.grvq.codec:GrvqCodec", {"audio": "grvq-16k"}),
}
SUFFIX = ".safetensors"

_lock = lock()
_open: dict[str, LatentCodec] = {}


def shipped_folder() -> Path:
    """Return the folder of the models that come with nzip."""
    return Path(str(resources("nzip.models") / "weights" / "latent"))


def own_folder() -> Path:
    """Return the folder of the user's own models."""
    from nzip.models.folder import models_folder

    return models_folder() / "latent"


def found_models() -> list[Path]:
    """Return the files of all models, those that come with nzip first."""
    folders = [folder for folder in (shipped_folder(), own_folder()) if folder.is_dir()]
    return [path for folder in folders for path in sorted(folder.glob("*" + SUFFIX))]


@functools.lru_cache(maxsize=64)
def _hashed(path: Path, size: int, changed: int) -> str:
    return weights.id_of(weights.read(path))


def _id_of(path: Path) -> str:
    """Return the id of a model's file, which is read again only where it changed."""
    info = path.stat()
    return _hashed(path, info.st_size, info.st_mtime_ns)


def _file_of(model_id: str) -> Path | None:
    for path in found_models():
        # A file that cannot be read is no reason to refuse what another made.
        with contextlib.suppress(OSError, CorruptError):
            if _id_of(path) == model_id:
                return path
    return None


def is_here(number: int, model_id: str) -> bool:
    """Return whether the codec and the model that a file names are here; nothing is opened for it."""
    known = any(entry.id == number for entry in CODECS.values())
    return known and (model_id in _open or _file_of(model_id) is not None)


def codec_of(model: Model, where: str) -> LatentCodec:
    """Return the codec that a model says it is for.

    Raises:
        UnsupportedError: no such codec is known.
        CorruptError: the model's parts do not fit.
    """
    name = model.about.get("codec", "")
    if name not in CODECS:
        known = ", ".join(CODECS)
        raise UnsupportedError(f"{where}: is no model of a latent codec that nzip knows ({known})")
    module, _, attribute = CODECS[name].path.partition(":")
    kind = getattr(importlib.import_module(module), attribute)
    try:
        codec: LatentCodec = kind(model)
    except CorruptError as error:
        raise CorruptError(f"{where}: {error}") from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError, RecursionError) as error:
        raise CorruptError(f"{where}: its parts do not fit ({type(error).__name__}); get the file again") from None
    return codec


def by_id(number: int, model_id: str) -> LatentCodec:
    """Return the codec that a file names by its number and its model's id.

    Raises:
        UnsupportedError: the codec is not known, or the model is not here.
    """
    with _lock:
        if model_id in _open:
            codec = _open[model_id]
        else:
            name = next((name for name, entry in CODECS.items() if entry.id == number), None)
            if name is None:
                raise UnsupportedError(f"the latent codec {number} is not known to this nzip; upgrade nzip")
            path = _file_of(model_id)
            if path is None:
                raise UnsupportedError(
                    f"the model {model_id} of the codec {name} is not here; put its file into {own_folder()}"
                )
            codec = _open[model_id] = codec_of(weights.load(path), os.fspath(path))
    if CODECS[codec.name].id != number:
        raise CorruptError(f"the model {model_id} is not one of the codec that the file names")
    return codec


def by_name(name: str, kind: str, model: str | os.PathLike[str] | None = None) -> tuple[LatentCodec, str]:
    """Return a codec with a model, and the model's id.

    Args:
        name: of the codec.
        kind: "image" or "audio".
        model: path of a model's file, or the stem of one that comes with nzip or lies in the user's folder; what is
            meant for the kind where it is left out.

    Raises:
        ValueError: there is no such codec, or it has none for that kind.
        UnsupportedError: the model is not here, or is of another codec or kind.
        CorruptError: the model is damaged.
    """
    if name not in CODECS:
        raise ValueError(f"no latent codec is called {name!r}; there are {', '.join(CODECS)}")
    fitting = [other for other, entry in CODECS.items() if kind in entry.defaults]
    if name not in fitting:
        what = "pictures" if kind == "image" else "sounds"
        raise ValueError(f"the codec {name} is not for {what}; take {' or '.join(fitting)}")
    wanted = os.fspath(model) if model is not None else CODECS[name].defaults[kind]
    if wanted.endswith(SUFFIX) or os.sep in wanted:
        path = Path(wanted)
    else:
        here = [path for path in found_models() if path.stem == wanted]
        if not here:
            stems = ", ".join(path.stem for path in found_models()) or "none"
            raise UnsupportedError(f"there is no model {wanted!r} of the codec {name} here; there are: {stems}")
        path = here[0]
    model_id = _id_of(path)
    with _lock:
        if model_id not in _open:
            loaded = weights.load(path)
            model_id = loaded.id
            _open[model_id] = codec_of(loaded, os.fspath(path))
        codec = _open[model_id]
    if codec.name != name or codec.kind != kind:
        raise UnsupportedError(f"{path}: is a model of {codec.name} for {codec.kind}, not of {name} for {kind}")
    return codec, model_id


def prepare() -> None:
    """Compile what coding with the models that are here needs; one that is damaged is left to who uses it."""
    import numpy as np

    from nzip.errors import NzipError
    from nzip.models.latent import weights
    from nzip.models.latent.layers import NumpyOps

    random = np.random.default_rng(1)
    for path in found_models():
        try:
            codec = codec_of(weights.load(path), path.name)
        except NzipError:
            continue
        if codec.kind == "image":
            signal = random.random((3, 64, 64), np.float32)
        else:
            signal = random.random((codec.channels, 4096), np.float32) - np.float32(0.5)
        settings = codec.settings(60)
        symbols = codec.analyse(signal, settings, NumpyOps())
        size = signal.shape[1:]
        codec.decode(codec.encode(symbols, settings), size, settings)
        codec.synthesise(symbols, size, settings, NumpyOps())
