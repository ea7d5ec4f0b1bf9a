"""Writing of the main job's report to a folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..storage import tables
from ..technology.schema import Technology
from ..workflows.characterize_all import CircuitResult
from . import figures, page, page_tables
from .parts import PageParts, Written
from .picture import Picture
from .picture_layout import lay_out_pictures

_TABLES = {
    "summary": page_tables.tabulate_fits,
    "coefficients": page_tables.tabulate_coefficients,
    "merits": page_tables.tabulate_merits,
    "numerics": page_tables.tabulate_numerics,
    "failures": page_tables.tabulate_failures,
}


def write_report(
    out: Path, technology: Technology, results: Sequence[CircuitResult], *, simulator: str, wall_s: float
) -> Written:
    """Write pictures, tables, decks and page of the main job.

    Parameters
    ----------
    out : Path
        Folder of the results.  Existing datasets in ``data/`` and records in ``records/`` are linked.
    technology : Technology
        The technology.
    results : sequence of CircuitResult
        Results of the main job, complete or partial.
    simulator : str
        Name and version of the simulator.
    wall_s : float
        Elapsed time of simulations, checks and fits [s].

    Raises
    ------
    StorageError
        If a file cannot be written.
    """
    tables.make_folder(out)
    failed = any(study.failures for result in results for study in result.studies.values())
    tables.make_inside(out, "figures", "tables", "decks", *(["failed"] if failed else []))
    parts = PageParts(out=out)
    drawn = {result.circuit.name: _draw_pictures(result, parts) for result in results}
    if sheet := _choose_overview(drawn):
        parts.add_picture("overview", "the overview of all circuits", partial(figures.draw_overview, sheet))
    _write_tables(out, results)
    text = page.render(
        out,
        technology,
        results,
        drawn,
        simulator=simulator,
        wall_s=wall_s,
        missing=parts.missing,
        overview="overview" in dict(parts.pictures),
    )
    tables.write_text(out / "index.html", text)
    return parts.finish()


def _draw_pictures(result: CircuitResult, parts: PageParts) -> list[Picture]:
    """Draw the pictures of a circuit and return the successful ones."""
    there = parts.make(f"the pictures of {result.circuit.name}", partial(lay_out_pictures, result)) or []
    for picture in there:
        parts.add_picture(picture.name, f"{picture.title} ({picture.name})", partial(figures.draw_picture, picture))
    names = dict(parts.pictures)
    return [picture for picture in there if picture.name in names]


def _choose_overview(drawn: dict[str, list[Picture]]) -> list[Picture]:
    """Pictures of the overview: those with a position, at the first temperature; otherwise the first per circuit."""
    panels: dict[str, Picture] = {}
    for picture in (picture for group in drawn.values() for picture in group if picture.panel):
        panels.setdefault(picture.panel, picture)
    return [panels[letter] for letter in sorted(panels)] or [group[0] for group in drawn.values() if group]


def _write_tables(out: Path, results: Sequence[CircuitResult]) -> None:
    for name, table in _TABLES.items():
        tables.write_frame(table(results), out / "tables" / f"{name}.csv")
    for result in results:
        _write_decks(out, result)


def _write_decks(out: Path, result: CircuitResult) -> None:
    """Write the first deck of each study, and deck and log of each kept failure."""
    for key, study in result.studies.items():
        name = f"{result.circuit.name}.{key}"
        tables.write_text(out / "decks" / f"{name}.cir", next(study.plan.points()).deck.text)
        for number, failure in enumerate(study.failures, start=1):
            tables.write_text(out / "failed" / f"{name}.{number}.cir", failure.deck)
            tables.write_text(out / "failed" / f"{name}.{number}.log", f"{failure.reason}\n{failure.log}\n")
