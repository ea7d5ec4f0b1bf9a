"""The fitted models of a record on disk: coefficients as safetensors, everything else as JSON; no pickle."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..errors import DataError
from ..record import Record
from ..registry import FittedModel, load_circuit
from .elements import Element

SCHEMA_VERSION = 1
_TENSORS, _ABOUT = "coefficients.safetensors", "model.json"


def model_files(record: Record, about: dict[str, Any]) -> dict[str, bytes]:
    """Return ``coefficients.safetensors`` and ``model.json``, as file name -> content.

    Parameters
    ----------
    about : dict
        What else the JSON is to say, under "about".
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


def load_exported(folder: Path | str, model: str, outside: str = "clamp", **conditions: float | str) -> Element:
    """Return a model of a folder that ``gaincell export --to torch`` wrote, as a module.

    Parameters
    ----------
    model : str
        Name of the model; ``corner="tt", temp=85.0`` picks where it was fitted.
    outside : {"clamp", "refuse", "extrapolate"}
        What to do with inputs outside the box the model was fitted in.

    Raises
    ------
    DataError
        If the folder holds no such model, or one of another schema version.
    """
    folder = Path(folder)
    try:
        body = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        tensors = load_file(folder / _TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(f"{folder} holds no exported model: {error}") from None
    if body.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{folder}: schema version {body.get('schema_version')}; this package reads {SCHEMA_VERSION}")
    record = _record(body, tensors)
    function = load_circuit(record.circuit).model(model).function
    return Element(FittedModel(fit=record.fit(model, **conditions), function=function), outside)


def _record(body: dict[str, Any], tensors: dict[str, Tensor]) -> Record:
    """Put the coefficients back into the fits."""
    fits = []
    for number, fit in enumerate(body["fits"]):
        values = tensors[f"{number}.values"].tolist()
        named = zip(fit["coefficients"].items(), values, strict=True)
        covariance = tensors[f"{number}.covariance"].tolist() if f"{number}.covariance" in tensors else []
        coefficients = {name: {**c, "value": value} for (name, c), value in named}
        fits.append({**fit, "coefficients": coefficients, "covariance": covariance})
    return Record.model_validate(
        {"circuit": body["circuit"], "bench": "", "study": "", "technology": "", "parameters": {}, "fits": fits,
         "provenance": {}}
    )  # fmt: skip
