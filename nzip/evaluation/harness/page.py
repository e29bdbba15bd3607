"""The page of a measure: its picture, its tables, its notes, in one HTML file that needs no network.

A click on a head sorts a table by that column, a second one the other way; without scripts the page reads the same.
"""

from __future__ import annotations

import base64
import html
import importlib.util
import io
from collections.abc import Callable, Iterator
from typing import Any

from nzip.evaluation.harness.drawing import save
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.outputs import AnyPath, write_text
from nzip.evaluation.harness.tables import Table

STYLE = """
:root { color-scheme: light; --ink: #222; --quiet: #666; --line: #ddd; --mark: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.5rem 4rem; max-width: 1500px; color: var(--ink);
  background: #fff; font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
p { margin: .3rem 0 .8rem; max-width: 75ch; }
.quiet, figcaption, .note { color: var(--quiet); font-size: .86rem; }
.curves { width: 100%; max-width: 1000px; height: auto; }
.tables { display: flex; flex-wrap: wrap; gap: 1.2rem 3rem; margin: .5rem 0 1rem; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
"""

SORTED_STYLE = """
.word { text-align: left; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sorts")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.onclick = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[at].dataset.value ?? row.cells[at].textContent;
      const rows = [...body.rows].sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const apart = isNaN(x) || isNaN(y) ? x.localeCompare(y, "en", {numeric: true}) : x - y;
        return up ? apart : -apart;
      });
      body.replaceChildren(...rows);
    };
  });
}
"""


def write_page(findings: Findings, path: AnyPath) -> None:
    """Write the page of a measure; what was there is replaced.

    Raises:
        NzipError: it cannot be written.
    """
    write_text(path, "\n".join(_page(findings)) + "\n")


def beginning(title: str, style: str) -> Iterator[str]:
    """Yield how each page begins, with `style` behind the common one."""
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>nzip: {html.escape(title)}</title>"
    yield f"<style>{STYLE}{style}</style>"


def data_uri(kind: str, data: bytes) -> str:
    """Return bytes of a media type as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _page(findings: Findings) -> Iterator[str]:
    result = findings.result
    yield from beginning(findings.title, SORTED_STYLE)
    yield f"<h1>{html.escape(findings.title)}</h1>"
    machine = result["machine"]
    words = [f"nzip {result['nzip']}", f"Python {result['python']}", f"{machine['system']} {machine['arch']}"]
    words += [f"{machine['cores']} cores", result["date"][:10]]
    if "seed" in result:
        words.append(f"seed {result['seed']}")
    yield f'<p class="quiet">{html.escape(", ".join(words))}</p>'
    if findings.draw is not None and importlib.util.find_spec("matplotlib") is not None:
        yield f'<img class="curves" alt="{html.escape(findings.title)}" src="{_drawing(findings.draw, findings.size)}">'
    for table in findings.tables:
        yield f"<h2>{html.escape(table.title)}</h2>"
        yield from table_html(table)
    for note in findings.notes:
        yield f'<p class="note">{html.escape(note)}</p>'
    yield f"<script>{SCRIPT}</script>"


def table_html(table: Table) -> Iterator[str]:
    """Yield a table that can be sorted, and its note."""
    words = table.words
    looks = [' class="word"' if word else "" for word in words]
    heads = "".join(
        f"<th{look}>{html.escape(column.title)}</th>" for column, look in zip(table.columns, looks, strict=True)
    )
    yield f'<div class="wide"><table class="sorts"><thead><tr>{heads}</tr></thead><tbody>'
    for row in table.rows:
        cells = (
            _cell(column.show(value), value, word)
            for column, value, word in zip(table.columns, row, words, strict=True)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
    if table.note:
        yield f'<p class="note">{html.escape(table.note)}</p>'


def _cell(shown: str, value: Any, word: bool) -> str:
    look = ' class="word"' if word else ""
    if not isinstance(value, str):
        look += f' data-value="{"" if value is None else html.escape(repr(value))}"'
    return f"<td{look}>{html.escape(shown)}</td>"


def _drawing(draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    file = io.BytesIO()
    save(file, draw, size=size, kind="svg")
    return data_uri("image/svg+xml", file.getvalue())
