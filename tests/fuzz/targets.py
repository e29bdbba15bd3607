"""All targets, by name."""

from __future__ import annotations

from . import archives, lossless, lossy, models, others
from .target import Target

TARGETS: list[type[Target]] = [*lossless.TARGETS, *lossy.TARGETS, *others.TARGETS, *archives.TARGETS, *models.TARGETS]
