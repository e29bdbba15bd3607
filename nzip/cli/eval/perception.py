"""`nzip eval perception`: what a task of the user's still sees after lossy codecs."""

from __future__ import annotations

import click

from nzip.cli import options
from nzip.cli.bench import Numbers
from nzip.cli.eval.study import Study, study_options


@click.command(short_help="What a task of yours still sees after lossy codecs.")
@click.argument("paths", nargs=-1, required=True, type=options.ANY_PATH)
@click.option(
    "--task",
    required=True,
    metavar="MODULE:NAME|FILE.py:NAME|agreement|identify",
    help="A function (signal, item) that returns a score, or a class; or one of nzip's own: agreement (EfficientNet "
    "sees in the copy what it sees in the original), identify (which second of which sound is this).",
)
@click.option(
    "--codecs",
    metavar="NAME,...",
    help="These codecs, nzip's (walloc, walloc:MODEL, vqgan+50) or others; all of nzip's where left out.",
)
@click.option("--peers", is_flag=True, help="Measure every other lossy codec that is installed as well.")
@click.option(
    "--qualities",
    type=Numbers("qualities", 100),
    metavar="N,...",
    help="Settings of 1 to 100 for every codec, in place of its own ladder.",
)
@click.option(
    "--labels", type=options.ANY_PATH, metavar="FILE", help="CSV of path,label: the task gets them as item.label."
)
@options.verbose_option
@study_options
def command(
    paths: tuple[str, ...],
    task: str,
    codecs: str | None,
    peers: bool,
    qualities: list[int] | None,
    labels: str | None,
    verbose: int,
    study: Study,
) -> None:
    """Hand the pictures and sounds below each PATH to a task, undistorted and after every lossy codec at every rate,
    and print the scores, the share of the undistorted score that is kept, and from how many bits on it is 95 %.

    docs/reference/EVALUATION.md says what a task is. With -v the results of each file are printed too.
    """
    from nzip.errors import NzipError
    from nzip.evaluation.benchmark.lossy.run import with_ladder
    from nzip.evaluation.compressors.lossy.selection import choose
    from nzip.evaluation.data.signals import KINDS
    from nzip.evaluation.measures.perception import measure, report
    from nzip.evaluation.measures.perception.labels import read_labels
    from nzip.evaluation.measures.perception.tasks import find

    given = None if labels is None else read_labels(labels)
    sources, _ = measure.usable(list(paths), find(task))
    kinds = [kind for kind in KINDS if any(source.kind == kind for source in sources)]
    names = None if codecs is None else [name.strip() for name in codecs.split(",")]
    chosen = choose(kinds, names, with_peers=peers)
    if qualities is not None:
        chosen = [with_ladder(codec, qualities) for codec in chosen]
    with study.running() as running:
        findings = measure.measure(
            list(paths),
            task,
            chosen,
            labels=given,
            seed=study.seed,
            running=running,
            verbose=verbose > 0,
        )
    study.publish(findings)
    failure = report.failure(findings.result)
    if failure is not None:
        raise NzipError(failure)
