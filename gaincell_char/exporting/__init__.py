"""A record -> files that other tools read: macro-models, device classes, tables.

What comes in is a record and the name of a format; what goes out are the texts of files, and what they leave out.
Start with `target`, which says what a format is; each format is a file in ``targets/`` that ends in ``TARGET = ...``.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import registry
from ..errors import ExportError, RequestError
from ..fitting.fit import FITTED, Fit
from ..fitting.fitted import check_record
from ..fitting.record import Record
from ..storage.tables import check_writable, make_folder, write_bytes
from ..storage.untrusted import MOST_TABLE, read_bytes, shown
from .target import Request, Target

__all__ = ["Request", "Target", "export", "export_files", "export_names", "load_target"]

Conditions = Mapping[str, float | str]
"""Where a model was fitted, as ``{"corner": "tt", "temp": 85.0}``."""


def export_names() -> tuple[str, ...]:
    """Return every format a record can be exported to, sorted."""
    return tuple(sorted(target.name for target in _load_targets()))


def _load_targets() -> list[Target]:
    folder = importlib.import_module(f"{__name__}.targets")
    names = [module.name for module in pkgutil.iter_modules(folder.__path__)]
    return [importlib.import_module(f"{folder.__name__}.{name}").TARGET for name in names]


def load_target(name: str) -> Target:
    """Return the format called `name`.

    Raises
    ------
    ExportError
        If there is none.
    """
    for target in _load_targets():
        if target.name == name:
            return target
    raise ExportError(f"no export format {name!r}; have {', '.join(export_names())}")


def export_files(
    record: Record,
    to: str,
    *,
    model: str | None = None,
    companions: str | Path | None = None,
    at: Conditions | None = None,
) -> Mapping[str, str | bytes]:
    """Return what `export` writes, as file name -> content.

    Parameters
    ----------
    to : str
        Name of the format.
    model : str, optional
        Model to export: by default the first of form "fitted" that the format can express, else the first of any form.
    companions : str or Path, optional
        Packaged set or folder where a format finds other records of the technology; the packaged set by default.
    at : mapping, optional
        Where the model was fitted, as ``{"corner": "tt", "temp": 85.0}``.

    Raises
    ------
    ExportError
        If the format cannot express the model; the message says what would be lost.
    DataError
        If the record does not agree with its circuit, or lacks what the format needs.
    """
    target = load_target(to)
    request = _make_request(record, companions)
    _check_effect(target, record, model, at or {})
    try:
        with np.errstate(all="ignore"):
            if target.explain_refusal is not None:
                request = _choose_fit(target, request, model, at or {})
            return target.make_files(request)
    except (ArithmeticError, ValueError, OverflowError) as error:
        if isinstance(error, RequestError):
            raise
        raise ExportError(
            f"{target.name} cannot express record {record.circuit}.{record.study}: its numbers give {error}"
        ) from None


def _make_request(record: Record, companions: str | Path | None) -> Request:
    """Check the record against its circuit, and request it whole."""
    circuit = registry.load_circuit(record.circuit)
    check_record(record, circuit)
    # What a record says of its technology chooses among packaged records only, never a folder.
    packaged = record.technology if record.technology in registry.record_sets() else ""
    return Request(
        record=record,
        digest=hashlib.sha256(record.to_json().encode()).hexdigest()[:16],
        circuit=circuit,
        fit=None,
        model=None,
        companions=companions or packaged,
    )


def _check_effect(target: Target, record: Record, model: str | None, at: Conditions) -> None:
    """Refuse what would have no effect: a model for a format of whole records, a condition that no fit has."""
    if target.explain_refusal is None and (model is not None or at):
        raise ExportError(f"{target.name} takes the whole record: leave out the model and where it was fitted")
    known = dict.fromkeys(name for fit in record.fits for name in fit.conditions)
    if unknown := [name for name in at if name not in known]:
        raise ExportError(f"no fit of the record has a condition {unknown[0]!r}; have {', '.join(known) or 'none'}")


def _choose_fit(target: Target, request: Request, model: str | None, at: Conditions) -> Request:
    """Add the fit to export: the wanted one, or the first that the format can express."""
    if model is not None:
        wanted = _add_fit(request, request.record.fit(model, **dict(at)))
        if why := _explain_refusal(target, wanted):
            raise ExportError(f"{target.name} cannot express {request.record.circuit} {model}: {why}")
        return wanted
    fits = [fit for fit in request.record.fits if at.items() <= fit.conditions.items()]
    reasons = []
    for fit in sorted(fits, key=lambda fit: fit.form != FITTED):
        wanted = _add_fit(request, fit)
        if not (why := _explain_refusal(target, wanted)):
            return wanted
        reasons.append(f"{fit.model}: {why}")
    where = f"record {request.record.circuit}.{request.record.study}"
    raise ExportError(f"{target.name} cannot express {where}: {'; '.join(reasons) or 'no model at these conditions'}")


def _add_fit(request: Request, fit: Fit) -> Request:
    return replace(request, fit=fit, model=request.circuit.model(fit.model))


def _explain_refusal(target: Target, request: Request) -> str:
    return target.explain_refusal(request) if target.explain_refusal else ""


def export(
    record: Record,
    to: str,
    folder: Path | str,
    *,
    model: str | None = None,
    companions: str | Path | None = None,
    at: Conditions | None = None,
) -> list[Path]:
    """Write a record in another format into a folder and return the files.

    Parameters and errors are those of `export_files`.

    Raises
    ------
    RequestError
        If the folder cannot be written, or already contains one of the files with another content.
    """
    content = export_files(record, to, model=model, companions=companions, at=at)
    folder = make_folder(Path(folder))
    if odd := [name for name in content if Path(name).name != name]:
        raise ExportError(f"{to}: {shown(odd[0])} is no name of a file; rename the record's study")
    encoded = {folder / name: text.encode() if isinstance(text, str) else text for name, text in content.items()}
    for path, data in encoded.items():
        check_writable(path)
        if path.exists() and read_bytes(path, "file", most=MOST_TABLE) != data:
            raise RequestError(f"{path} exists and differs; choose another folder with --out, or delete it")
    for path, data in encoded.items():
        write_bytes(path, data)
    return list(encoded)
