"""Noise floors of the fits of the main job, and of any record by the packaged records of its technology."""

from collections.abc import Sequence
from dataclasses import replace

from .. import registry
from ..declare.circuit import Circuit
from ..fitting.fit import Fit
from ..fitting.noise_floor import compute_noise_floor
from ..fitting.record import Record
from .characterize_all import CircuitResult


def share_noise(results: Sequence[CircuitResult]) -> tuple[CircuitResult, ...]:
    """Add to the `results` of each circuit the fits of other circuits that give its noise floors."""
    fits = {result.circuit.name: _fits_of(result) for result in results}
    return tuple(replace(result, noise={name: fits.get(name, ()) for name in _others(result)}) for result in results)


def _others(result: CircuitResult) -> list[str]:
    """Names of the other circuits whose noise the floors of a circuit refer to."""
    return [floor.circuit.name for floor in result.circuit.noise_floors.values() if floor.circuit]


def _fits_of(result: CircuitResult) -> tuple[Fit, ...]:
    return tuple(fit for study in result.studies.values() for fit in study.fits)


def find_noise_in_job(result: CircuitResult, fit: Fit) -> float | None:
    """Rms noise of the output of a `fit` of the main job, in its unit, by the noise studies of the same job.

    `result` is that of the circuit of the fit; None if the noise is not known.
    """
    declared = result.circuit.noise_floor(fit.model)
    known = result.noise.get(declared.circuit.name, ()) if declared and declared.circuit else _fits_of(result)
    return compute_noise_floor(result.circuit, fit, known)


def find_packaged_noise(record: Record, fit: Fit) -> float | None:
    """Rms noise of the output of a `fit` of a `record`, in its unit, by the packaged records of its technology.

    None if the noise is not known: the technology has no packaged record of it, or that record is of a circuit with
    other sizes or another supply.
    """
    circuit = registry.load_circuit(record.circuit)
    declared = circuit.noise_floor(fit.model)
    if declared is None:
        return None
    name = f"{(declared.circuit or circuit).name}.{declared.study}"
    if name not in registry.record_names(record.technology):
        return None
    noise = registry.load_record(record.technology, name)
    return compute_noise_floor(circuit, fit, noise.fits) if _same_circuit(circuit, record, fit, noise) else None


def _same_circuit(circuit: Circuit, record: Record, fit: Fit, noise: Record) -> bool:
    """Whether the circuit of a fit has the parameters of that of the noise, inputs of the fit excepted."""
    own = {**record.parameters, **fit.conditions}
    shared = circuit.params.keys() & own.keys() & noise.parameters.keys()
    return all(own[name] == noise.parameters[name] for name in shared)
