"""The files of `hyperprior` models: what was learned as the codec takes it, tables of symbols, and the way back."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import UnsupportedError
from nzip.models.latent.hyperprior import lapped
from nzip.models.latent.hyperprior.codec import HyperpriorCodec
from nzip.models.latent.hyperprior.training.network import (
    GAIN_SHARE,
    HYPER_CLASS,
    HYPER_SPAN,
    UNGAIN_SHARE,
    folded,
    share_of,
)  # fmt: skip
from nzip.models.latent.layers import TorchOps
from nzip.models.latent.priors import exact
from nzip.models.latent.priors.tables import Tables, tables_of
from nzip.models.latent.training import data
from nzip.models.latent.weights import Model, pack, unpack

WIDEST = 511  # symbols to each side that a table has
UNSEEN = 200.0  # occurrences that the logistic distribution counts for beside what was seen


def logistic_tables(seen: NDArray[np.float64] | None = None) -> Tables:
    """Return a table for each class of scales.

    Args:
        seen: how often each symbol from -WIDEST to WIDEST was met in each class, and then how often another was,
            (64, 2 WIDEST + 2); without it the tables are those of logistic distributions.
    """
    shares: list[NDArray[np.float64]] = []
    offsets: list[int] = []
    for number in range(lapped.CLASSES):
        scale = lapped.LEAST_SCALE * 2 ** (number / lapped.PER_OCTAVE)
        far = min(WIDEST, math.ceil(12 * scale) + 2)
        at = np.arange(-far, far + 1)
        inner = np.tanh((at + 0.5) / (2 * scale)) - np.tanh((at - 0.5) / (2 * scale))
        share = np.append(np.maximum(inner / 2, 1e-7), 1 - np.tanh((far + 0.5) / (2 * scale)) + 1e-6)
        share /= share.sum()
        if seen is not None:
            met = seen[number, WIDEST - far : WIDEST + far + 1]
            share = np.append(met, seen[number].sum() - met.sum()) + UNSEEN * share
        shares.append(share)
        offsets.append(-far)
    return tables_of(shares, offsets)


def packed(
    weights: dict[str, NDArray[np.float32]], slices: Sequence[int], tables: Tables, variant: str, about: dict[str, str]
) -> bytes:
    """Return the file of a model: floats of 16 bits, of 32 where large numbers go through, integers for the prior."""
    w = {name: np.asarray(value, np.float32) for name, value in folded(weights).items()}
    t = np.array([lapped.rate_number(rate) for rate in range(lapped.RATES)])
    power = np.stack([np.ones_like(t), t, t * t], axis=1)
    steps = lapped.STEPS[:, None]
    places = power[:, :2] @ w["hyper.place"].astype(np.float64)
    classes = power[:, :2] @ w["hyper.scale"].astype(np.float64) * HYPER_SPAN + HYPER_CLASS
    out: dict[str, NDArray[Any]] = {
        "net/gain": (np.exp(power @ w["gain"]) / steps).astype(np.float32),
        "net/ungain": (np.exp(power @ w["ungain"]) * steps).astype(np.float32),
        "net/parity": w["parity"],
        "z.places": np.rint(places).astype(np.int16),
        "z.classes": np.clip(np.rint(classes), 0, lapped.CLASSES - 1).astype(np.uint8),
        "y.cdf": tables.cdf, "y.lengths": tables.lengths, "y.offsets": tables.offsets,
    }  # fmt: skip
    steers = {name: value for name, value in w.items() if name.startswith(("hyper_decode.", "slice", "level."))}
    out |= {f"prior/{name}": value for name, value in exact.quantise(steers).items()}
    for name, value in w.items():
        if name.startswith(("refine.", "restore.", "hyper_encode.", "level.")):
            out[f"net/{name}"] = value.astype(np.float16)
        elif name.endswith("is.kernel"):
            out[f"net/{name}"] = value
    config = {"architecture": "lapped", "slices": list(slices)}
    return pack(out, {"codec": "hyperprior", "variant": variant, "config": json.dumps(config), **about})


def finish(
    weights: dict[str, NDArray[np.float32]], slices: Sequence[int], pieces: Sequence[NDArray[np.uint8]], *,
    variant: str = "photo", about: dict[str, str] | None = None, rates: Sequence[int] = tuple(range(2, 64, 6)),
    device: str = "cpu",
) -> bytes:  # fmt: skip
    """Return the file of what was learned, with tables of the symbols that pictures give.

    Args:
        weights: of `learn`.
        slices: of the network.
        pieces: pictures that it learned from, uint8 (H, W, 3).
        variant: part of the file's name.
        about: more for the metadata.
        rates: that symbols are counted at.
        device: torch's name.
    """
    ops = TorchOps(device)
    tables = logistic_tables()
    for _ in range(2):  # what an encoder chooses depends on the tables
        codec = HyperpriorCodec(unpack(packed(weights, slices, tables, variant, {}), variant))
        seen = np.zeros((lapped.CLASSES, 2 * WIDEST + 2))
        for number, piece in enumerate(pieces):
            settings = (rates[number % len(rates)],)
            x = data.signal_of(piece)
            for found, classes in codec.coded(codec.analyse(x, settings, ops), settings):
                at = np.where(np.abs(found) <= WIDEST, found + WIDEST, 2 * WIDEST + 1)
                np.add.at(seen, (classes.reshape(-1), at.reshape(-1)), 1)
        tables = logistic_tables(seen)
    return packed(weights, slices, tables, variant, about or {})


def restart(model: Model) -> dict[str, NDArray[np.float32]]:
    """Return weights to learn from that are those of a finished model, as near as its numbers of fewer bits are.

    Raises:
        UnsupportedError: it is of another architecture.
    """
    if model.config.get("architecture") != "lapped":
        raise UnsupportedError("only models of nzip's own network can learn on")
    floats = model.floats("net/")
    w = {name: value for name, value in floats.items() if name.startswith(("refine.", "restore.", "hyper_encode."))}
    for name, value in model.tensors.items():
        if name.startswith("prior/") and not name.endswith(".shift"):
            shift = model.tensors.get(f"{name}.shift")
            scale = exact.ONE if shift is None else 2.0 ** int(shift[0])
            w[name.removeprefix("prior/")] = (value / scale).astype(np.float32)
    for name in list(w):
        if name.endswith(".linear"):
            w[name] /= np.float32(share_of(name))
        elif name.endswith((".apart.kernel", "level.kernel")):
            w[f"{name.removesuffix('kernel')}fixed"] = w.pop(name)
    for name in ("analysis", "synthesis"):
        w[f"{name}.fixed"] = floats[f"{name}.kernel"]
        w[f"{name}.change"] = np.zeros_like(floats[f"{name}.kernel"])
    w["parity.fixed"] = floats["parity"]
    t = np.array([lapped.rate_number(rate) for rate in range(lapped.RATES)])
    power = np.stack([np.ones_like(t), t, t * t], axis=1)
    for name, sign in (("gain", 1), ("ungain", -1)):
        change = np.log(floats[name].astype(np.float64)) + sign * np.log(lapped.STEPS)[:, None]
        w[name] = np.linalg.lstsq(power, change, rcond=None)[0].astype(np.float32)
    w["ungain"] = (w["ungain"] + w["gain"]) / np.float32(UNGAIN_SHARE)
    w["gain"] /= np.float32(GAIN_SHARE)
    classes = (model.tensors["z.classes"].astype(np.float64) - HYPER_CLASS) / HYPER_SPAN
    w["hyper.scale"] = np.linalg.lstsq(power[:, :2], classes, rcond=None)[0].astype(np.float32)
    places = model.tensors["z.places"].astype(np.float64)
    w["hyper.place"] = np.linalg.lstsq(power[:, :2], places, rcond=None)[0].astype(np.float32)
    return w
