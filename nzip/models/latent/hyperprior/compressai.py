"""Models of CompressAI for the codec `hyperprior`: its state dicts become nzip's weights and tables.

Begaint, Racape, Feltman and Pushparaja, "CompressAI: a PyTorch library and evaluation platform for end-to-end
compression research" (2020). What is taken over, for the three architectures of `strided`: kernels and biases as they
are; GDN's beta and gamma, which are kept as square roots with a floor; the cumulative tables of the factorised prior
and of the scales where they are there, and else what its `update()` makes (sections "EntropyBottleneck" and
"GaussianConditional" of its documentation). The hyperprior's synthesis becomes integers, so its scales and means can
differ from the float network's by less than its rounding; files are nzip's own and not CompressAI's.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent.priors import exact
from nzip.models.latent.priors.tables import PRECISION
from nzip.models.latent.weights import Model, load, pack, unpack
from nzip.models.safetensors import short

ZOO = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean")

_FLOOR = 2.0**-18  # of the square roots that GDN keeps
_LEAST_BETA = 1e-6
_WIDEST = 1 << 12  # of a table to each side, and of a scale
_MOST_SCALES = 256
_TAIL = 1e-9  # probability that lies outside a table of scales
_SCALES = (0.11, 256.0, 64)  # the table of scales, where a state dict has none
_PARTS = {"matrices": "_matrix", "biases": "_bias", "factors": "_factor"}

Tensors = dict[str, NDArray[Any]]


def from_compressai(source: str | os.PathLike[str] | Mapping[str, Any]) -> Model:
    """Return a model of CompressAI as one of the codec `hyperprior`.

    Args:
        source: a state dict (tensors or arrays by name), or a file: .safetensors, or what torch saved (.pth,
            .pth.tar), which is read without running code from it.

    Raises:
        CorruptError: a tensor is missing or does not fit.
        UnsupportedError: it is of another architecture, or its file needs torch, which is not here.
        OSError: it cannot be read.
    """
    state = _renamed(source if isinstance(source, Mapping) else _read(Path(source)))
    try:
        kind, latents = _kind(state)
        out = _networks(state, kind)
        medians = _array(state, "entropy_bottleneck.quantiles")[:, 0, 1]
        out["z.medians"] = np.rint(medians * exact.ONE).astype(np.int32)
        out |= _named("z", _stored(state, "entropy_bottleneck") or _factorised(state))
        if kind != "factorized":
            table = state.get("gaussian_conditional.scale_table")
            if table is None or not table.size:
                low, high, count = _SCALES
                table = np.exp(np.linspace(math.log(low), math.log(high), count))
            scales = np.asarray(table, np.float64)
            if scales.ndim != 1 or len(scales) > _MOST_SCALES or not 0 < scales.min() <= scales.max() <= _WIDEST:
                raise ValueError("a table of scales that is none")
            out |= _named("y", _stored(state, "gaussian_conditional") or _gaussian(scales))
            # A scale is of the first class whose scale is not below it.
            out["y.borders"] = np.floor(scales[:-1] * exact.ONE).astype(np.int64)
    except (LookupError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        raise CorruptError(f"the state dict fits no architecture of CompressAI ({error}); get it again") from None
    about = {"codec": "hyperprior", "config": json.dumps({"architecture": kind, "latents": latents})}
    return unpack(pack(out, about), "a model of CompressAI")


def from_zoo(name: str, quality: int, metric: str = "mse") -> Model:
    """Return one of CompressAI's own models, whose weights its package fetches.

    Args:
        name: one of `ZOO`.
        quality: 1 to 8, a model for each.
        metric: "mse" or "ms-ssim", what it learned.

    Raises:
        UnsupportedError: the name is none of these, the package is not here, or it cannot fetch the weights.
    """
    if name not in ZOO:
        raise UnsupportedError(f"{name} is none of the models that nzip can take over ({', '.join(ZOO)})")
    try:
        models = importlib.import_module("compressai.zoo").models
    except ImportError:
        raise UnsupportedError("CompressAI's models need its package; pip install compressai") from None
    try:
        network = models[name](quality=quality, metric=metric, pretrained=True)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnsupportedError(f"CompressAI cannot give {name} of quality {quality} ({reason})") from None
    return from_compressai(network.state_dict())


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        return load(path).tensors
    try:
        import torch
    except ImportError:
        raise UnsupportedError(f"{path}: reading what torch saved needs torch; pip install 'nzip[train]'") from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises many kinds here, pickle's among them
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptError(f"{path}: torch cannot read it ({reason})") from None
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict):
        raise CorruptError(f"{path}: holds no state dict")
    return found


def _renamed(state: Mapping[str, Any]) -> Tensors:
    """Return arrays by one of the names that versions of CompressAI gave them."""
    out: Tensors = {}
    for key, value in state.items():
        name = key.removeprefix("module.")
        name = re.sub(r"_?(matrices|biases|factors)\.", lambda found: _PARTS[found[1]], name)
        if not isinstance(value, np.ndarray) and not hasattr(value, "detach"):
            raise CorruptError(f"the state dict holds {short(name)}, which is no tensor; get it again")
        out[name] = value if isinstance(value, np.ndarray) else value.detach().cpu().numpy()
        if out[name].dtype.kind == "f" and not np.isfinite(out[name]).all():
            raise CorruptError(f"the state dict holds {short(name)} with values that are not finite; get it again")
    return out


def _array(state: Tensors, name: str) -> NDArray[np.float64]:
    if name not in state:
        raise KeyError(f"{name} is missing")
    return state[name].astype(np.float64)


def _kind(state: Tensors) -> tuple[str, int]:
    """Return which architecture a state dict is of, and how many channels its latents have."""
    latents = len(_array(state, "g_a.6.weight"))
    if "g_a.1.gamma" not in state or any(name.startswith(("context_prediction", "g_a.7")) for name in state):
        raise UnsupportedError(f"this state dict is of no architecture that nzip can take over ({', '.join(ZOO)})")
    if "h_s.4.weight" not in state:
        return "factorized", latents
    said = len(_array(state, "h_s.4.weight"))
    if said not in (latents, 2 * latents):
        raise ValueError("h_s gives neither scales nor scales and means")
    return ("scale" if said == latents else "mean-scale"), latents


def _networks(state: Tensors, kind: str) -> Tensors:
    floats: Tensors = {}
    for part in ("g_a", "g_s", *(("h_a", "h_s") if kind != "factorized" else ())):
        for number in range(0, 5 if part[0] == "h" else 7, 2):
            for old, new in (("weight", "kernel"), ("bias", "bias")):
                floats[f"{part}.{number}.{new}"] = _array(state, f"{part}.{number}.{old}").astype(np.float32)
        for number in (1, 3, 5) if part[0] == "g" else ():
            name = f"{part}.{number}"
            beta = np.maximum(_array(state, f"{name}.beta"), math.sqrt(_LEAST_BETA + _FLOOR**2)) ** 2 - _FLOOR**2
            gamma = np.maximum(_array(state, f"{name}.gamma"), _FLOOR) ** 2 - _FLOOR**2
            floats[f"{name}.beta"] = beta.astype(np.float32)
            floats[f"{name}.gamma"] = gamma.astype(np.float32)[:, :, None, None]
    steers = {name: value for name, value in floats.items() if name.startswith("h_s.")}
    out = {f"net/{name}": value for name, value in floats.items() if name not in steers}
    return out | {f"prior/{name}": value for name, value in exact.quantise(steers).items()}


def _named(prefix: str, parts: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]) -> Tensors:
    cdf, lengths, offsets = parts
    return {
        f"{prefix}.cdf": cdf.astype(np.uint32),
        f"{prefix}.lengths": (lengths.reshape(-1) - 1).astype(np.int32),  # symbols, not their borders
        f"{prefix}.offsets": offsets.reshape(-1).astype(np.int32),
    }


def _stored(state: Tensors, name: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Return the tables that a state dict has: borders, their numbers, offsets."""
    cdf, lengths, offsets = (state.get(f"{name}.{part}") for part in ("_quantized_cdf", "_cdf_length", "_offset"))
    if cdf is None or lengths is None or offsets is None or not cdf.size:
        return None
    return cdf, lengths, offsets


