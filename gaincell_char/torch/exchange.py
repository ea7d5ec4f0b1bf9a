"""Fitted models of a record on disk: coefficients as safetensors, everything else as JSON; no pickle."""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import save
from torch import Tensor

from ..errors import DataError, ParameterError
from ..fitting.accuracy import CrossValidation, EndBlock, Errors, FreshErrors, LargestError, RowError
from ..fitting.fit import Estimate, Fit
from ..fitting.fitted import FittedModel, check_model
from ..fitting.record import Record
from ..fitting.versions import upgrade
from ..registry import load_circuit
from ..storage import untrusted
from ..storage.schema_fields import Name, Text, complaint
from ..storage.tables import shown_path
from .elements import Element
from .files import read_tensors

SCHEMA_VERSION = 2
_TENSORS, _ABOUT = "coefficients.safetensors", "model.json"


class _Estimate(BaseModel):
    """An `Estimate` without its value, which is a tensor."""

    model_config = ConfigDict(extra="forbid")

    value: None
    stderr: float | None
    unit: Text
    doc: Text


class _Fit(BaseModel):
    """A `Fit` without the numbers that are tensors."""

    model_config = ConfigDict(extra="forbid")

    model: Name
    form: Text
    equation: Text
    inputs: tuple[Name, ...]
    output: Name
    unit: Text
    conditions: dict[Name, float | str]
    coefficients: dict[Name, _Estimate]
    valid_range: dict[Name, tuple[float, float]]
    full_range: float
    fitted: Errors | None
    cross_validation: CrossValidation | None
    fresh: FreshErrors | None
    end_blocks: tuple[EndBlock, ...] | None = None
    row_error: RowError | None = None
    largest: LargestError | None = None
    held_out: Errors | None = None


class _Exported(BaseModel):
    """``model.json``."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[2]
    circuit: Name
    fits: list[_Fit]
    about: dict[str, Any]


def model_files(record: Record, about: dict[str, Any]) -> dict[str, bytes]:
    """Return ``coefficients.safetensors`` and ``model.json``, as file name -> content.

    Parameters
    ----------
    record : Record
        The record.
    about : dict
        Further content of the JSON file, under "about".
    """
    tensors: dict[str, Tensor] = {}
    fits = []
    for number, fit in enumerate(record.fits):
        tensors[f"{number}.values"] = torch.tensor(list(fit.values().values()), dtype=torch.float64)
        if fit.covariance:
            tensors[f"{number}.covariance"] = torch.tensor(fit.covariance, dtype=torch.float64)
        plain = fit.model_dump(mode="json", exclude={"covariance"})
        fits.append({**plain, "coefficients": {n: {**c, "value": None} for n, c in plain["coefficients"].items()}})
    body = {"schema_version": SCHEMA_VERSION, "circuit": record.circuit, "fits": fits, "about": about}
    return {_TENSORS: save(tensors), _ABOUT: (json.dumps(body, indent=1) + "\n").encode()}


def load_exported(folder: Path | str, model: str, /, outside: str = "clamp", **conditions: float | str) -> Element:
    """Load a model from a folder written by ``gaincell export --to torch``.

    Parameters
    ----------
    folder : Path or str
        The folder.
    model : str
        Name of the model.
    outside : {"clamp", "refuse", "extrapolate"}
        Treatment of inputs outside the valid range of the fit, as of `Guard`.
    conditions : float or str
        Conditions of the fit, for example ``corner="tt", temp=85.0``.

    Raises
    ------
    DataError
        If the folder does not contain the model, has another schema version, or contradicts the circuit.
    """
    folder = Path(folder)
    where = shown_path(folder / _ABOUT)
    raw = untrusted.parse_json(untrusted.read_text(folder / _ABOUT, "exported model", below=folder), where)
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, bool) or version not in (1, SCHEMA_VERSION):
        raise DataError(f"{where}: schema version {version!r:.40}; this package reads 1 and {SCHEMA_VERSION}")
    try:
        body = _Exported.model_validate(upgrade(raw) if version == 1 else raw)
    except ValidationError as error:
        raise DataError(f"{where}: {complaint(error)}") from None
    fits = _fits(body, read_tensors(folder / _TENSORS), where)
    try:
        circuit = load_circuit(body.circuit)
    except ParameterError as error:
        raise DataError(f"{where}: {error}") from None
    for fit in fits:
        if fit.model == model and conditions.items() <= fit.conditions.items():
            check_model(fit, circuit, where)
            return Element(FittedModel(fit=fit, function=circuit.model(model)), outside)
    have = ", ".join(dict.fromkeys(fit.model for fit in fits)) or "none"
    raise DataError(f"{where}: no model {model!r} at these conditions; have {have}")


def _fits(body: _Exported, tensors: dict[str, Tensor], where: str) -> list[Fit]:
    """Combine the JSON content with the coefficients from the tensors."""
    found = []
    for number, fit in enumerate(body.fits):
        values = tensors.get(f"{number}.values")
        if values is None or values.shape != (len(fit.coefficients),):
            raise DataError(
                f"{where}: {fit.model} has {len(fit.coefficients)} coefficients, but the tensors have another number"
            )
        covariance = tensors.get(f"{number}.covariance")
        try:
            estimates = {
                name: Estimate(value=value, stderr=c.stderr, unit=c.unit, doc=c.doc)
                for (name, c), value in zip(fit.coefficients.items(), values.tolist(), strict=True)
            }
            found.append(
                Fit(
                    **{**dict(fit), "coefficients": estimates},
                    covariance=[] if covariance is None else covariance.tolist(),
                )
            )
        except ValidationError as error:
            raise DataError(f"{where}: {fit.model}: {complaint(error)}") from None
    return found
