"""An array on disk: tensors as safetensors, everything else as JSON, with the records it was built from."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..errors import DataError, RequestError
from ..registry import find_record, load_head
from ..store import write_text
from .array import GainCellArray
from .bitline import Bitline
from .elements import chosen

SCHEMA_VERSION = 1
_TENSORS, _ABOUT, _RECORDS = "state.safetensors", "array.json", "records"


def save_array(array: GainCellArray, folder: Path | str) -> None:
    """Write an array to a folder: ``state.safetensors``, ``array.json``, and its records in ``records/``.

    Raises
    ------
    RequestError
        If the folder cannot be written.
    """
    folder = Path(folder)
    try:
        (folder / _RECORDS).mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in array.state_dict().items()}, folder / _TENSORS)
    except OSError as error:
        raise RequestError(f"{folder} cannot be written: {error.strerror}") from None
    for name in _needed(array):
        write_text(folder / _RECORDS / f"{name}.json", find_record(array.records, name).to_json())
    about = {
        "schema_version": SCHEMA_VERSION, "head": array.head, "form": array.form, "bitline": asdict(array.bitline),
        "read_noise": array.read_noise, "gradient": array.cell.gradient, "outside": array.cell.outside,
        "random": array.random is not None,
    }  # fmt: skip
    write_text(folder / _ABOUT, json.dumps(about, indent=1) + "\n")


def load_array(folder: Path | str) -> GainCellArray:
    """Read back what `save_array` wrote.

    Raises
    ------
    DataError
        If the folder holds no array, or one of another schema version.
    """
    folder = Path(folder)
    try:
        about: dict[str, Any] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        tensors = load_file(folder / _TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(f"{folder} holds no array: {error}") from None
    version = about.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise DataError(f"{folder / _ABOUT}: schema version {version}; this package reads version {SCHEMA_VERSION}")
    random, bitline = about.pop("random"), Bitline(**about.pop("bitline"))
    array = GainCellArray(tensors["v_store"], records=folder / _RECORDS, bitline=bitline, **about)
    if random:
        array.sample_mismatch()
    array.load_state_dict(tensors)
    return array


def _needed(array: GainCellArray) -> list[str]:
    """Names of the records an array is built from."""
    head = load_head(array.head)
    names = [f"{head.cell}.{chosen(head.forms, array.form).study}"]
    names += [f"{head.operations[0].converter}.{next(iter(head.operations[0].forms.values())).study}"]
    names += [f"{head.cell}.{head.sliced.study}"] if array.bitline.kind != "ideal" else []
    names += [f"{head.cell}.{head.random.study}"] if array.random is not None else []
    return names
