"""The main job in several technologies: plans, folders, and what failed in each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import registry
from ..errors import ParameterError, RequestError
from ..storage.manifest import check_places
from ..storage.tables import check_folder, shown_path
from .characterize_all import COMPARED, check_results
from .run_verb import MainJobPlan, plan_main_job
from .technology_comparison import check_distinct
from .technology_records import TechnologyRecords

_OWN = ("figures", "tables")
"""Folders of the comparison, beside those of the technologies."""


@dataclass(frozen=True, kw_only=True)
class PlannedTechnology:
    """A technology of a comparison with its plan; without one, ``failure`` states why it cannot be characterized.

    ``tech`` is the name or the folder, as given.
    """

    name: str
    tech: str
    plan: MainJobPlan | None
    failure: str = ""

    def records(self, out: Path, failure: str = "") -> TechnologyRecords:
        """Return the records in the folder of this technology in `out`; `failure` is that of its run."""
        return TechnologyRecords(
            name=self.name, tech=self.tech, folder=out / self.name, failure=self.failure or failure
        )


def plan_technologies(
    techs: Sequence[str], circuits: Sequence[str], *, every_study: bool = False
) -> tuple[PlannedTechnology, ...]:
    """Plan the studies of some circuits in several technologies.

    A technology that cannot be used, for example because its model files are missing, does not stop the others.

    Parameters
    ----------
    techs : sequence of str
        Technologies: names or folders.
    circuits : sequence of str
        Names of circuits; all if there is none.
    every_study : bool
        Include the optional studies.

    Raises
    ------
    RequestError
        If a technology or a circuit is unknown, two technologies have the same name, or none can be used.
    """
    names = [registry.describe_technology(tech).name for tech in techs]
    check_distinct(names)
    if taken := next((name for name in names if name in _OWN), None):
        raise ParameterError(
            f"a technology named {taken} cannot be compared with others: {taken}/ belongs to the comparison; "
            "change name in its technology.toml"
        )
    for circuit in circuits:
        registry.load_circuit(circuit)
    planned = tuple(_plan(*pair, circuits, every_study=every_study) for pair in zip(names, techs, strict=True))
    if not any(one.plan for one in planned):
        raise RequestError("; ".join(dict.fromkeys(f"{one.name}: {one.failure}" for one in planned)))
    return planned


def _plan(name: str, tech: str, circuits: Sequence[str], *, every_study: bool) -> PlannedTechnology:
    try:
        plan = plan_main_job(circuits, tech, every_study=every_study)
    except RequestError as error:
        return PlannedTechnology(
            name=name, tech=tech, plan=None, failure=str(error).removeprefix(f"technology {tech}: ")
        )
    return PlannedTechnology(name=name, tech=tech, plan=plan)


def check_technology_folders(planned: Sequence[PlannedTechnology], out: Path, records: Path | None) -> None:
    """Check, before the first simulation, that the results of every technology can be written; creates nothing.

    Parameters
    ----------
    planned : sequence of PlannedTechnology
        The technologies.
    out : Path
        Folder of the comparison, which contains those of the technologies.
    records : Path, optional
        Another folder for copies of the records, in a folder for each technology.

    Raises
    ------
    RequestError
        If a folder cannot be written, or contains results of something else.
    """
    check_comparison_folder(out)
    for one in planned:
        check_results(out / one.name, records / one.name if records else None, one.name)


def check_comparison_folder(out: Path) -> None:
    """Raise `RequestError` if the page of a comparison cannot be written to a folder, or would replace another page."""
    check_folder(out)
    check_places(out, *_OWN)
    for name in _pages_of_others(out):
        raise RequestError(
            f"{shown_path(out / name)} belongs to other results, whose page the comparison would replace; "
            "choose another folder"
        )


def _pages_of_others(out: Path) -> Iterator[str]:
    """Files of results that have a page of their own in this folder."""
    if (out / "index.html").exists() and not (out / "tables" / COMPARED).exists():
        yield next((name for name in ("run.json", "campaign.json") if (out / name).exists()), "index.html")
