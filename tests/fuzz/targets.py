"""All targets, by name."""

from __future__ import annotations

from . import archives, containers, content, kinds, lossless, lossy, mixing, models, others, past
from .target import Target

MODULES = (lossless, mixing, lossy, others, archives, models, content, containers, kinds, past)
TARGETS: list[type[Target]] = [target for module in MODULES for target in module.TARGETS]
