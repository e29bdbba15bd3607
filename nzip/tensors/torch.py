"""As `nzip.tensors`, with tensors of torch: what `safetensors.torch` has.

state = nzip.tensors.torch.load_file("model.safetensors.nz")
model.load_state_dict(state)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nzip import tensors
from nzip.codec.blocks import DEFAULT_MAX_MEMORY
from nzip.settings import DEFAULT_LEVEL, Settings

__all__ = ["load", "load_file", "load_model", "save", "save_file", "save_model"]

save, save_file = tensors.save, tensors.save_file


def load_file(filename: tensors.Path, device: str = "cpu", *, max_memory: int = DEFAULT_MAX_MEMORY) -> dict[str, Any]:
    """Return all tensors of a file by name; see `nzip.tensors.load_file`."""
    return tensors.load_file(filename, framework="pt", device=device, max_memory=max_memory)


def load(data: bytes, device: str = "cpu") -> dict[str, Any]:
    """As `load_file`, of bytes."""
    return tensors.load(data, framework="pt", device=device)


def save_model(
    model: Any,
    filename: tensors.Path,
    metadata: Mapping[str, str] | None = None,
    *,
    level: int | Settings = DEFAULT_LEVEL,
    threads: int = 1,
) -> None:
    """Save the state of a module. A tensor that it has under several names is saved under each, and takes its room
    once, for what is the same as before is not coded again."""
    save_file(model.state_dict(), filename, metadata, level=level, threads=threads)


def load_model(model: Any, filename: tensors.Path, strict: bool = True, device: str = "cpu") -> Any:
    """Load a module's state, one tensor at a time; return what `load_state_dict` returns: names that are missing, and
    names that are not the module's."""
    with tensors.safe_open(filename, "pt", device) as file:
        return model.load_state_dict({name: file.get_tensor(name) for name in file.offset_keys()}, strict=strict)
