"""`nzip eval ratio`: bits per byte of any codecs on any files."""

from __future__ import annotations

from typing import Any

import click

from nzip.cli import choices, options
from nzip.cli.eval.study import Study, study_options


class Named(click.ParamType):
    """`NAME=VALUE`, with a type of the value."""

    def __init__(self, value: str, kind: click.ParamType = click.STRING) -> None:
        self.name = f"name={value}"
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, sign, rest = value.partition("=")
        if not sign or not name.strip() or not rest.strip():
            self.fail(f"{value!r} is not {self.name.upper()}", param, ctx)
        return name.strip(), self.kind.convert(rest.strip(), param, ctx)


class CorpusDate(click.ParamType):
    """A date for all files, or `PATTERN=DATE`."""

    name = "[file=]date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        pattern, sign, date = value.rpartition("=")
        return (pattern if sign else "*"), date


def _once(name: str, pairs: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise click.UsageError(f"{name} {key} is given twice", click.get_current_context())
        found[key] = value
    return found


@click.command(short_help="Bits per byte of any codecs on any files.")
@click.argument("paths", nargs=-1, required=True, type=options.ANY_PATH)
@click.option(
    "--codecs",
    metavar="NAME,...",
    help="nzip's levels (6, 1-9), nzip's engines (cm, cm:preset=2, lm), gzip, xz, zstd, bzip2, brotli, ppmd, or other "
    "compressors by how their names begin (xz -9, zpaq); "
    "none for those of --command alone. nzip's levels where left out.",
)
@click.option("--peers", is_flag=True, help="Measure every other compressor that is installed as well.")
@click.option(
    "--model",
    metavar="NAME",
    shell_complete=choices.language_models,
    help="Measure engine lm with this language model (see nzip models).",
)
@click.option(
    "--command",
    "commands",
    multiple=True,
    type=Named("command"),
    metavar="'NAME=CMD {in} {out}'",
    help="Measure a program: no shell runs it, its folder is a temporary one. Can be repeated.",
)
@click.option(
    "--decode-command",
    "decoders",
    multiple=True,
    type=Named("command"),
    metavar="'NAME=CMD {in} {out}'",
    help="How that program restores; without it the round trip is not verified.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=600,
    metavar="SECONDS",
    help="For one run of a --command; 600 where left out.",
)
@click.option(
    "--model-bytes",
    "model_sizes",
    multiple=True,
    type=Named("size", options.Size(0)),
    metavar="NAME=SIZE",
    help="Size of the model that a --command has beside its program.",
)
@click.option(
    "--chunk",
    type=options.Size(),
    metavar="SIZE",
    help="Cut the files in pieces of this size and code each alone; whole files where left out.",
)
@click.option(
    "--reference", metavar="NAME", help="The codec that differences are taken from; the first one where left out."
)
@click.option(
    "--corpus-date",
    "corpus_dates",
    multiple=True,
    type=CorpusDate(),
    metavar="[FILE=]DATE",
    help="When the files, or those that match FILE, were published: 2025-10-30, 2025-10 or 2025.",
)
@click.option(
    "--model-date",
    "model_dates",
    multiple=True,
    type=Named("date"),
    metavar="NAME=DATE",
    help="When the model of a codec came out.",
)
@options.verbose_option
@study_options
def command(
    paths: tuple[str, ...],
    codecs: str | None,
    peers: bool,
    model: str | None,
    commands: tuple[tuple[str, str], ...],
    decoders: tuple[tuple[str, str], ...],
    timeout: float,
    model_sizes: tuple[tuple[str, int], ...],
    chunk: int | None,
    reference: str | None,
    corpus_dates: tuple[tuple[str, str], ...],
    model_dates: tuple[tuple[str, str], ...],
    verbose: int,
    study: Study,
) -> None:
    """Code the files below each PATH with every codec, and print bits per byte and per character with 95 % intervals,
    the total description length with each codec's model counted once, and whether the models may have seen the files.

    Every output is decompressed and compared with its file. With -v the results of each file are printed too.
    """
    from nzip.errors import NzipError
    from nzip.evaluation.compressors import selection
    from nzip.evaluation.measures.ratio import measure, report
    from nzip.evaluation.measures.ratio.contamination import period

    context = click.get_current_context()
    names = None if codecs is None else [name.strip() for name in codecs.split(",")]
    from nzip.settings import MODEL_ENGINE

    engine, params = (None, None) if model is None else (MODEL_ENGINE, {"model": model})
    encode, decode = _once("--command", commands), _once("--decode-command", decoders)
    sizes, dates = _once("--model-bytes", model_sizes), _once("--model-date", model_dates)
    for option, given in (("--decode-command", decode), ("--model-bytes", sizes)):
        for name in given:
            if name not in encode:
                raise click.UsageError(f"{option} {name}: there is no --command of that name", context)
    found = []
    if names != ["none"]:
        found = selection.choose(names, with_peers=peers, engine=engine, params=params)
    elif peers or engine is not None:
        raise click.UsageError("--codecs none leaves only what --command names", context)
    try:
        for date in (*(date for _, date in corpus_dates), *dates.values()):
            period(date)
        for name, template in encode.items():
            found.append(_made(name, template, decode.get(name), timeout, sizes.get(name, 0)))
    except ValueError as error:
        raise click.UsageError(str(error), context) from None
    there = [entry.name for entry in found]
    if not there:
        raise click.UsageError("--codecs none leaves nothing to measure; add a --command", context)
    for option, wanted in (("--reference", [reference] if reference else []), ("--model-date", list(dates))):
        for name in wanted:
            if name not in there:
                text = f"{option} {name}: no such codec is measured; there are {', '.join(there)}"
                raise click.UsageError(text, context)
    for name in there:
        if there.count(name) > 1:
            raise click.UsageError(f"two codecs are named {name!r}; give the --command another name", context)
    with study.running() as running:
        findings = measure.measure(
            list(paths),
            found,
            chunk=chunk,
            reference=reference,
            corpus_dates=dict(corpus_dates),
            model_dates=dates,
            seed=study.seed,
            running=running,
            verbose=verbose > 0,
        )
    study.publish(findings)
    failure = report.failure(findings.result)
    if failure is not None:
        raise NzipError(failure)


def _made(name: str, encode: str, decode: str | None, timeout: float, model_bytes: int) -> Any:
    from nzip.evaluation.compressors.commands import command_codec

    return command_codec(name, encode, decode, timeout=timeout, model_bytes=model_bytes)
