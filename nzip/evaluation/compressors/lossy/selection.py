"""Lossy codecs by name: nzip's own, and every peer that is installed."""

from __future__ import annotations

from collections.abc import Sequence

from nzip.codec.lossy import REFINED
from nzip.errors import NzipError
from nzip.evaluation.compressors.lossy.audio import audio_codecs
from nzip.evaluation.compressors.lossy.codec import LossyCodec
from nzip.evaluation.compressors.lossy.images import image_codecs
from nzip.evaluation.compressors.lossy.own import models_here, nzip_codecs, own_codec
from nzip.evaluation.data.signals import NOUNS
from nzip.models.latent.codecs import CODECS, by_name


def peers(kind: str) -> list[LossyCodec]:
    """Return every installed peer for a kind of signal, the oldest first."""
    return image_codecs() if kind == "image" else audio_codecs()


def find(kind: str, name: str) -> LossyCodec:
    """Return the codec of a kind by its name, as `walloc`, `nzip walloc`, `walloc:MODEL` or `jpeg xl`.

    Behind a name of nzip's, `+N` stands for N rounds of search at encoding.

    Raises:
        LookupError: there is none, it is not installed, or the model is not here or for other signals.
    """
    whole, _, rounds = name.removeprefix("nzip ").partition("+")
    own, colon, model = whole.partition(":")
    if colon or rounds.isdecimal():
        try:
            stem = model or CODECS[own].defaults[kind]
            by_name(own, kind, stem)
            if int(rounds or 0) and own not in REFINED:
                raise ValueError("it has nothing to refine")
            return own_codec(kind, own, models_here()[stem], usual=not colon, rounds=int(rounds or 0))
        except (KeyError, ValueError, NzipError) as error:
            raise LookupError(f"no lossy codec {name!r} for a {NOUNS[kind]} is here: {error}") from None
    wanted = _plain(name)
    for codec in nzip_codecs(kind) + peers(kind):
        if wanted in (_plain(codec.name), _plain(codec.name).removeprefix("nzip")):
            return codec
    raise LookupError(f"no lossy codec {name!r} for a {NOUNS[kind]} is installed")


def choose(kinds: Sequence[str], names: Sequence[str] | None = None, *, with_peers: bool = False) -> list[LossyCodec]:
    """Return the codecs to measure.

    Args:
        kinds: of the signals there are.
        names: of the codecs; all of nzip's where it is left out.
        with_peers: every installed peer as well.

    Raises:
        NzipError: none of the kinds has a codec of that name, or there is no codec at all.
    """
    found: dict[tuple[str, str], LossyCodec] = {}
    for kind in kinds:
        for codec in nzip_codecs(kind) if names is None else _named(kind, names):
            found[kind, codec.name] = codec
    for name in names or ():
        if not any(_plain(name) in (_plain(own), _plain(own).removeprefix("nzip")) for _, own in found):
            known = [codec.name for kind in kinds for codec in nzip_codecs(kind) + peers(kind)]
            names_known = ", ".join(dict.fromkeys(known)) or "none"
            raise NzipError(f"no lossy codec {name!r} is installed for these files; there are {names_known}")
    if with_peers:
        for kind in kinds:
            for codec in peers(kind):
                found.setdefault((kind, codec.name), codec)
    if not found:
        raise NzipError("no model of a lossy codec is here (see: nzip models latent); measure others with --peers")
    return list(found.values())


def _named(kind: str, names: Sequence[str]) -> list[LossyCodec]:
    found = []
    for name in names:
        try:
            found.append(find(kind, name))
        except LookupError:
            continue  # perhaps the other kind has it
    return found


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
