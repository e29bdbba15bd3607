"""`nzip eval kolmogorov`: programs that print sequences, beside compressors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nzip.cli import options
from nzip.cli.bench import Numbers
from nzip.cli.eval.study import Study, study_options

if TYPE_CHECKING:
    from nzip.evaluation.measures.kolmogorov.answers import Solver
    from nzip.evaluation.measures.kolmogorov.sources import Modality

FILES = {
    "text": "Text: the bytes of these files.",
    "dna": "DNA: FASTA or plain letters; ACGT and acgt are 8 symbols of 3 bits.",
    "audio8": "Sounds, as 8-bit samples of the first channel.",
    "audio16": "Sounds, as 16-bit samples.",
    "mfcc": "Sounds, as 8-bit mel-frequency cepstral coefficients.",
    "binary": "Any bytes.",
}


def _sources(command: options.F) -> options.F:
    for name, words in reversed(FILES.items()):
        command = click.option(
            f"--{name}", type=options.ANY_PATH, multiple=True, metavar="PATH", help=f"{words} Again for more."
        )(command)
    return command


@click.command(short_help="Programs that print sequences: compression rate, accuracy, precision.")
@_sources
@click.option("--synthetic", is_flag=True, help="Sequences that short programs make, drawn with --seed.")
@click.option(
    "--size",
    type=options.Size(),
    default=1_000_000,
    metavar="SIZE",
    help="Bytes of each kind of data at most; 1,000,000 where left out.",
)
@click.option(
    "--length", type=click.IntRange(1, 65536), default=128, metavar="N", help="Symbols of a sequence; 128 if left out."
)
@click.option("--programs", type=options.ANY_PATH, metavar="FILE", help='JSONL: {"id", "program", "language"}.')
@click.option(
    "--command", "command_line", metavar="CMD", help="Reads a JSON line for each sequence, writes one for each program."
)
@click.option("--callable", "function", metavar="WHERE:NAME", help="A Python function, of a module or a file.py.")
@click.option("--search", is_flag=True, help="Our own search for programs in a language of lists.")
@click.option("--effort", type=click.IntRange(0, 3), metavar="N", help="Of --search, 0 to 3.")
@click.option("--export", type=options.ANY_PATH, metavar="FILE", help="Write sequences and prompts as JSONL, and end.")
@click.option("--outcomes", type=options.ANY_PATH, metavar="FILE", help="Write what became of each program as JSONL.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.01, 3600),
    default=2.0,
    metavar="SECONDS",
    help="For each Python program; 2 if left out.",
)
@click.option(
    "--memory",
    type=options.Size(1 << 26),
    default=256 << 20,
    metavar="SIZE",
    help="Address space of each Python program; 256M if left out.",
)
@click.option(
    "--answer-timeout",
    type=click.FloatRange(0.1, 86400),
    default=120.0,
    metavar="SECONDS",
    help="For each answer of --command; 120 if left out.",
)
@click.option("--unsafe", is_flag=True, help="Run programs even where the system cannot hold them.")
@click.option(
    "--levels",
    type=Numbers("levels", 9),
    default="1,3,6,9",
    help="nzip's levels, as 1,6,9 or 1-9; 1,3,6,9 if left out.",
)
@click.option(
    "--piece-levels",
    type=Numbers("levels", 9),
    default="1",
    help="nzip's levels for each sequence alone; 1 if left out, slow from 3.",
)
@click.option(
    "--prior-levels",
    type=Numbers("levels", 9),
    default="9",
    help="nzip's levels as prior of programs and the rest; 9 if left out.",
)
@click.option("--no-baselines", is_flag=True, help="Leave the compressors out.")
@study_options
def command(
    study: Study,
    synthetic: bool,
    size: int,
    length: int,
    programs: str | None,
    command_line: str | None,
    function: str | None,
    search: bool,
    effort: int | None,
    export: str | None,
    outcomes: str | None,
    timeout: float,
    memory: int,
    answer_timeout: float,
    unsafe: bool,
    levels: list[int],
    piece_levels: list[int],
    prior_levels: list[int],
    no_baselines: bool,
    **paths: tuple[str, ...],
) -> None:
    """Measure programs that print sequences of your data, and compressors beside them (KoLMogorov test).

    Name data (--text, --dna, …, --synthetic) and, for programs, one of --programs, --command, --callable, --search.
    With --export the sequences are written with prompts, so that any model can be asked elsewhere. Python programs run
    in a sandbox; one counts only if it gives exactly its sequence.
    """
    given = [programs, command_line, function, search or None]
    if sum(value is not None for value in given) > 1:
        raise click.UsageError("give one of --programs, --command, --callable, --search")
    if not synthetic and not any(paths.values()):
        raise click.UsageError("name data: --text, --dna, --audio8, --audio16, --mfcc, --binary or --synthetic")
    if effort is not None and not search:
        raise click.UsageError("--effort is for --search")
    if search and length > 256:
        raise click.UsageError("--search makes lists of 256 numbers at most; give a smaller --length")
    if outcomes is not None and all(value is None for value in given):
        raise click.UsageError("--outcomes needs programs")
    if no_baselines and all(value is None for value in given) and export is None:
        raise click.UsageError("--no-baselines leaves nothing to do without programs")
    from nzip.evaluation.harness.outputs import check_outputs
    from nzip.evaluation.measures.kolmogorov import answers, evaluate, report, sources

    check_outputs(None, None, export, outcomes)
    try:
        modalities = [sources.read(key, paths[key], size=size, length=length) for key in FILES if paths[key]]
        if synthetic:
            modalities.append(sources.synthetic(study.seed, size=size, length=length))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if export is not None:
        count = report.write_export(export, modalities)
        if not study.quiet:
            click.echo(f"{export}: {count:,} sequences")
        return
    solver = _solver(modalities, programs, command_line, function, search, effort, answer_timeout)
    limits = answers.Limits(timeout, memory, unsafe)
    with study.running() as running:
        result = evaluate.evaluate(
            modalities,
            solver,
            levels=levels,
            piece_levels=piece_levels,
            prior_levels=prior_levels,
            baselines=not no_baselines,
            limits=limits,
            running=running,
        )
    if outcomes is not None:
        report.write_outcomes(outcomes, result)
    settings: dict[str, Any] = {"size": size, "length": length, "timeout": timeout, "memory": memory, "effort": effort}
    settings |= {"levels": levels, "piece_levels": piece_levels, "prior_levels": prior_levels}
    study.publish(report.findings(result, seed=study.seed, **settings))


def _solver(
    modalities: list[Modality],
    programs: str | None,
    command_line: str | None,
    function: str | None,
    search: bool,
    effort: int | None,
    seconds: float,
) -> Solver | None:
    from pathlib import Path

    from nzip.evaluation.measures.kolmogorov.answers import Solver
    from nzip.evaluation.measures.kolmogorov.solvers import read_programs

    if programs is not None:
        answers, notes = read_programs(programs, modalities)
        return Solver("file", Path(programs).name, answers, notes=tuple(notes))
    if command_line is not None:
        return Solver("command", command_line, seconds=seconds)
    if function is not None:
        return Solver("callable", function)
    return Solver("search", "search", effort=effort) if search else None
