"""nzip's own lossy codecs, each with a model that is on this machine."""

from __future__ import annotations

from pathlib import Path

from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.models.latent import weights
from nzip.models.latent.codecs import CODECS, found_models

QUALITIES = (5, 15, 30, 45, 60, 75, 90)
REFINED_QUALITIES = (90, 100)  # a search takes its time


def nzip_codecs(kind: str) -> list[LossyCodec]:
    """Return those of nzip's own codecs for a kind of signal whose usual models are here."""
    models = models_here()
    found = {name: entry.defaults.get(kind, "") for name, entry in CODECS.items()}
    return [own_codec(kind, name, models[model]) for name, model in found.items() if model in models]


def models_here() -> dict[str, Path]:
    return {path.stem: path for path in reversed(found_models())}  # of two, the first counts


def own_codec(kind: str, name: str, model: Path, *, usual: bool = True, rounds: int = 0) -> LossyCodec:
    """Return nzip's codec with a model, which stands in the name unless it is the usual one, and rounds of search."""
    import nzip

    data = model.read_bytes()
    whole = f"nzip {name}" if usual else f"nzip {name}:{model.stem}"
    return LossyCodec(
        name=f"{whole}+{rounds}" if rounds else whole,
        kind=kind,
        family="nzip",
        version=nzip.__version__,
        settings=f"model {model.stem} ({weights.id_of(data)})" + (f", {rounds} rounds of search" if rounds else ""),
        ladder=REFINED_QUALITIES if rounds else QUALITIES,
        encode=lambda signal, setting: nzip.compress_signal(
            signal, codec=name, model=None if usual else model.stem, quality=setting, refine=rounds
        ),
        decode=nzip.decompress_signal,
        model_bytes=len(data),
        warm=not rounds,
    )
