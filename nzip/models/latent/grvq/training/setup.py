"""What of `grvq` is learned, and how long."""

from __future__ import annotations

from dataclasses import dataclass, field

from nzip.models.latent.grvq.networks import Shape
from nzip.models.latent.training import loop

FIRST = loop.Plan(5500, rate=8e-4, last=0.15, warm=100, check=250)
SECOND = loop.Plan(1500, rate=3e-4, last=0.05, warm=50, check=250, clip=5.0, betas=(0.8, 0.95))


@dataclass(frozen=True)
class PriorPlan:
    """How the prior is learned.

    Attributes:
        minutes: of sound that are turned into symbols.
        width: sums of a network's first layer.
        steps, batch, rate: of Adam; a batch is frames.
        seed: of the draws.
    """

    minutes: float = 90.0
    width: int = 128
    steps: int = 1500
    batch: int = 512
    rate: float = 2e-3
    seed: int = 1


@dataclass(frozen=True)
class Setup:
    """What is learned, and how long.

    Attributes:
        shape: the codec's sizes.
        seconds: of a piece.
        batch: pieces.
        settle: steps before the quantiser.
        first, second: the two runs; the second has no steps where it is not wanted.
        prior: see `PriorPlan`.
        seed: of the pieces and what is drawn for them.
        half: whether to multiply in bfloat16.
    """

    shape: Shape = field(default_factory=Shape)
    seconds: float = 1.0
    batch: int = 8
    settle: int = 500
    first: loop.Plan = FIRST
    second: loop.Plan = SECOND
    prior: PriorPlan = field(default_factory=PriorPlan)
    seed: int = 1
    half: bool = True
