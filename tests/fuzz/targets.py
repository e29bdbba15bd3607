"""All targets, by name."""

from __future__ import annotations

from . import archives, content, lossless, lossy, mixing, models, others
from .target import Target

TARGETS: list[type[Target]] = [
    target for module in (lossless, mixing, lossy, others, archives, models, content) for target in module.TARGETS
]
