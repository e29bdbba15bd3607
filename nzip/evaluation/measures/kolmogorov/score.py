"""What programs and the sequences that are left take under each prior."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nzip.evaluation.measures.kolmogorov import dsl
from nzip.evaluation.measures.kolmogorov.answers import RIGHT, Outcome
from nzip.evaluation.measures.kolmogorov.coders import EXACT, GZIP, UNIFORM, coder, size_of
from nzip.evaluation.measures.kolmogorov.solvers import (
    DSL,
)
from nzip.evaluation.measures.kolmogorov.sources import Modality

SEPARATOR = b"\0"
ALL, BEST = "all", "best"
CUTS = 16  # at how many places the ranking of programs is tried


@dataclass(frozen=True)
class Score:
    """The size of a modality as programs and what they leave.

    Attributes:
        prior: how programs are coded.
        rest: how the other sequences are coded.
        choose: ALL right programs are used, or the BEST choice among them.
        used: how many.
        program_bits, sequence_bits, flag_bits: what the parts take; a bit for each flag.
        flag_gzip_bits: what gzip makes of the flags, instead.
        raw_bits: of the data, uncompressed.
        precision: program bits over gzip's for the sequences printed; None where no program is used.
        model_bytes: of the data that the priors have beside the program.
    """

    modality: str
    prior: str
    rest: str
    choose: str
    used: int
    program_bits: float
    sequence_bits: float
    flag_bits: int
    flag_gzip_bits: int
    raw_bits: int
    precision: float | None
    model_bytes: int = 0

    @property
    def bits(self) -> float:
        """All bits, a bit for each flag."""
        return self.program_bits + self.sequence_bits + self.flag_bits

    @property
    def rate(self) -> float:
        return self.bits / self.raw_bits

    @property
    def rate_gzip_flags(self) -> float:
        return (self.program_bits + self.sequence_bits + self.flag_gzip_bits) / self.raw_bits

    @property
    def rate_with_model(self) -> float:
        return (self.bits + 8 * self.model_bytes) / self.raw_bits


def joined(programs: Sequence[str]) -> bytes:
    """Return programs as one run of bytes from which each can be told."""
    return SEPARATOR.join(program.encode() for program in programs)


def flag_gzip_bits(used: Sequence[bool]) -> int:
    """Return the bits of gzip -9 of the flags, eight to a byte."""
    return 8 * size_of(GZIP, np.packbits(np.asarray(used, bool)).tobytes())


def best_choice(
    programs: Sequence[str], costs: Sequence[float] | None, sequences: Sequence[bytes], right: Sequence[int]
) -> list[int]:
    """Return which of the `right` programs to use so that gzip's total becomes small.

    A program's own price is not known when all share one gzip. So programs are ranked by what they seem to save
    (`_alone`), the first 0/16, 1/16 … 16/16 of the ranking are used in turn, and the smallest true total wins: never a
    worse one than of all or of none.

    Args:
        programs: one for each sequence; only those of `right` are looked at.
        costs: bits of each program under a prior that prices each by itself; None for gzip.
        sequences: all of them.
        right: numbers of sequences whose program is right.
    """
    if not right:
        return []
    own = [costs[at] for at in right] if costs is not None else _alone([programs[at].encode() for at in right])
    saved = np.asarray(_alone([sequences[at] for at in right])) - np.asarray(own)
    ranking = [right[index] for index in np.argsort(-saved, kind="stable")]
    found: tuple[float, list[int]] | None = None
    for count in sorted({len(ranking) * cut // CUTS for cut in range(CUTS + 1)}):
        chosen = sorted(ranking[:count])
        taken = set(chosen)
        bits = 8.0 * size_of(GZIP, b"".join(s for at, s in enumerate(sequences) if at not in taken))
        if costs is None:
            bits += 8 * size_of(GZIP, joined([programs[at] for at in chosen]))
        else:
            bits += sum(costs[at] for at in chosen)
        if found is None or bits < found[0]:
            found = bits, chosen
    assert found is not None
    return found[1]


def _alone(items: Sequence[bytes]) -> list[float]:
    """Return what deflate makes of each item, in bits, with a dictionary of others like it: those at even places for
    the odd ones, and the other way round."""
    sides = [b"".join(items[side::2])[-32768:] for side in (1, 0)]
    out = []
    for at, item in enumerate(items):
        maker = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=sides[at % 2])
        out.append(8.0 * len(maker.compress(item) + maker.flush()))
    return out


def priors_of(outcomes: Sequence[Outcome], levels: Sequence[int]) -> list[tuple[str, str]]:
    """Return prior and codec of the rest for each score: gzip, nzip's levels; the language's if all are in it."""
    found = [(GZIP, GZIP)] + [(f"nzip -{level}",) * 2 for level in levels]
    right = [outcome for outcome in outcomes if outcome.status == RIGHT]
    if right and all(outcome.language == DSL for outcome in right):
        found += [(UNIFORM, GZIP), (EXACT, GZIP)] + [(UNIFORM, f"nzip -{level}") for level in levels]
    return found


def plan(modality: Modality, outcomes: Sequence[Outcome], levels: Sequence[int]) -> list[dict[str, Any]]:
    """Return what has to be compressed for each score: prior, rest, choose, used, and the two runs of bytes."""
    sequences = modality.sequences
    programs = [outcome.program for outcome in outcomes]
    right = [at for at, outcome in enumerate(outcomes) if outcome.status == RIGHT]
    chosen: dict[tuple[bool, str], list[int]] = {}
    rows = []
    for prior, rest in priors_of(outcomes, levels):
        price = {UNIFORM: dsl.bits, EXACT: dsl.exact_bits}.get(prior)
        costs = None
        if price is not None:
            costs = [price(p) if o.status == RIGHT else 0.0 for p, o in zip(programs, outcomes, strict=True)]
        for choose in (ALL, BEST):
            used = right
            if choose == BEST:
                name = (price is not None, prior if price is not None else GZIP)
                if name not in chosen:
                    chosen[name] = best_choice(programs, costs, sequences, right)
                used = chosen[name]
            taken = set(used)
            rows.append(
                {
                    "prior": prior,
                    "rest": rest,
                    "choose": choose,
                    "used": used,
                    "cost": None if costs is None else sum(costs[at] for at in used),
                    "programs": joined([programs[at] for at in used]),
                    "sequences": b"".join(s for at, s in enumerate(sequences) if at not in taken),
                    "printed": b"".join(sequences[at] for at in used),
                }
            )
    return rows


def score(modality: Modality, row: Mapping[str, Any], size: Callable[[str, bytes], int] = size_of) -> Score:
    """Return the score of a row of `plan`; `size` gives compressed sizes in bytes, 0 of nothing."""
    count = len(modality.sequences)
    taken = set(row["used"])
    program_bits = row["cost"] if row["cost"] is not None else 8 * size(row["prior"], row["programs"])
    printed = 8 * size(GZIP, row["printed"])
    names = {row["rest"]} if row["sequences"] else set()
    if row["programs"] and row["cost"] is None:
        names.add(row["prior"])
    return Score(
        modality=modality.key,
        prior=row["prior"],
        rest=row["rest"],
        choose=row["choose"],
        used=len(taken),
        program_bits=program_bits,
        sequence_bits=8 * size(row["rest"], row["sequences"]),
        flag_bits=count,
        flag_gzip_bits=flag_gzip_bits([at in taken for at in range(count)]),
        raw_bits=modality.raw_bits,
        precision=program_bits / printed if printed else None,
        model_bytes=max((coder(name).model_bytes for name in names), default=0),
    )
