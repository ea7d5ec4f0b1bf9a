"""Definition of an export format: its name, the models it can express, and the function that creates its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..declare.circuit import Circuit
from ..declare.model import Model
from ..errors import ExportError
from ..fitting.fit import Fit
from ..fitting.record import Record
from .escape import escape_comment


@dataclass(frozen=True, kw_only=True)
class Request:
    """One record to export.

    Attributes
    ----------
    record : Record
        The record.
    digest : str
        Hash that identifies the record.
    circuit : Circuit
        Circuit of the record.
    fit, model : optional
        The fitted model, for formats of one model.
    companions : str or Path
        Other records of the same technology: a packaged set, or a folder; empty if unknown.
    """

    record: Record
    digest: str
    circuit: Circuit
    fit: Fit | None
    model: Model | None
    companions: str | Path

    def require_model(self) -> tuple[Fit, Model]:
        """Return fit and model, for formats of one model.

        Raises
        ------
        ExportError
            If no model is selected.
        """
        if self.fit is None or self.model is None:
            raise ExportError("this export has no model; select one with --model")
        return self.fit, self.model

    @property
    def title(self) -> str:
        """Circuit, study and technology, separated by blanks."""
        return f"{self.record.circuit} {self.record.study} {self.record.technology}"

    def write_notes(self, lost: str = "") -> list[str]:
        """Return lines of provenance for the beginning of a file, in plain ASCII.

        Parameters
        ----------
        lost : str
            Parts of the model that the format leaves out.
        """
        lines = [f"{self.title}: written by gaincell-char {__version__} from the record with digest {self.digest}"]
        if source := self.record.provenance.source:
            lines.append(f"source: {source}")
        if self.fit is not None:
            lines += _write_fit(self.fit)
        if lost:
            lines.append(f"not expressed: {lost}")
        return [escape_comment(line) for line in lines]

    def describe(self, lost: str = "") -> dict[str, object]:
        """Return the provenance as values for JSON; `lost` is as of `write_notes`."""
        return {
            "circuit": self.record.circuit,
            "study": self.record.study,
            "technology": self.record.technology,
            "record_digest": self.digest,
            "package": f"gaincell-char {__version__}",
            "source": self.record.provenance.source,
            **_describe_fit(self.fit),
            "not_expressed": lost,
        }


def _write_fit(fit: Fit) -> list[str]:
    at = ", ".join(f"{name} = {value}" for name, value in fit.conditions.items())
    span = ", ".join(f"{name} {low:g}..{high:g}" for name, (low, high) in fit.valid_range.items())
    off, errors = "none stated", fit.stated
    if errors:
        searched = f", worst of {fit.largest.n} points" if fit.largest else ""
        off = f"rms {errors.rms:.3g} {fit.unit}, worst {abs(errors.worst):.3g} {fit.unit}, on {fit.stated_on}{searched}"
    where = f"model {fit.model} at {at or 'the published conditions'}; valid for {span}"
    return [where, f"error of the model: {off}"]


def _describe_fit(fit: Fit | None) -> dict[str, object]:
    if fit is None:
        empty: dict[str, object] = {"model": None, "conditions": {}, "valid_range": {}, "unit": ""}
        return {**empty, "error_rms": None, "error_worst": None, "error_on": ""}
    errors = fit.stated
    return {
        "model": fit.model,
        "conditions": fit.conditions,
        "valid_range": fit.valid_range,
        "unit": fit.unit,
        "error_rms": errors.rms if errors else None,
        "error_worst": abs(errors.worst) if errors else None,
        "error_on": fit.stated_on,
    }


@dataclass(frozen=True, kw_only=True)
class Target:
    """An export format; each is defined in a separate file in ``targets/``.

    Attributes
    ----------
    name : str
        Name of the format.
    doc : str
        Content of the files, in one line.
    make_files : callable
        Request -> mapping of file names to contents.
    explain_refusal : callable, optional
        Request with a model -> reason why the format cannot express it, or an empty text; a format without it
        exports whole records.
    needs_others : bool
        Whether the format needs other records of the technology.
    """

    name: str
    doc: str
    make_files: Callable[[Request], Mapping[str, str | bytes]]
    explain_refusal: Callable[[Request], str] | None = None
    needs_others: bool = False
