"""`nzip eval`: compression as a measure of models and data; one file a measure."""

from __future__ import annotations

import click

from nzip.cli import LazyGroup

MEASURES = {
    "ratio": "Bits per byte of any codecs on any files, models counted and not.",
    "kolmogorov": "Programs that print sequences: compression rate, accuracy, precision.",
    "intelligence": "Bits per character of language models, beside their benchmark scores.",
    "capacity": "Information capacity: bits that a model saves, for its work per token.",
    "learnability": "What a small model learns from bytes, BPE and Equal-Info tokens.",
    "ncd": "Distances between files by compression, as a matrix and a tree.",
    "classify": "Classes of sequences by compression: nearest neighbours, or class models.",
    "align": "Rank the documents of a JSONL corpus by likeness to a target set.",
    "perception": "What a task of yours still sees after lossy codecs.",
}


@click.group(cls=LazyGroup, package=__name__, table=MEASURES, short_help="Measure models and data by compression.")
def command() -> None:
    """Measure models and data by how well they compress. docs/reference/EVALUATION.md says how each is done."""
