"""`nzip eval classify`: classes of sequences by compression."""

from __future__ import annotations

from pathlib import Path

import click

from nzip.cli import options
from nzip.cli.eval.study import Study, study_options


@click.command(short_help="Classes of sequences by compression: nearest neighbours, or class models.")
@click.argument("data", nargs=-1, required=True, type=options.ANY_PATH)
@click.option("--text", default="sequence", show_default=True, metavar="NAME", help="Column of the sequences.")
@click.option("--label", default="class", show_default=True, metavar="NAME", help="Column of the classes.")
@click.option(
    "-m",
    "--method",
    "methods",
    multiple=True,
    metavar="KIND:NAME",
    help="knn:gzip (nearest by NCD), near:cmfast (nearest by conditional distance), class:static (class models), "
    "kmer:8 (naive Bayes); compressors as in nzip eval ncd. May be given more than once. Where left out: class:static, "
    "knn:gzip.",
)
@click.option("-k", "ks", multiple=True, type=click.IntRange(1), metavar="N", help="Neighbours; 1, 2, 3 and 5.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of each class that is tested.",
)
@click.option("--cut", type=options.Size(), metavar="SIZE", help="Cut the files of folders in pieces of this size.")
@click.option("--pieces", type=click.IntRange(1), metavar="N", help="With --cut: the first so many of each file.")
@study_options
def command(
    data: tuple[str, ...],
    text: str,
    label: str,
    methods: tuple[str, ...],
    ks: tuple[int, ...],
    test_share: float,
    cut: int | None,
    pieces: int | None,
    study: Study,
) -> None:
    """Find the classes of test items in DATA by what compressors learn from the others.

    DATA is a table (.tsv, .csv, .txt with a head, .jsonl), or a folder for each class.
    """
    from nzip.evaluation.measures.classify import examples, report
    from nzip.evaluation.measures.classify.methods import KS, METHODS, classify

    folders = [Path(path).is_dir() for path in data]
    if any(folders) and not all(folders):
        raise click.UsageError("Name one table, or a folder for each class.")
    if not any(folders) and len(data) > 1:
        raise click.UsageError("Name one table; several classes may be folders.")
    if folders[0]:
        labelled = examples.read_folders(data, cut or 0, pieces or 0)
    else:
        if cut or pieces:
            raise click.UsageError("--cut and --pieces are for folders.")
        labelled = examples.read_table(data[0], text, label)
    ways = methods or METHODS
    with study.running() as running:
        measured = classify(
            labelled.examples,
            ways,
            ks=ks or KS,
            share=test_share,
            seed=study.seed,
            running=running,
        )
    name = ", ".join(Path(path).name for path in data)
    settings = {"methods": list(ways), "neighbours": list(ks or KS), "cut": cut, "pieces": pieces}
    study.publish(report.findings(measured, name, study.seed, labelled.notes, **settings))
