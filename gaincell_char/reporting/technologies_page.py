"""Page that compares technologies: figures of merit side by side, pictures, and the same figures as a table."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from .. import __version__, registry
from ..errors import TechnologyError
from ..exporting.escape import escape_cell
from ..fitting.record import Provenance
from ..storage import tables
from ..workflows.characterize_all import COMPARED
from ..workflows.technology_comparison import ComparedCurves, ComparedRow, ComparedValue, TechnologyComparison
from ..workflows.technology_records import TechnologyRecords
from . import page, text
from .parts import PageParts, Written
from .technologies_figures import draw_curves


@dataclass(frozen=True, kw_only=True)
class _Notes:
    """Numbered remarks on values; equal remarks have one number."""

    found: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def number(self, technology: str, value: ComparedValue) -> int | None:
        """Number of the remark on a value, or None if there is nothing to tell."""
        said = value.reason or value.basis
        if not said:
            return None
        return self.found.setdefault((technology, said, value.how), len(self.found) + 1)

    def rows(self) -> list[Mapping[str, object]]:
        """Every remark."""
        return [
            {"number": number, "technology": technology, "said": said, "how": how}
            for (technology, said, how), number in self.found.items()
        ]


def write_technologies(out: Path, comparison: TechnologyComparison) -> Written:
    """Write the page ``index.html``, its pictures and ``tables/technologies.csv`` to a folder.

    Parameters
    ----------
    out : Path
        The folder; pages of runs inside it are linked.
    comparison : TechnologyComparison
        Figures of merit and curves.

    Raises
    ------
    StorageError
        If a file cannot be written.
    """
    tables.make_folder(out)
    tables.make_inside(out, "figures", "tables")
    parts = PageParts(out=out)
    names = [one.name for one in comparison.technologies]
    pictures = [_draw(parts, picture, names) for picture in comparison.pictures]
    tables.write_frame(tabulate_technologies(comparison), out / "tables" / COMPARED)
    notes = _Notes()
    # The summary first: its notes have the first numbers.
    summary = _list_groups(comparison, notes, [row for row in comparison.rows if row.key])
    groups = _list_groups(comparison, notes, comparison.rows)
    failures = {one.name: one.failure for one in comparison.technologies if one.failure}
    page_text = page.fill(
        "technologies.html.j2",
        version=__version__,
        technologies=[_describe_technology(out, one) for one in comparison.technologies],
        failures=failures,
        tables=[("Summary", summary), ("All figures of merit", groups)],
        notes=notes.rows(),
        pictures=[picture for picture in pictures if picture is not None],
        missing=parts.missing,
        table=f"tables/{COMPARED}",
    )
    tables.write_text(out / "index.html", page_text)
    return parts.finish()


def _draw(parts: PageParts, picture: ComparedCurves, names: Sequence[str]) -> Mapping[str, object] | None:
    """Draw a picture and return its values for the page, the picture itself included."""
    name, title = f"technologies.{picture.curves.name}", picture.curves.title
    parts.add_picture(name, title, partial(draw_curves, picture, names))
    if name not in dict(parts.pictures):
        return None
    path = parts.out / "figures" / f"{name}.png"
    lacking = [
        f"{' at '.join(filter(None, (line.technology, line.label)))}: {line.reason}"
        for line in picture.lines
        if line.reason
    ]
    data = base64.b64encode(path.read_bytes()).decode()
    return {"name": name, "title": title, "data": data, "lacking": lacking}


def _list_groups(
    comparison: TechnologyComparison, notes: _Notes, chosen: Sequence[ComparedRow]
) -> list[Mapping[str, object]]:
    """Chosen rows by circuit or head, with its title."""
    names = [one.name for one in comparison.technologies]
    groups: dict[str, list[Mapping[str, object]]] = {}
    for row in chosen:
        cells = [
            {"text": show_value(row, value), "note": notes.number(name, value)}
            for name, value in zip(names, row.values, strict=True)
        ]
        groups.setdefault(row.group, []).append({"name": row.name, "doc": row.doc, "cells": cells})
    return [{"name": name, "title": _title(name), "rows": rows} for name, rows in groups.items()]


def _title(group: str) -> str:
    is_circuit = group in registry.circuit_names()
    return registry.load_circuit(group).title if is_circuit else registry.load_head(group).title


def show_value(row: ComparedRow, value: ComparedValue) -> str:
    """Text of a `value` of a `row`, with unit; ``> 30 ms`` beyond the end of what was simulated."""
    return text.show(value.value, row.unit, span=(-math.inf, value.end))


def _describe_technology(out: Path, records: TechnologyRecords) -> Mapping[str, object]:
    source = "packaged records" if records.folder is None else tables.shown_path(records.folder)
    told = {"name": records.name, "title": _technology_title(records.tech), "source": source}
    first = records.read_first()
    origin = first.provenance if first is not None else Provenance()
    told |= {"simulator": origin.simulator, "digest": origin.technology_digest}
    return {**told, "link": _link_page(out, records.folder)}


def _link_page(out: Path, folder: Path | None) -> str:
    """Address of the page of a run in a folder below that of the comparison; empty if there is none."""
    own_page = folder / "index.html" if folder is not None else None
    if own_page is None or not own_page.is_file() or not own_page.is_relative_to(out):
        return ""
    # Quoted, for a folder may be named like an address.
    return quote(own_page.relative_to(out).as_posix())


def _technology_title(tech: str) -> str:
    try:
        return registry.describe_technology(tech).title
    except TechnologyError:
        return ""


def tabulate_technologies(comparison: TechnologyComparison) -> pd.DataFrame:
    """One row per figure of merit and technology.

    ``value`` is in ``unit``; if ``at least`` is true, it is the end of what was simulated, and the figure is larger.
    ``missing`` states why there is no value, and ``command`` what makes or measures it.
    """
    rows = [
        {
            "circuit": row.group,
            "figure": row.name,
            "unit": row.unit,
            "conditions": row.doc,
            "technology": one.name,
            "value": value.end if math.isinf(value.value) else value.value,
            "at least": math.isinf(value.value),
            "as text": show_value(row, value),
            "basis": value.basis,
            "missing": escape_cell(value.reason),
            "command": value.how,
        }
        for row in comparison.rows
        for one, value in zip(comparison.technologies, row.values, strict=True)
    ]
    return pd.DataFrame(rows)


def tabulate_side_by_side(comparison: TechnologyComparison) -> pd.DataFrame:
    """Summary for a terminal: one row per figure, one column per technology; a dash if there is no value."""
    names = [one.name for one in comparison.technologies]
    return pd.DataFrame(
        {"circuit": row.group, "figure": row.name}
        | {name: show_value(row, value) for name, value in zip(names, row.values, strict=True)}
        for row in comparison.rows
        if row.key
    )
