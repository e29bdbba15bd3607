"""`nzip eval align`: documents that are like a target set."""

from __future__ import annotations

import time
from pathlib import Path

import click

from nzip.cli import options
from nzip.cli.eval.study import Study, compressor_option, study_options


@click.command(cls=options.Command, short_help="Rank the documents of a JSONL corpus by likeness to a target set.")
@click.argument("corpus", type=options.ANY_PATH)
@click.argument("targets", nargs=-1, required=True, type=options.ANY_PATH)
@click.option("-n", "--top", type=click.IntRange(1), default=1000, show_default=True, help="How many to choose.")
@click.option("-o", "--output", type=options.ANY_PATH, metavar="FILE", help="Write the chosen lines, best first.")
@click.option("--scores", is_flag=True, help='With -o: add the field "alignment" to each line.')
@click.option("--field", default="text", show_default=True, metavar="NAME", help="Field of the texts.")
@compressor_option("nzip-3")
@click.option(
    "--kind",
    type=click.Choice(["conditional", "ncd"]),
    default="conditional",
    show_default=True,
    help="What all targets together save, or ZIP-FIT's mean over targets.",
)
@click.option("--label", metavar="FIELD=VALUE", help="Say what share of the chosen lines has this; not used to choose.")
@study_options
def command(
    corpus: str,
    targets: tuple[str, ...],
    top: int,
    output: str | None,
    scores: bool,
    field: str,
    compressor: str,
    kind: str,
    label: str | None,
    study: Study,
) -> None:
    """Choose the lines of CORPUS that are most like TARGETS.

    CORPUS is a file of JSON lines (.gz and .nz are decompressed), or - for standard input. TARGETS are files of JSON
    lines (.jsonl, .ndjson), or any other files, a target each.
    """
    from nzip.evaluation.harness.outputs import check_outputs
    from nzip.evaluation.measures import align

    if scores and output is None:
        raise click.UsageError("--scores is about the lines that -o writes.")
    marked = None
    if label is not None:
        name, equals, value = label.partition("=")
        if not equals or not name:
            raise click.UsageError("--label is written as FIELD=VALUE.")
        marked = (name, value)
    check_outputs(None, None, output, study.outputs.json, inputs=(corpus, *targets))
    texts, notes = align.read_targets(targets, field)
    with align.Corpus(corpus) as lines:
        fresh = study.journal is None or not Path(study.journal).exists()
        start = time.perf_counter()
        with study.running() as running:
            ranking = align.rank(
                lines,
                texts,
                top,
                name=compressor,
                kind=kind,
                text=field,
                label=marked,
                running=running,
            )
        seconds = time.perf_counter() - start if fresh else None
        if output is not None:
            align.write(lines, ranking, output, scores=scores)
        found = align.findings(
            lines, ranking, texts, name=compressor, kind=kind, text=field, label=marked, seconds=seconds,
            jobs=study.jobs, notes=notes,
        )  # fmt: skip
        study.publish(found)
