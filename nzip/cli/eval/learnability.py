"""`nzip eval learnability`: what a small model learns from bytes, BPE and Equal-Info tokens."""

from __future__ import annotations

import click

from nzip.cli.eval.study import Study, study_options


@click.command(short_help="What a small model learns from bytes, BPE and Equal-Info tokens.")
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...")
@click.option(
    "-s", "--stream", "streams", multiple=True, metavar="STREAM",
    help="bytes, bpe:V, model:MODEL, ei:W:8, ei:W:16, ac, ac:16, unigram-ac, gzip, xz; may be given more than once. "
    "[default: bytes bpe:1024 ei:16:8 ei:16:16 unigram-ac ac gzip xz]",
)  # fmt: skip
@click.option("--size", type=click.Choice(["tiny", "small", "medium"]), default="tiny", show_default=True,
              help="Of the network: 0.4, 0.9 or 2.7 million parameters beside the embedding.")  # fmt: skip
@click.option("--tokens", type=click.IntRange(1), default=200_000, metavar="N", show_default=True,
              help="Budget of each stream.")  # fmt: skip
@click.option("--budget", type=click.Choice(["tokens", "bytes"]), default="tokens", show_default=True,
              help="Whether the budget counts tokens, as in the paper, or bytes of text.")  # fmt: skip
@click.option("--context", type=click.IntRange(2, 4096), default=128, metavar="N", show_default=True,
              help="Tokens that the network sees.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1, 1024), default=4, metavar="N", show_default=True,
              help="Sequences in a step.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True), default=2e-3, metavar="X", show_default=True,
              help="Highest learning rate.")  # fmt: skip
@click.option("--points", type=click.IntRange(1, 100), default=6, metavar="N", show_default=True,
              help="Of the curve; a checkpoint at each.")  # fmt: skip
@click.option("--held-out", type=click.IntRange(64), default=65_536, metavar="N", show_default=True,
              help="Bytes at the end of the text that are scored.")  # fmt: skip
@click.option("--field", default="text", metavar="NAME", show_default=True, help="Of a JSON line, that holds the text.")
@click.option("--limit", type=click.IntRange(128), metavar="N", help="Take so many characters of each corpus.")
@study_options
def command(
    corpora: tuple[str, ...],
    streams: tuple[str, ...],
    size: str,
    tokens: int,
    budget: str,
    context: int,
    batch: int,
    rate: float,
    points: int,
    held_out: int,
    field: str,
    limit: int | None,
    study: Study,
) -> None:
    """Train a small network on several token streams of a text, and compare what each lets it learn.

    CORPUS is a file of text, a file of JSON lines, or a folder of them. After Lester et al. (TMLR 2024). Needs torch.
    """
    from nzip.evaluation.data.texts import read_corpora
    from nzip.evaluation.measures.learnability.measure import STREAMS, learnability
    from nzip.evaluation.measures.learnability.small_model import Training

    found, notes = read_corpora(corpora, text_field=field, limit=limit)
    training = Training(context=context, batch=batch, tokens=tokens, rate=rate, points=points)
    with study.running() as running:
        findings = learnability(
            found, streams=streams or STREAMS, size=size, training=training, budget=budget, held_out=held_out,
            seed=study.seed, running=running, notes=notes,
        )  # fmt: skip
    study.publish(findings)
