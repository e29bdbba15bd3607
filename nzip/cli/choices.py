"""What a shell offers where a value is completed: levels, engines, codecs, models, corpora.

Each function is a `shell_complete` of click's. None of them fails: a shell that completes shows no errors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(values: Callable[[click.Context], Iterator[tuple[str, str]]]) -> Completer:
    """Return a completer that offers the values, each with its help, that begin as what was typed so far."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        before, comma, last = incomplete.rpartition(",") if param.metavar == "NAME,..." else ("", "", incomplete)
        found = []
        with contextlib.suppress(Exception):
            for value, text in values(ctx):
                if value.startswith(last):
                    found.append(CompletionItem(before + comma + value, help=text or None))
        return found

    return complete


@_completer
def levels(ctx: click.Context) -> Iterator[tuple[str, str]]:
    from nzip.settings import LEVELS

    for number, level in LEVELS.items():
        yield str(number), f"{level.words}: {level.summary}"


@_completer
def engines(ctx: click.Context) -> Iterator[tuple[str, str]]:
    from nzip.registry import ENGINES

    for name in ENGINES:
        if ENGINES.by_name(name).offered:
            yield name, ""


@_completer
def parameters(ctx: click.Context) -> Iterator[tuple[str, str]]:
    from nzip.registry import ENGINES

    for name in [ctx.params["engine"]] if ctx.params.get("engine") else ENGINES:
        engine = ENGINES.by_name(name)
        for parameter in engine.parameters if engine.offered else ():
            yield f"{parameter.name}=", f"{name}: {parameter.help}"


@_completer
def codecs(ctx: click.Context) -> Iterator[tuple[str, str]]:
    from nzip.models.latent.codecs import CODECS

    for name, entry in CODECS.items():
        yield name, " and ".join({"image": "pictures", "audio": "sounds"}[kind] for kind in entry.defaults)


def _language_models() -> Iterator[tuple[str, str]]:
    from nzip.models.lm.cache import records

    for model in records.installed():
        yield model.name, "here"


@_completer
def language_models(ctx: click.Context) -> Iterator[tuple[str, str]]:
    yield from _language_models()


@_completer
def known_models(ctx: click.Context) -> Iterator[tuple[str, str]]:
    from nzip.models.lm.cache import known_models

    for name, known in known_models.KNOWN.items():
        yield name, known.title


@_completer
def models(ctx: click.Context) -> Iterator[tuple[str, str]]:
    """Offer a codec's models with --lossy, and language models without."""
    if not ctx.params.get("lossy"):
        yield from _language_models()
        return
    from nzip.models.latent import codecs

    for path in codecs.found_models():
        yield path.stem, "nzip's" if path.parent == codecs.shipped_folder() else "yours"


@_completer
def corpora(ctx: click.Context) -> Iterator[tuple[str, str]]:
    from nzip.evaluation.data.corpora.manifest import manifest

    for name, corpus in manifest().items():
        yield name, corpus.title
