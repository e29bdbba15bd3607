"""Run the fuzzer: `python -m tests.fuzz --help`; see docs/explanation/FUZZING.md."""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz nzip's decoders.")
    parser.add_argument("--mutations", type=int, default=20_000, help="in all, shared out among the targets")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", help="names, with commas between; all where left out")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, help="JSON to write, and to take up again where it is there")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what was found")
    parser.add_argument("--bounds", action="store_true", help="kernels that check every index, compiled anew")
    parser.add_argument("--even", action="store_true", help="as many mutations for each target")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one case again, in this process")
    parser.add_argument("--list", action="store_true", help="name the targets")
    args = parser.parse_args()

    # Before numpy and numba come in.
    for name in ("OPENBLAS", "OMP", "MKL", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    os.environ["NZIP_LM_BACKEND"] = "numba"
    os.environ["NZIP_MODELS"] = str(Path(tempfile.gettempdir()) / "nzip-fuzz-no-models")  # the user's do not matter
    if args.bounds:
        os.environ["NUMBA_BOUNDSCHECK"] = "1"
        # Kernels with checks are kept apart from those that users run.
        os.environ.setdefault("NZIP_FUZZ_CACHE", str(Path(tempfile.gettempdir()) / f"nzip-fuzz-bounds-{os.getuid()}"))
        os.environ["NUMBA_CACHE_DIR"] = os.environ["NZIP_FUZZ_CACHE"]
    sys.path.insert(0, str(HERE.parent))
    from . import harness
    from .targets import TARGETS

    if args.list:
        print("\n".join(f"{target.name:12} {target.share:g}" for target in TARGETS))
        return 0
    if args.replay:
        about, case = harness.read(args.replay)
        target = next(kind for kind in TARGETS if kind.name == about["target"])()
        print(f"{about['target']} number {about['number']} of seed {about['seed']}: {about['kind']}: {about['place']}")
        target.prepare()
        target.enter()
        started = time.perf_counter()
        outcome, found = harness.tried(target, case)
        print(f"now: {found.key if found else outcome}  ({time.perf_counter() - started:.2f} s)")
        if found and found.detail:
            print(found.detail)
        return 1 if found else 0

    wanted = args.targets.split(",") if args.targets else [kind.name for kind in TARGETS]
    unknown = set(wanted) - {kind.name for kind in TARGETS}
    if unknown:
        parser.error(f"there is no target {sorted(unknown)[0]}; there are {', '.join(kind.name for kind in TARGETS)}")
    targets = [kind() for kind in TARGETS if kind.name in wanted]
    shares = {target.name: 1.0 if args.even else target.share for target in targets}
    whole = sum(shares.values())
    counts = {name: round(args.mutations * share / whole) for name, share in shares.items()}
    for target in targets:
        started = time.perf_counter()
        target.prepare()
        if sys.stderr.isatty():
            print(f"{target.name}: seeds in {time.perf_counter() - started:.1f} s", file=sys.stderr)
    run = harness.Run(targets, args.seed, counts, args.findings, args.jobs)
    if args.out and args.out.exists():
        run.resume(json.loads(args.out.read_text()))

    def tell(run: harness.Run) -> None:
        made = run.to_dict()
        if args.out:
            part = args.out.with_name(args.out.name + ".part")
            part.write_text(json.dumps({**head(args.bounds), **made}, indent=1) + "\n")
            os.replace(part, args.out)
        if sys.stderr.isatty():
            total = sum(counts.values())
            print(f"\r{made['mutations']:,} of {total:,}, {len(run.found)} kinds found", end="", file=sys.stderr)

    finished = run.go(args.seconds, tell)
    print(table(run))
    for found in run.found:
        print(f"{found.target} {found.number}: {found.key}")
    if not finished and args.seconds is None:
        return 2
    return 1 if any(tally.findings for tally in run.tallies.values()) else 0


def head(bounds: bool) -> dict[str, object]:
    """Return what a result says about how it came about."""
    import platform

    import numba
    import numpy

    import nzip

    software = {"nzip": nzip.__version__, "numba": numba.__version__, "numpy": numpy.__version__}
    return {"tool": "fuzz", "bounds": bounds, "software": {**software, "python": platform.python_version()}}


def table(run) -> str:  # type: ignore[no-untyped-def]
    """Return the outcomes as lines."""
    from .target import OUTCOMES

    lines = [
        f"{'target':12} {'mutations':>10} {'a second':>9} " + " ".join(f"{word:>12}" for word in OUTCOMES) + "  found"
    ]
    for name, tally in run.tallies.items():
        rate = tally.count / tally.seconds if tally.seconds else 0
        cells = " ".join(f"{tally.outcomes[word]:12,}" for word in OUTCOMES)
        lines.append(f"{name:12} {tally.count:10,} {rate:9,.0f} {cells}  {sum(tally.findings.values()):,}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
