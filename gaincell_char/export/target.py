"""What an export target is: a name, what it can express, and a function that makes its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..declare.circuit import Circuit, Model
from ..errors import ExportError
from ..fitting.fit import Fit
from ..fitting.record import Record
from .escape import comment


@dataclass(frozen=True, kw_only=True)
class Request:
    """One record to export.

    Attributes
    ----------
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

    def chosen(self) -> tuple[Fit, Model]:
        """Fit and model; only for targets that express one."""
        if self.fit is None or self.model is None:
            raise ExportError("this export has no model")
        return self.fit, self.model

    @property
    def title(self) -> str:
        """Circuit, study and technology in three words."""
        return f"{self.record.circuit} {self.record.study} {self.record.technology}"

    def notes(self, lost: str = "") -> list[str]:
        """Lines of provenance for the head of a file, plain ASCII."""
        lines = [
            f"{self.title}: written by gaincell-char {__version__} from the record with digest {self.digest}",
            *([f"source: {self.record.provenance.source}"] if self.record.provenance.source else []),
            *_errors(self.fit),
            *([f"not expressed: {lost}"] if lost else []),
        ]
        return [comment(line) for line in lines]

    def about(self, lost: str = "") -> dict[str, object]:
        """The same as values, for JSON."""
        fit = self.fit
        errors = fit.held_out or fit.fitted if fit else None
        return {
            "circuit": self.record.circuit,
            "study": self.record.study,
            "technology": self.record.technology,
            "record_digest": self.digest,
            "package": f"gaincell-char {__version__}",
            "source": self.record.provenance.source,
            "model": fit.model if fit else None,
            "conditions": fit.conditions if fit else {},
            "box": fit.box if fit else {},
            "unit": fit.unit if fit else "",
            "error_rms": errors.rms if errors else None,
            "error_worst": abs(errors.worst) if errors else None,
            "not_expressed": lost,
        }


def _errors(fit: Fit | None) -> list[str]:
    if fit is None:
        return []
    at = ", ".join(f"{name} = {value}" for name, value in fit.conditions.items())
    box = ", ".join(f"{name} {low:g}..{high:g}" for name, (low, high) in fit.box.items())
    errors = fit.held_out or fit.fitted
    off = f"rms {errors.rms:.3g} {fit.unit}, worst {abs(errors.worst):.3g} {fit.unit}" if errors else "none stated"
    return [f"model {fit.model} at {at or 'the published conditions'}; holds for {box}", f"error of the fit: {off}"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A format a record can be exported to; each stands in a file of its own in ``targets/``.

    Attributes
    ----------
    needs_others : bool
        It reads other records of the technology beside the one that it is given.
    refuses : callable, optional
        Request with a model -> why it cannot be expressed and what would be lost, or nothing; a target without it
        takes whole records.
    files : callable
        Request -> file name -> content.
    """

    name: str
    doc: str
    files: Callable[[Request], Mapping[str, str | bytes]]
    refuses: Callable[[Request], str] | None = field(default=None)
    needs_others: bool = False
