"""Records of a technology -> values for the figures of merit of one circuit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import registry
from ..declare.attention_head import Head
from ..declare.circuit import Circuit
from ..errors import DataError
from ..fitting.fit import Fit
from ..fitting.fitted import FittedModel, parameter, random_model
from ..fitting.log_normal import changes_covariance
from ..fitting.record import Record
from ..fitting.variation import RandomFit, basis
from ..storage.tables import read_table, shown_path
from ..sweeping.run import OK
from .technology_records import LackingRecordError, TechnologyRecords

MISMATCH = "mismatch"
_VARIED = (MISMATCH, "both")
"""What varies in a campaign whose record contains the part by mismatch, best first."""
_SAMPLES = 512
_NOMINAL = {"corner": "tt", "temp": 27.0}


@dataclass(frozen=True, kw_only=True)
class CircuitEvidence:
    """What the records of a technology state about a circuit, as `Evidence` declares it.

    ``origins`` collects the origins of the records that were used, as `TechnologyRecords.find` returns them.
    """

    circuit: Circuit
    records: TechnologyRecords
    origins: list[str] = field(default_factory=list)

    def parameter(self, study: str, name: str) -> float:
        """Value [SI unit] of the parameter called `name` in the record of a `study`."""
        return parameter(self._record(study), name)

    def model(self, study: str, model: str, /, **conditions: float | str) -> Callable[..., Any]:
        """Function of the inputs [SI units] of a `model` fitted in a `study` at `conditions`, elementwise."""
        fit = self._fit(study, model, conditions)
        fitted = FittedModel(fit=fit, function=self.circuit.model(fit.model))

        def evaluate(*inputs: Any) -> Any:
            # The functions of models take arrays.
            return fitted(*(np.asarray(value, dtype=float) for value in inputs))

        return evaluate

    def coefficient(self, study: str, model: str, name: str, /, **conditions: float | str) -> float:
        """Value [its unit] of the coefficient called `name` of a `model` fitted in a `study` at `conditions`."""
        return self._fit(study, model, conditions).values()[name]

    def valid_range(self, study: str, model: str, name: str, /, **conditions: float | str) -> tuple[float, float]:
        """Ends [SI unit] of the valid range of the input called `name` of a `model` of a `study` at `conditions`."""
        return self._fit(study, model, conditions).valid_range[name]

    def error(self, study: str, model: str, /, **conditions: float | str) -> float:
        """Stated rms error of a `model` of a `study` at `conditions`, as a fraction of full range [dimensionless]."""
        stated = self._fit(study, model, conditions).stated
        if stated is None:
            raise LackingRecordError(f"record {self.circuit.name}.{study} states no error of {model}")
        return stated.nrmse

    def spread(self, bench: str, model: str, *inputs: float) -> float:
        """Sigma of the output of a random `model` of a `bench` under mismatch [its unit] at `inputs` [SI units]."""
        record, fit, covariance = self._random(bench, model)
        nominal = record.fit(fit.nominal, **fit.conditions).values()
        columns = basis(random_model(record, self.circuit, fit), nominal, [np.array([value]) for value in inputs])
        return float(np.sqrt(columns[0] @ covariance @ columns[0]))

    def combined_spread(self, bench: str, model: str, weights: Mapping[str, float]) -> float:
        """Sigma under mismatch of random numbers of a `model` of a `bench`, times their `weights`, as in `Evidence`."""
        _, fit, covariance = self._random(bench, model)
        factors = np.array([weights.get(coefficient.name, 0.0) for coefficient in fit.coefficients])
        return float(np.sqrt(factors @ covariance @ factors))

    def points(self, study: str) -> Mapping[str, Any]:
        """Simulated points of a `study` in the folder of the run: column -> values [SI units], shape (n_points,)."""
        name, folder = f"{self.circuit.name}.{study}", self.records.folder
        path = folder / "data" / f"{name}.csv" if folder is not None else None
        if folder is None or path is None or not path.is_file():
            raise LackingRecordError(f"no simulated points of {name}", self._run())
        if not path.resolve().is_relative_to(folder.resolve()):
            raise LackingRecordError(f"{shown_path(path)} is a link out of its folder", self._run())
        frame = read_table(path).frame
        if frame.empty or "status" not in frame or (frame["status"] != OK).any():
            raise LackingRecordError(f"points of {name} have failed", self._run())
        return {str(column): frame[column].to_numpy() for column in frame}

    def _record(self, study: str) -> Record:
        return self._find(f"{self.circuit.name}.{study}", self._run())

    def _find(self, name: str, how: str) -> Record:
        """Return a record; the error names the command that makes it."""
        try:
            record, origin = self.records.find(name)
        except DataError as error:
            raise LackingRecordError(str(error), how) from None
        self.origins.append(origin)
        return record

    def _fit(self, study: str, model: str, conditions: Mapping[str, float | str]) -> Fit:
        where = {**_NOMINAL, **conditions}
        record = self._record(study)
        own = self.circuit.stand_in(self.circuit.model(model), record.parameters).name
        for fit in record.fits:
            if fit.model == own and where.items() <= fit.conditions.items():
                return fit
        told = f"corner {where['corner']} and {where['temp']:g} degC"
        raise LackingRecordError(f"record {self.circuit.name}.{study} has no fit of {own} at {told}")

    def _random(self, bench: str, model: str) -> tuple[Record, RandomFit, NDArray[np.float64]]:
        """Random model of a campaign: its record, its fit, and the covariance of its changes by mismatch."""
        found, problems = self._find_campaigns(bench)
        for record, origin in found:
            for fit in record.spread.random if record.spread else ():
                if fit.model == model and MISMATCH in fit.covariance:
                    declared = random_model(record, self.circuit, fit)
                    self.origins.append(origin)
                    return record, fit, changes_covariance(declared, np.array(fit.covariance[MISMATCH]))
        raise LackingRecordError("; ".join(["no record of mismatch", *problems]), self._campaign(bench))

    def _find_campaigns(self, bench: str) -> tuple[list[tuple[Record, str]], list[str]]:
        """Records of campaigns of a bench with their origins, those of the run first; and why others are not used."""
        found, problems = [], []
        for vary in _VARIED:
            try:
                found.append(self.records.find(f"{self.circuit.name}.{bench}_{vary}"))
            except LackingRecordError:
                continue
            except DataError as error:
                problems.append(str(error))
        return sorted(found, key=lambda one: bool(one[1])), problems

    def _run(self) -> str:
        return f"gaincell run --circuit {self.circuit.name} {self._where()}"

    def _campaign(self, bench: str) -> str:
        name = f"{self.circuit.name}.{bench}_{MISMATCH}"
        return f"gaincell mc {self.circuit.name} {bench} -n {_SAMPLES} --vary {MISMATCH} {self._where(name)}"

    def _where(self, inner: str = "") -> str:
        return f"--tech {quote(self.records.tech)} -o {self.records.show_place(inner)}"


def list_circuits() -> list[Circuit]:
    """Circuits with figures of merit or curves: those of the default head first, of the other heads, then others."""
    heads = dict.fromkeys((registry.DEFAULT_HEAD, *registry.head_names()))
    parts = [part for name in heads for part in list_parts(registry.load_head(name))]
    ordered = map(registry.load_circuit, dict.fromkeys((*parts, *registry.circuit_names())))
    return [circuit for circuit in ordered if circuit.record_merits or circuit.record_curves]


def list_parts(head: Head) -> tuple[str, ...]:
    """Names of the circuits of a `head`, in the order of the signal."""
    return (head.cell, head.decay, *(operation.converter for operation in head.operations))
