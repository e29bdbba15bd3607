"""`nzip eval intelligence`: bits per character of language models, beside their benchmark scores."""

from __future__ import annotations

import click

from nzip.cli.eval.study import Study, models_option, study_options


@click.command(short_help="Bits per character of language models, beside their benchmark scores.")
@click.argument("corpora", nargs=-1, metavar="[CORPUS]...")
@models_option("MODEL")
@click.option("--field", default="text", metavar="NAME", show_default=True, help="Of a JSON line, that holds the text.")
@click.option("--window", type=click.IntRange(2), default=1900, metavar="N", show_default=True,
              help="Tokens that a prediction sees.")  # fmt: skip
@click.option("--stride", type=click.IntRange(1), default=512, metavar="N", show_default=True,
              help="Tokens between windows.")  # fmt: skip
@click.option("--limit", type=click.IntRange(2), metavar="N", help="Take so many characters of each corpus.")
@click.option(
    "--scores", "scores_path", metavar="FILE",
    help="CSV with a column model and one for each benchmark: Pearson's and Spearman's correlation of scores and bits "
    "per character. A column bpc states those of models that are not measured here.",
)  # fmt: skip
@study_options
def command(
    corpora: tuple[str, ...],
    models: tuple[str, ...],
    field: str,
    window: int,
    stride: int,
    limit: int | None,
    scores_path: str | None,
    study: Study,
) -> None:
    """Measure bits per character and per byte of language models on text.

    CORPUS is a file of text, a file of JSON lines, or a folder of them; NAME=PATH gives it a name, and several of one
    name are one corpus. Protocol: Huang et al. (COLM 2024), windows of 1,900 tokens, stride 512.
    """
    from nzip.evaluation.data.texts import read_corpora
    from nzip.evaluation.measures.intelligence import intelligence, read_scores

    if stride > window:
        raise click.UsageError("--stride is more than --window: tokens between windows would not be scored")
    if not corpora and scores_path is None:
        raise click.UsageError("name text to measure on, or --scores with a column bpc")
    if models and not corpora:
        raise click.UsageError("--model needs text to measure on; name files")
    scores = None if scores_path is None else read_scores(scores_path)
    found, notes = read_corpora(corpora, text_field=field, limit=limit)
    chosen = models or (("smollm2-135m",) if corpora else ())
    with study.running() as running:
        findings = intelligence(
            chosen, found, window=window, stride=stride, scores=scores, seed=study.seed, running=running, notes=notes,
        )  # fmt: skip
    study.publish(findings)
