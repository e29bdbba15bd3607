"""`nzip train`: models of the latent codecs, and of records, learned from the user's own files."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from nzip.cli import HelpfulCommand, choices, options
from nzip.cli.output.report import Report
from nzip.cli.output.words import seconds_text, shown, size_text
from nzip.outputs import stream_word

RECORDS = "records"
FIGURES = {"tree": "by the tree alone", "mixed": "with contexts"}


class Contexts(click.IntRange):
    """Bits of tables of contexts, or 0 for none."""

    def __init__(self) -> None:
        super().__init__(0, 20)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        bits = super().convert(value, param, ctx)
        if 0 < bits < 10:
            self.fail(f"{bits} is not 0, nor in the range 10<=x<=20.", param, ctx)
        return bits


class _Command(HelpfulCommand, options.Command):
    """A command that prints its help where it is given nothing, and takes no option for another's value."""


@click.command(cls=_Command, short_help="Learn a model from your pictures, sounds or records.")
@click.argument("kind", type=click.Choice(["image", "audio", RECORDS]))
@click.argument("paths", nargs=-1, required=True, type=options.ANY_PATH)
@click.option(
    "--codec", metavar="NAME", shell_complete=choices.codecs, help="What to learn; walloc if left out."
)
@click.option("--variant", metavar="NAME", help="Which of the codec's sizes; its usual one if left out.")
@options.output_option("Write the model to this file (.safetensors, and its card beside it; .circuit for records).")
@click.option(
    "--run",
    "folder",
    type=options.ANY_PATH,
    metavar="DIR",
    help="Keep checkpoints and the log here, and go on from them; the output's name and .run if left out.",
)
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Batches to learn from.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="X", help="Adam's rate.")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Pieces in a batch.")
@click.option("--crop", type=click.IntRange(16), metavar="N", help="Pixels of a side of a piece, or samples.")
@click.option("--reduce", type=click.IntRange(1, 16), metavar="N", help="Make N x N pixels one first.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of all that is drawn.")
@click.option("--minutes", type=click.FloatRange(0), metavar="N", help="Stop after N, with a checkpoint.")
@click.option("--device", metavar="NAME", help="cpu or cuda; a GPU is taken if there is one.")
@click.option("--record", type=click.IntRange(1), metavar="BYTES", help="For records: bytes of each.")
@click.option("--states", type=click.IntRange(2, 128), metavar="N", help="For records: of each byte; 32 if left out.")
@click.option("--epochs", type=click.IntRange(1, 1000), metavar="N", help="For records: times to go through; 12.")
@click.option("--contexts", type=Contexts(), metavar="BITS", help="For records: log2 of tables, 10..20; 0 for none.")
@options.force_option()
@options.quiet_option
@options.progress_option
@options.json_option
def command(
    kind: str,
    paths: tuple[str, ...],
    codec: str | None,
    variant: str | None,
    output: str | None,
    folder: str | None,
    steps: int | None,
    rate: float | None,
    batch: int | None,
    crop: int | None,
    reduce: int | None,
    seed: int,
    minutes: float | None,
    device: str | None,
    record: int | None,
    states: int | None,
    epochs: int | None,
    contexts: int | None,
    force: bool,
    quiet: bool,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Learn a model from the pictures, sounds or records in PATHS.

    For image and audio it is one of a lossy codec. For records, as many small pictures of one size or rows of one
    length, it is one that compresses others like them without loss: nzip compress --records MODEL.

    A run that was broken off, or ended by --minutes, goes on when the command is given again. Where the files are
    from and under which licence stands in the model's card if a SOURCES.json beside them says it.
    """
    given = {
        "--codec": codec, "--variant": variant, "--run": folder, "--steps": steps, "--rate": rate, "--batch": batch,
        "--crop": crop, "--reduce": reduce, "--minutes": minutes, "--device": device,
    }  # fmt: skip
    own = {"--record": record, "--states": states, "--epochs": epochs, "--contexts": contexts}
    against = [name for name, value in (given if kind == RECORDS else own).items() if value is not None]
    if against:
        raise click.UsageError(f"{against[0]} does not go with {kind}")
    report = Report("train", quiet=quiet, as_json=as_json, bar=not no_progress)
    if kind == RECORDS:
        chosen = {"states": states, "epochs": epochs, "seed": seed, "bits": contexts}
        report.each((output or "records.circuit",), lambda name: _records(report, paths, name, record, chosen, force))
        return
    from nzip.codec.files.targets import Run, refuse_existing
    from nzip.errors import FileError
    from nzip.models.latent.training import recipes
    from nzip.models.latent.training.options import Options

    codec = codec or "walloc"
    if codec not in recipes.codecs_of(kind):
        raise click.UsageError(f"--codec {codec}: for {kind} there are {', '.join(recipes.codecs_of(kind))}")
    path = output or f"{codec}{'-' + variant if variant else ''}.safetensors"

    def one(name: str) -> None:
        card = os.path.splitext(name)[0] + ".md"
        if card == name:
            raise FileError(name, "is the name of the model's card; end the model's in .safetensors")
        if word := stream_word(name):
            raise FileError(name, f"is a {word}; a model and its card need files")
        for place in (name, card):
            refuse_existing(place, force=force)
            Run(paths).refuse(place)
        chosen = Options(variant, steps, rate, batch, crop, seed, minutes or 0.0, reduce or 1, device or _device())
        try:
            with _Lines(report) as lines:
                result = recipes.train(kind, codec, paths, name, folder or f"{name}.run", chosen, lines)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        except ImportError as error:
            raise _missing(error) from None
        last = result.history[-1] if result.history else {}
        report.json({
            "ok": True, "target": name if result.finished else None, "finished": result.finished, "steps": result.step,
            "seconds": round(result.seconds, 1), **{key: value for key, value in last.items() if key != "step"},
        })  # fmt: skip
        if result.finished:
            size = size_text(os.path.getsize(name))
            report.line(f"{shown(name)}: {size}, {result.step:,} steps in {seconds_text(result.seconds)}")
        else:
            report.line(f"{shown(name)}: not finished, {result.step:,} steps; give the same command again to go on")

    report.each((path,), one)


def _records(
    report: Report, paths: tuple[str, ...], name: str, record: int | None, chosen: dict[str, Any], force: bool
) -> None:
    """Learn a model of records, and write it to a file."""
    from nzip.codec.files.targets import Run, refuse_existing
    from nzip.codec.records import read_records
    from nzip.models.circuit import models
    from nzip.models.circuit.learning import Options, learn
    from nzip.outputs import write_bytes

    refuse_existing(name, force=force)
    Run(paths).refuse(name)
    started = time.monotonic()
    try:
        records = read_records(paths, record)
        given = Options(**{key: value for key, value in chosen.items() if value is not None})
        with _Lines(report) as lines:
            found = learn(records.values, records.line, records.head, given, lines)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    data = found.circuit.packed
    write_bytes(name, data)
    seconds = time.monotonic() - started
    report.json({
        "ok": True, "target": name, "id": found.circuit.id, "bytes": len(data), "records": len(records.values),
        "record": found.circuit.size, "seconds": round(seconds, 1), "held": found.held,
        **{key: round(value, 4) for key, value in found.figures.items()},
    })  # fmt: skip
    figures = ", ".join(f"{value:.3f} {FIGURES[key]}" for key, value in found.figures.items())
    report.line(f"{shown(name)}: {size_text(len(data))}, {len(records.values):,} records in {seconds_text(seconds)}")
    report.line(f"bits a byte of {found.held:,} records that it did not see: {figures}")
    report.line(f"use it with --records {shown(name)}; files that it made need it, there or in {models.own_folder()}")


def _missing(error: ImportError) -> click.ClickException:
    """Return what to say where a package that learning needs is not installed."""
    return click.ClickException(f"learning needs torch ({error}); install it with: pip install 'nzip[train]'")


def _device() -> str:
    try:
        import torch
    except ImportError as error:
        raise _missing(error) from None
    return "cuda" if torch.cuda.is_available() else "cpu"


class _Lines:
    """Shows how learning goes: a bar on a terminal, lines elsewhere."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, step: int, steps: int, figures: dict[str, float]) -> None:
        text = ", ".join(
            f"{name} {value:.4g}" for name, value in figures.items() if name not in ("step", "seconds", "rate")
        )
        if self._bar is None:
            self._report.line(f"step {step:,} of {steps:,}: {text}")
        else:
            self._bar.update(self._task, completed=step, total=steps, description=text)

    def __enter__(self) -> _Lines:
        if self._report.bar:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True, highlight=False),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
