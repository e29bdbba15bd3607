"""All targets, by name."""

from __future__ import annotations

from . import archives, containers, content, lossless, lossy, mixing, models, others
from .target import Target

MODULES = (lossless, mixing, lossy, others, archives, models, content, containers)
TARGETS: list[type[Target]] = [target for module in MODULES for target in module.TARGETS]
