"""Reads checkpoints of VQGANs in the form in which the papers' authors publish them.

Esser, Rombach and Ommer (CVPR 2021) publish state dictionaries of torch with names such as
"decoder.up.3.block.1.conv2.weight"; Mao et al. (DCC 2024) keep that form. The networks of `codec` are
the same, so names and shapes say all there is to know: the number of resolutions, of blocks, where attention is, the
codebook. Groups of 32 channels are normed together there, as the authors' code has it. What belongs to the training
alone (the "loss." entries) is left out.

The result has no prior: its numbers are coded as equally likely until one is learned.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import weights
from nzip.models.latent.priors.indices import MAX_CODEWORDS
from nzip.models.latent.vqgan import codec as vqgan

GROUPS = 32
PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
BOOKS = ("quantize.embedding.weight", "quantize.embed.weight", "quantize.embed")


def from_taming(path: str | os.PathLike[str]) -> weights.Model:
    """Return the model that a checkpoint holds, for `vqgan.VqganCodec`.

    Args:
        path: a file of safetensors, or one that torch wrote (.ckpt, .pth, .pt; torch must be installed), with the
            state dictionary itself or one under "state_dict".

    Returns:
        Its id is that of the file; its tensors are float32.

    Raises:
        UnsupportedError: it is no VQGAN, or of another form (one whose codebook is chosen by Gumbel noise, say); or
            torch is needed.
        CorruptError: it is damaged.
        OSError: it cannot be read.
    """
    place = Path(path)
    with open(place, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[: 2 * weights.ID_BYTES]
    state = weights.load(place).tensors if place.suffix == ".safetensors" else _by_torch(place)
    book = next((state[name] for name in BOOKS if name in state), None)
    if book is None or "encoder.conv_in.weight" not in state or "decoder.conv_out.weight" not in state:
        raise UnsupportedError(f"{place}: holds no VQGAN (encoder, decoder and quantize.embedding are looked for)")
    if book.ndim != 2:
        raise CorruptError(f"{place}: its codebook has the shape {book.shape}; get the file again")
    outputs = [state[name].shape[0] for name in ("quant_conv.weight", "encoder.conv_out.weight") if name in state]
    if book.shape[1] != outputs[0] and book.shape[0] == outputs[0]:
        book = book.T  # some keep codewords in columns
    if len(book) > MAX_CODEWORDS:
        raise UnsupportedError(f"{place}: {len(book)} codewords are more than {MAX_CODEWORDS}")
    tensors: dict[str, NDArray[Any]] = {
        _name(key, value): np.ascontiguousarray(value, np.float32)
        for key, value in state.items()
        if key.startswith(PARTS)
    }
    tensors[f"codebook.{len(book)}"] = np.ascontiguousarray(book, np.float32)
    config = {"rungs": [len(book)], "groups": GROUPS, "cells": 1, "sphere": False, "heads": 1}
    size = sum(value.nbytes for value in tensors.values())
    return weights.Model(digest, tensors, vqgan.about(config, source=place.name), size)


def _name(key: str, value: NDArray[Any]) -> str:
    """Return our name for a tensor: kernels of layers and gains of norms are both "weight" there."""
    stem, _, last = key.rpartition(".")
    return key if last != "weight" else f"{stem}.kernel" if value.ndim > 1 else f"{stem}.gain"


def _by_torch(place: Path) -> dict[str, NDArray[Any]]:
    try:
        import torch
    except ImportError:
        raise UnsupportedError(
            f"{place}: this kind of file needs torch (pip install 'nzip[train]'); or convert it to .safetensors"
        ) from None
    try:
        # Tensors and plain containers only: a checkpoint of anybody's may not run code here.
        found = torch.load(place, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises many kinds
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptError(f"{place}: cannot be read as a checkpoint ({line}); save its tensors alone") from None
    state = found.get("state_dict", found) if isinstance(found, dict) else {}
    if not isinstance(state, dict):
        raise UnsupportedError(f"{place}: holds no state dictionary")
    return {
        str(key): value.detach().float().numpy() for key, value in state.items() if isinstance(value, torch.Tensor)
    }
