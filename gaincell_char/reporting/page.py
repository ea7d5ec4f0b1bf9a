"""Rendering of report pages from templates."""

import datetime
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from .. import __version__
from ..technology.schema import Technology
from ..workflows.characterize_all import CircuitResult
from . import page_sections, text
from .picture import Picture


def render(
    out: Path,
    technology: Technology,
    results: Sequence[CircuitResult],
    drawn: Mapping[str, Sequence[Picture]],
    *,
    simulator: str,
    wall_s: float,
    missing: Sequence[str] = (),
    overview: bool = True,
) -> str:
    """Render the page of the main job as HTML; text of declarations and logs is escaped.

    Parameters
    ----------
    out : Path
        Folder of the page.
    technology : Technology
        The technology.
    results : sequence of CircuitResult
        Results of the main job.
    drawn : mapping of str to sequence of Picture
        Circuit -> its pictures.
    simulator : str
        Name and version of the simulator.
    wall_s : float
        Elapsed time [s].
    missing : sequence of str
        Missing parts, with the reasons.
    overview : bool
        Whether the overview exists.
    """
    studies = [study for result in results for study in result.studies.values()]
    return fill(
        "index.html.j2",
        technology=technology,
        simulator=simulator,
        version=__version__,
        wall_s=wall_s,
        counts=page_sections.count_points(studies),
        rows=page_sections.describe_models(results),
        circuits=[page_sections.describe_circuit(out, r, drawn[r.circuit.name]) for r in results],
        overview=overview and sum(map(bool, drawn.values())) > 1,
        missing=missing,
    )


def fill(template: str, **values: object) -> str:
    """Fill a template of this folder with `values`; text is escaped."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.undefined = jinja2.StrictUndefined
    environment.filters.update(show=text.show, percent=text.show_percent, number=text.show_number, r2=text.show_r2)
    environment.filters["html_equation"] = html_equation
    folder = importlib.resources.files(__package__)
    style = Markup(folder.joinpath("style.css").read_text(encoding="utf-8"))  # noqa: S704
    date = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return environment.from_string(folder.joinpath(template).read_text(encoding="utf-8")).render(
        **values, style=style, date=date, nothing=text.NOTHING
    )


def html_equation(equation: str) -> Markup:
    """An equation as HTML, with exponents as superscripts."""
    return Markup(re.sub(r"\^(-?\w+)", r"<sup>\1</sup>", str(escape(equation))))  # noqa: S704
