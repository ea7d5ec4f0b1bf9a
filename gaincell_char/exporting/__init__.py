"""A record -> files that other tools read: macro-models, device classes, tables.

Input: a record and the name of a format.  Output: the texts of files, which state the parts of the model they omit.
Start with `target`, which defines a format; each format is a file in ``targets/`` that ends in ``TARGET = ...``.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import registry
from ..errors import ExportError, ParameterError, RequestError
from ..fitting.fit import FITTED, Fit
from ..fitting.fitted import check_record
from ..fitting.record import Record
from ..storage.tables import check_writable, make_folder, write_bytes
from ..storage.untrusted import MOST_TABLE, read_bytes, shown
from ..sweeping.arguments import check_values, check_word
from ..sweeping.run import as_folder
from .target import Request, Target

__all__ = ["Request", "Target", "export", "export_files", "export_names", "load_target"]

Conditions = Mapping[str, float | str]
"""Conditions of a fit, for example ``{"corner": "tt", "temp": 85.0}``."""


def export_names() -> tuple[str, ...]:
    """Names of all export formats, sorted."""
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
        If the format is unknown.
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
    """Return the files written by `export`, as file name -> content.

    Parameters
    ----------
    record : Record
        The record.
    to : str
        Name of the format.
    model : str, optional
        Model to export: by default the first of form "fitted" that the format can express, else the first of any form.
    companions : str or Path, optional
        Packaged set or folder of other records of the technology, if the format needs them; by default the packaged
        set of the record's technology.
    at : mapping, optional
        Conditions of the fit, for example ``{"corner": "tt", "temp": 85.0}``.

    Raises
    ------
    ExportError
        If the format cannot express the model; the message states what would be lost.
    DataError
        If the record contradicts its circuit, or is incomplete for the format.
    """
    _check_arguments(record, to, model, companions, at)
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
            f"{target.name} cannot express record {record.circuit}.{record.study}: its numbers cause an error: {error}"
        ) from None


def _check_arguments(record: object, to: object, model: object, companions: object, at: object) -> None:
    """Refuse arguments of the wrong type."""
    if not isinstance(record, Record):
        raise ParameterError(
            f"record is of type {type(record).__name__}; it must be a Record, for example from read_record"
        )
    check_word("to", to)
    if model is not None:
        check_word("model", model)
    if not isinstance(companions, str | Path | None):
        raise ParameterError(f"companions is of type {type(companions).__name__}; it must be a name or a path")
    check_values("at", at)


def _make_request(record: Record, companions: str | Path | None) -> Request:
    """Check the record against its circuit, and return a request for the whole record."""
    circuit = registry.load_circuit(record.circuit)
    check_record(record, circuit)
    # The technology named in a record selects among packaged records only, never a folder.
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
    """Reject arguments without effect: a model for a format of whole records, or an unknown condition."""
    if target.explain_refusal is None and (model is not None or at):
        raise ExportError(f"{target.name} exports the whole record: omit the model and the conditions")
    known = dict.fromkeys(name for fit in record.fits for name in fit.conditions)
    if unknown := [name for name in at if name not in known]:
        raise ExportError(f"no fit of the record has a condition {unknown[0]!r}; have {', '.join(known) or 'none'}")


def _choose_fit(target: Target, request: Request, model: str | None, at: Conditions) -> Request:
    """Add the fit to export: the selected one, or the first that the format can express."""
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
    """Write a record in another format into a folder and return the files, as ``gaincell export`` does.

    Parameters
    ----------
    record : Record
        From `load_record`, `read_record`, `fit` or `monte_carlo`.
    to : str
        Name of the format; `export_names` lists them.
    folder : Path or str
        Folder of the files; created if it does not exist.
    model : str, optional
        Model to export: by default the first of form "best" that the format can express, else the first of any form.
    companions : str or Path, optional
        Packaged set or folder of other records of the technology, if the format needs them; by default the packaged
        set of the record's technology.
    at : mapping, optional
        Conditions of the fit, for example ``{"corner": "tt", "temp": 85.0}`` with ``temp`` in degC.

    Returns
    -------
    list of Path
        The written files.

    Raises
    ------
    RequestError
        If the folder cannot be written, or already contains one of the files with different content.
    ExportError
        If the format is unknown or cannot express the model; the message states what would be lost.
    DataError
        If the record contradicts its circuit, or is incomplete for the format.
    StorageError
        If a file could not be written.

    Examples
    --------
    >>> import gaincell_char as gc
    >>> record = gc.load_record("gc28", "gain_cell.dc")
    >>> [path.name.split(".", 1)[1] for path in gc.export(record, "csv", "tables", model="cubic")]
    ['cubic.coefficients.csv', 'cubic.table.csv']
    """
    folder = as_folder(folder)
    content = export_files(record, to, model=model, companions=companions, at=at)
    make_folder(folder)
    if odd := [name for name in content if Path(name).name != name]:
        raise ExportError(f"{to}: {shown(odd[0])} is not a valid file name; rename the study of the record")
    encoded = {folder / name: text.encode() if isinstance(text, str) else text for name, text in content.items()}
    for path, data in encoded.items():
        check_writable(path)
        if path.exists() and read_bytes(path, "file", most=MOST_TABLE) != data:
            raise RequestError(f"{path} exists and differs; choose another folder with --out, or delete it")
    for path, data in encoded.items():
        write_bytes(path, data)
    return list(encoded)
