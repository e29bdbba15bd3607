"""What every recipe is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nzip.models.latent.training import loop


@dataclass(frozen=True)
class Options:
    """What a recipe is told; what is None is the recipe's to choose.

    Attributes:
        variant: which of the codec's sizes, by name.
        steps, rate, seed, minutes: see `loop.Plan`.
        batch: pieces at a time.
        crop: pixels of a side of a piece, or samples.
        reduce: how many pixels along each axis become one, to take the traces of JPEG out of photographs.
        device: torch's name of it.
    """

    variant: str | None = None
    steps: int | None = None
    rate: float | None = None
    batch: int | None = None
    crop: int | None = None
    seed: int = 1
    minutes: float = 0.0
    reduce: int = 1
    device: str = "cpu"

    def plan(self, plan: loop.Plan) -> loop.Plan:
        """Return a recipe's plan with what was asked for in it."""
        asked: dict[str, Any] = {"steps": self.steps, "rate": self.rate}
        asked = {name: value for name, value in asked.items() if value is not None}
        return replace(plan, seed=self.seed, minutes=self.minutes, **asked)