def _cumulative(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the borders of integer frequencies, each at least 1, that sum to 2^16: as CompressAI's coder has them.

    Shares are rounded and brought to the sum; an empty symbol takes 1 from the least of those that have more.
    """
    whole = 1 << PRECISION
    rounded = np.floor(shares * whole + 0.5).astype(np.int64)
    freqs = whole * rounded // max(1, int(rounded.sum()))
    freqs[-1] = whole - int(freqs[:-1].sum())
    for symbol in np.flatnonzero(freqs == 0):
        rich = np.flatnonzero(freqs > 1)
        freqs[rich[np.argmin(freqs[rich])]] -= 1
        freqs[symbol] = 1
    return np.concatenate([[0], np.cumsum(freqs)])


def _tables_of(
    shares: NDArray[np.float64], tails: NDArray[np.float64], counts: NDArray[np.int64], offsets: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    cdf = np.zeros((len(shares), shares.shape[1] + 2), np.int64)
    for row, (share, tail, count) in enumerate(zip(shares, tails, counts, strict=True)):
        cdf[row, : count + 2] = _cumulative(np.append(share[:count], tail))
    return cdf, counts + 2, offsets


def _factorised(state: Tensors) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the tables of a factorised prior from its network (Balle et al., 2018, appendix 6.1)."""
    quantiles = _array(state, "entropy_bottleneck.quantiles")[:, 0]
    below = np.maximum(np.ceil(quantiles[:, 1] - quantiles[:, 0]), 0)
    above = np.maximum(np.ceil(quantiles[:, 2] - quantiles[:, 1]), 0)
    if max(below.max(initial=0), above.max(initial=0)) > _WIDEST:
        raise ValueError("quantiles that lie too far apart")
    counts = (below + above + 1).astype(np.int64)
    at = (quantiles[:, 1] - below)[:, None] + np.arange(int(counts.max()))

    def sides(x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cumulative distribution before its sigmoid, (C, n)."""
        logits = x[:, None]
        number = 0
        while f"entropy_bottleneck._matrix{number}" in state:
            matrix = np.logaddexp(0, _array(state, f"entropy_bottleneck._matrix{number}"))
            logits = matrix @ logits + _array(state, f"entropy_bottleneck._bias{number}")
            factor = f"entropy_bottleneck._factor{number}"
            if factor in state:
                logits = logits + np.tanh(_array(state, factor)) * np.tanh(logits)
            number += 1
        return logits[:, 0]

    def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.5 + 0.5 * np.tanh(x / 2)

    lower, upper = sides(at - 0.5), sides(at + 0.5)
    tails = sigmoid(lower[:, 0]) + sigmoid(-upper[:, -1])
    return _tables_of(sigmoid(upper) - sigmoid(lower), tails, counts, -below.astype(np.int64))


def _gaussian(scales: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the tables of normal distributions of these scales."""
    reach = np.ceil(scales * -NormalDist().inv_cdf(_TAIL / 2)).astype(np.int64)
    counts = 2 * reach + 1
    away = np.abs(np.arange(int(counts.max())) - reach[:, None])
    below = np.vectorize(lambda x: 0.5 * math.erfc(-x * math.sqrt(0.5)))
    upper, lower = below((0.5 - away) / scales[:, None]), below((-0.5 - away) / scales[:, None])
    return _tables_of(upper - lower, 2 * lower[:, 0], counts, -reach)
