"""The work of one process: programs from a solver, run, and compared with their sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nzip.evaluation.harness.journal import Record
from nzip.evaluation.measures.kolmogorov import dsl
from nzip.evaluation.measures.kolmogorov.coders import as_released, size_of
from nzip.evaluation.measures.kolmogorov.sandbox import ITEMS, MEMORY, SECONDS, Failure, Sandbox
from nzip.evaluation.measures.kolmogorov.solvers import (
    DSL,
    PYTHON,
    Answer,
    Command,
    ask_function,
    load_function,
    request,
    search,
)
from nzip.evaluation.measures.kolmogorov.solvers import SECONDS as ANSWER_SECONDS
from nzip.evaluation.measures.kolmogorov.sources import Modality

RIGHT, WRONG = "right", "wrong"
FAILURES = ("missing", "answer", "command", "time", "memory", "output", "forbidden", "error", "type", "items", "value",
            "crash", "sandbox")  # fmt: skip


@dataclass(frozen=True)
class Solver:
    """Where programs come from.

    Attributes:
        kind: `"file"`, `"command"`, `"callable"` or `"search"`.
        name: what the result calls it.
        answers: of a file, by id.
        seconds: for one answer of a command.
        effort: of the search; None for its own default.
        notes: what was wrong with the file.
    """

    kind: str
    name: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    seconds: float = ANSWER_SECONDS
    effort: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What each Python program may take; see `sandbox.Sandbox`."""

    seconds: float = SECONDS
    memory: int = MEMORY
    unsafe: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a sequence: RIGHT, WRONG (ran, and gave another list), or why there is no list; its program."""

    status: str
    detail: str = ""
    program: str = ""
    language: str = PYTHON


@dataclass
class _Worker:
    modalities: dict[str, Modality]
    pieces: dict[str, list[bytes]]
    solver: Solver | None
    limits: Limits
    command: Command | None = None
    function: Callable[[dict[str, Any]], Any] | None = None
    sandboxes: dict[int, Sandbox] = field(default_factory=dict)

    def answer(self, key: str, at: int, given: Sequence[Any] | None) -> Answer:
        if given is not None:
            return Answer(given[0], given[1], None if given[2] is None else tuple(given[2]))
        assert self.solver is not None
        sequence = self.pieces[key][at]
        if self.solver.kind == "search":
            return search(sequence, self.solver.effort)
        question = request(self.modalities[key], at, sequence)
        if self.solver.kind == "command":
            if self.command is None:
                self.command = Command(self.solver.name, self.solver.seconds)
            return self.command.ask(question)
        if self.function is None:
            self.function = load_function(self.solver.name)
        return ask_function(self.function, question)

    def outcome(self, answer: Answer, sequence: bytes) -> Outcome:
        if answer.program is None:
            kind, detail = answer.failure or ("missing", "no program")
            return Outcome(kind, detail)
        if answer.language == DSL:
            made = _run_dsl(answer.program)
        else:
            items = max(ITEMS, len(sequence))
            if items not in self.sandboxes:
                limits = self.limits
                self.sandboxes[items] = Sandbox(
                    seconds=limits.seconds, memory=limits.memory, items=items, unsafe=limits.unsafe
                )
            made = self.sandboxes[items].run(answer.program)
        if isinstance(made, Failure):
            return Outcome(made.kind, made.detail, answer.program, answer.language)
        return Outcome(RIGHT if made == list(sequence) else WRONG, "", answer.program, answer.language)

    def close(self) -> None:
        if self.command is not None:
            self.command.close()
        for sandbox in self.sandboxes.values():
            sandbox.close()
        self.command, self.sandboxes = None, {}


def _run_dsl(program: str) -> list[int] | Failure:
    try:
        return dsl.run(program)
    except dsl.DslError as error:
        return Failure("error", str(error))


_worker: _Worker | None = None


def begin(shared: tuple[Sequence[Modality], Solver | None, Limits]) -> None:
    global _worker
    modalities, solver, limits = shared
    by_key = {modality.key: modality for modality in modalities}
    _worker = _Worker(by_key, {key: modality.sequences for key, modality in by_key.items()}, solver, limits)
    from multiprocessing import util

    util.Finalize(_worker, _worker.close, exitpriority=10)  # where this is a process of a pool


def end() -> None:
    global _worker
    if _worker is not None:
        _worker.close()
        _worker = None


def work(payload: Mapping[str, Any]) -> Record:
    if payload["kind"] == "bytes":
        return {"bytes": size_of(payload["codec"], payload["data"])}
    assert _worker is not None
    key = payload["modality"]
    if payload["kind"] == "baseline":
        return {"bytes": _baseline(payload, _worker.modalities[key], _worker.pieces[key])}
    outcomes, lost = [], ""
    for index, at in enumerate(range(*payload["span"])):
        given = payload["answers"][index] if payload["answers"] is not None else None
        answer = _worker.answer(key, at, given)
        if answer.failure is not None and answer.failure[0] == "command":
            lost = answer.failure[1]
        outcome = _worker.outcome(answer, _worker.pieces[key][at])
        if outcome.status == "sandbox":
            lost = outcome.detail
        outcomes.append([outcome.status, outcome.detail, outcome.program, outcome.language])
    # What a command did not answer, or no sandbox ran, is tried again when the run is taken up: it is not kept.
    return {"outcomes": outcomes, **({"error": lost} if lost else {})}


def _baseline(payload: Mapping[str, Any], modality: Modality, pieces: Sequence[bytes]) -> int:
    form, codec = payload["form"], payload["codec"]
    if form == "pieces":
        return sum(size_of(codec, piece) for piece in pieces[slice(*payload["span"])])
    return size_of(codec, as_released(pieces) if form == "released" else modality.data)
