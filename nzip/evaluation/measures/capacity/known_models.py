"""Models with numbers that are known already, from a CSV file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nzip.errors import NzipError
from nzip.evaluation.data import reading, rows
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.measures.capacity.architecture import Architecture, flops_per_token

SHAPE = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")


@dataclass(frozen=True)
class Measured:
    """A model with its numbers.

    Attributes:
        name, family: of the model.
        text_size: TS, bits of text per token.
        nll: bits that a token costs.
        flops: per token.
        source: `measured`, or the file that states the numbers.
        interval: 95 % of TS - NLL, None where unknown.
        more: what else results say.
    """

    name: str
    family: str
    text_size: float
    nll: float
    flops: float
    source: str = "measured"
    interval: tuple[float, float] | None = None
    more: Mapping[str, Any] | None = None


LARGEST_CONFIG = 1 << 24  # bytes


def read_rows(path: AnyPath) -> list[Measured]:
    """Read models with known numbers from a CSV file.

    Columns: `model`, `ts` and `nll` (bits per token), then `flops` (per token), or `config` (a `config.json`, relative
    to the CSV file), or `hidden_size`, `num_hidden_layers`, `num_attention_heads`, `intermediate_size`, `vocab_size`
    and, where they matter, `num_key_value_heads` and `head_dim`; `family` if wanted. Other columns are passed over.

    Raises:
        NzipError: it cannot be read, or a row is wrong; its line is named.
    """
    lines = rows.read_rows(path)
    heads = [cell.strip() for cell in lines[0][1]] if lines else []
    for need in ("model", "ts", "nll"):
        if need not in heads:
            raise NzipError(f'{path}, line 1: has no column "{need}"')
    if len(set(heads)) != len(heads):
        raise NzipError(f"{path}, line 1: two columns have the same head")
    found = []
    for number, row in lines[1:]:
        where = f"{path}, line {number}"
        if len(row) > len(heads):
            raise NzipError(f"{where}: has {len(row)} cells, and line 1 has {len(heads)}")
        cells = dict.fromkeys(heads, "") | dict(zip(heads, (cell.strip() for cell in row), strict=False))
        if not cells["model"]:
            raise NzipError(f"{where}: names no model")
        text_size, nll = _positive(cells, "ts", where), _positive(cells, "nll", where)
        if cells.get("flops"):
            flops = _positive(cells, "flops", where)
        elif cells.get("config"):
            flops = flops_per_token(Architecture.of(*_config(Path(path).parent / cells["config"])))
        else:
            sizes = {}
            for key in (*SHAPE, "num_key_value_heads", "head_dim"):
                if cells.get(key):
                    sizes[key] = round(_positive(cells, key, where))
                elif key in SHAPE:
                    raise NzipError(f"{where}: states neither flops, nor config, nor {key}")
            flops = flops_per_token(Architecture.of(sizes, where))
        if flops <= 2:
            raise NzipError(f"{where}: {flops:g} operations per token, which no model has")
        found.append(
            Measured(cells["model"], cells.get("family") or cells["model"], text_size, nll, flops, Path(path).name)
        )
    return found


def _positive(cells: Mapping[str, str], key: str, where: str) -> float:
    try:
        value = float(cells[key])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise NzipError(f'{where}: {key} is "{cells[key]}", no positive number')
    return value


def _config(path: Path) -> tuple[dict[str, Any], str]:
    try:
        value = json.loads(reading.read_text(path, LARGEST_CONFIG))
    except (ValueError, RecursionError) as error:
        raise NzipError(f"{path}: is not JSON: {str(error)[:80]}") from None
    if not isinstance(value, dict):
        raise NzipError(f"{path}: is no JSON object")
    return value, str(path)
