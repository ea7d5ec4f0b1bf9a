"""What an export target is: a name, what it can express, and a function that makes its files."""

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
    digest : str
        Says which record it is.
    circuit : Circuit
        The one that the record describes.
    fit, model : optional
        The fitted model, for targets that express one.
    companions : str or Path
        Where records of the same technology are found: a packaged set, or a folder; empty if that is not known.
    """

    record: Record
    digest: str
    circuit: Circuit
    fit: Fit | None
    model: Model | None
    companions: str | Path

    def require_model(self) -> tuple[Fit, Model]:
        """Return fit and model, for targets that express one.

        Raises
        ------
        ExportError
            If none was chosen.
        """
        if self.fit is None or self.model is None:
            raise ExportError("this export has no model")
        return self.fit, self.model

    @property
    def title(self) -> str:
        """Circuit, study and technology in three words."""
        return f"{self.record.circuit} {self.record.study} {self.record.technology}"

    def write_notes(self, lost: str = "") -> list[str]:
        """Return lines of provenance for the beginning of a file, plain ASCII.

        Parameters
        ----------
        lost : str
            What the format does not express.
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
        """Return the same as values, for JSON."""
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
        off = f"rms {errors.rms:.3g} {fit.unit}, worst {abs(errors.worst):.3g} {fit.unit}, on {fit.stated_on}"
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
    """A format a record can be exported to; each is in a file of its own in ``targets/``.

    Attributes
    ----------
    doc : str
        What the files contain, in one line.
    make_files : callable
        Request -> file name -> content.
    explain_refusal : callable, optional
        Request with a model -> why it cannot be expressed and what would be lost, or nothing; a target without it
        takes whole records.
    needs_others : bool
        It reads other records of the technology beside the one that it is given.
    """

    name: str
    doc: str
    make_files: Callable[[Request], Mapping[str, str | bytes]]
    explain_refusal: Callable[[Request], str] | None = None
    needs_others: bool = False
