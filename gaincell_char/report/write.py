"""Put the report into a folder."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .. import store
from ..errors import StorageError
from ..job import CircuitResult
from ..technology import Technology
from . import figures, page, tables
from .picture import Picture, pictures

_TABLES = {
    "summary": tables.summary,
    "coefficients": tables.coefficients,
    "merits": tables.merits,
    "numerics": tables.numerics,
    "failures": tables.failures,
}


def write_report(
    out: Path, technology: Technology, results: Sequence[CircuitResult], *, simulator: str, wall_s: float
) -> Path:
    """Write pictures, tables, decks and the page that shows them.

    Parameters
    ----------
    out : Path
        Folder of the results.  Datasets in ``data/`` and records in ``records/`` are linked if they are there.
    results : sequence of CircuitResult
        What the main job gave, whole or in part.
    simulator : str
        Name and version.
    wall_s : float
        What simulating, checking and fitting took [s].

    Returns
    -------
    Path
        ``out/index.html``.

    Raises
    ------
    StorageError
        If something could not be written.
    ParameterError
        If a circuit declares a picture of something it does not have.
    """
    drawn = {result.circuit.name: pictures(result) for result in results}
    try:
        for folder in ("figures", "tables", "decks"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        _write_pictures(out / "figures", drawn)
        for name, table in _TABLES.items():
            _write_csv(out / "tables" / f"{name}.csv", table(results))
        for result in results:
            _write_decks(out, result)
        index = out / "index.html"
        store.write_text(index, page.render(out, technology, results, drawn, simulator=simulator, wall_s=wall_s))
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{error.filename or out} could not be written ({error.strerror})") from error
    return index


def _write_pictures(folder: Path, drawn: dict[str, list[Picture]]) -> None:
    for picture in (picture for group in drawn.values() for picture in group):
        _write_picture(folder, picture.name, *figures.png_and_svg(picture))
    if sheet := _sheet(drawn):
        _write_picture(folder, "overview", *figures.overview(sheet))


def _sheet(drawn: dict[str, list[Picture]]) -> list[Picture]:
    """Pictures of the overview: those with a panel, at their first temperature; else the first of each circuit."""
    panels: dict[str, Picture] = {}
    for picture in (picture for group in drawn.values() for picture in group if picture.panel):
        panels.setdefault(picture.panel, picture)
    return [panels[letter] for letter in sorted(panels)] or [group[0] for group in drawn.values() if group]


def _write_picture(folder: Path, name: str, png: bytes, svg: str) -> None:
    store.write_atomically(folder / f"{name}.png", lambda part: part.write_bytes(png))
    store.write_text(folder / f"{name}.svg", svg)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    store.write_atomically(path, lambda part: table.to_csv(part, index=False))


def _write_decks(out: Path, result: CircuitResult) -> None:
    """The first deck of each study, and the deck and log of each failure that was kept."""
    for key, study in result.studies.items():
        name = f"{result.circuit.name}.{key}"
        store.write_text(out / "decks" / f"{name}.cir", next(study.plan.points()).deck.text)
        for number, failure in enumerate(study.failures, start=1):
            (out / "failed").mkdir(exist_ok=True)
            store.write_text(out / "failed" / f"{name}.{number}.cir", failure.deck)
            store.write_text(out / "failed" / f"{name}.{number}.log", f"{failure.reason}\n{failure.log}\n")
