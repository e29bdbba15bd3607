"""`nzip eval capacity`: what language models save of a text, for the work that a token takes."""

from __future__ import annotations

import click

from nzip.cli.eval.study import Study, models_option, study_options


class Bias(click.ParamType):
    """A number, or a word that stands for one."""

    name = "bias"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from nzip.evaluation.measures.capacity.measure import BIASES

        if isinstance(value, float):
            return value
        if value in BIASES:
            return BIASES[str(value)]
        try:
            number = float(str(value))
        except ValueError:
            number = float("nan")
        if not abs(number) < 1e6:
            self.fail(f"{value} is neither a number nor one of {', '.join(BIASES)}", param, ctx)
        return number


@click.command(short_help="Information capacity: bits that a model saves, for its work per token.")
@click.argument("corpora", nargs=-1, metavar="[CORPUS]...")
@models_option("MODEL[=FAMILY]")
@click.option("--rows", multiple=True, metavar="FILE",
              help="CSV of further models with known numbers: model, ts, nll, then flops, config or sizes; family.")
@click.option("--bias", type=Bias(), default="mixed", metavar="B", show_default=True,
              help="A number; mixed is the paper's -24 for mixed text, other its -27.")  # fmt: skip
@click.option("--fit", is_flag=True, help="Find the bias with which sizes of one family differ least.")
@click.option("--length", type=click.IntRange(2), default=1024, metavar="N", show_default=True,
              help="Tokens of a sample.")  # fmt: skip
@click.option("--piece", type=click.IntRange(2), metavar="N", help="Cut documents in pieces of N characters first.")
@click.option("--field", default="text", metavar="NAME", show_default=True, help="Of a JSON line, that holds the text.")
@click.option("--limit", type=click.IntRange(2), metavar="N", help="Take so many characters of each corpus.")
@study_options
def command(
    corpora: tuple[str, ...],
    models: tuple[str, ...],
    rows: tuple[str, ...],
    bias: float,
    fit: bool,
    length: int,
    piece: int | None,
    field: str,
    limit: int | None,
    study: Study,
) -> None:
    """Measure the information capacity of language models: bits that a token saves over log2 of its operations.

    CORPUS is a file of text, a file of JSON lines (each line a sample), or a folder of them. After Yuan et al. (2025).
    """
    from nzip.evaluation.data.texts import read_corpora
    from nzip.evaluation.measures.capacity.known_models import read_rows
    from nzip.evaluation.measures.capacity.measure import information_capacity

    if not corpora and not rows:
        raise click.UsageError("name text to measure on, or --rows with known numbers")
    if models and not corpora:
        raise click.UsageError("--model needs text to measure on; name files")
    known = [row for path in rows for row in read_rows(path)]
    found, notes = read_corpora(corpora, text_field=field, limit=limit)
    chosen = [_pair(model) for model in models or (("smollm2-135m",) if corpora else ())]
    with study.running() as running:
        findings = information_capacity(
            chosen, found, rows=known, bias=bias, fit=fit, length=length, piece=piece, seed=study.seed,
            running=running, notes=notes,
        )  # fmt: skip
    study.publish(findings)


def _pair(given: str) -> tuple[str, str]:
    from pathlib import Path

    if "=" not in given or Path(given).exists():
        return given, ""
    model, _, family = given.rpartition("=")
    return model, family
