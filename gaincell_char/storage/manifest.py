"""``campaign.json``: identity of the campaign or comparison in a folder, and its check against a request."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError, RequestError, StorageError
from . import untrusted
from .schema_fields import Name, Text, complaint
from .tables import check_folder, explain_error, make_folder, make_inside, shown_path, write_atomically

MANIFEST, SHARDS = "campaign.json", "shards"
MOST_SAMPLES = 10_000_000
"""Largest number of samples of a campaign."""
_DIGEST = r"\A[0-9a-f]{16}\z"


class _Manifest(BaseModel):
    """Schema of ``campaign.json``."""

    model_config = ConfigDict(extra="forbid")

    digest: Annotated[str, Field(pattern=_DIGEST)]
    source: Annotated[str, Field(pattern=_DIGEST)]
    simulator: Text
    n: Annotated[int, Field(ge=0, le=MOST_SAMPLES)]
    request: dict[Name, Any]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Content of ``campaign.json``.

    Attributes
    ----------
    digest : str
        Hash of everything that determines the results, except source code and simulator.
    source : str
        Hash of the source code, from `identity.source_digest`.
    simulator : str
        Name and version, for example ``"ngspice 39"``; empty if unknown.
    n : int
        Number of requested samples.
    request : mapping
        Arguments of the campaign in JSON form.
    """

    digest: str
    source: str
    simulator: str
    n: int
    request: Mapping[str, Any]

    def to_json(self) -> str:
        """Serialize as JSON; floating-point numbers are exact."""
        said = asdict(self) | {"request": dict(self.request)}
        return json.dumps(said, indent=1) + "\n"


_REMEDY = "delete it, and run the same command again: finished points are kept"


def read_manifest(folder: Path) -> Manifest:
    """Read ``campaign.json``.

    Raises
    ------
    DataError
        If the file is missing or cannot be read.
    """
    path = folder / MANIFEST
    try:
        missing = not path.exists()
    except (OSError, ValueError):
        missing = True
    if missing:
        raise DataError(f"{shown_path(folder)} contains no campaign: {MANIFEST} is missing")
    text = untrusted.read_text(path, "campaign", below=folder)
    try:
        raw = untrusted.parse_json(text, shown_path(path))
    except DataError as error:
        raise DataError(f"{error}; {_REMEDY}") from None
    if isinstance(raw, dict) and not {"source", "simulator"} <= raw.keys():
        raise DataError(
            f"{shown_path(path)} was written by an older version, without source code and simulator; "
            "choose another folder"
        )
    try:
        said = _Manifest.model_validate(raw)
    except ValidationError as error:
        raise DataError(f"{shown_path(path)} is damaged: {complaint(error)}; {_REMEDY}") from None
    return Manifest(**dict(said))


def check_campaign_folder(folder: Path, manifest: Manifest) -> None:
    """Check that a campaign can be written to a folder, without creating anything.

    Raises
    ------
    RequestError
        If the folder cannot be created or written, or contains a different campaign; the message states the difference.
    """
    check_folder(folder)
    check_places(folder, *FOLDERS)
    if (folder / MANIFEST).exists():
        compare(folder, manifest)


_FILES = frozenset(
    (
        MANIFEST,
        "results.parquet",
        "draws.parquet",
        "record.json",
        "index.html",
        "compare.json",
        "inputs.npz",
        "run.json",
    )
)
FOLDERS = (SHARDS, "figures", "tables", "decks")
"""Folders inside the folder of a campaign or comparison."""
_ENDINGS = frozenset((".csv", ".json", ".nc", ".png", ".svg", ".cir"))


def check_places(folder: Path, *names: str) -> None:
    """Check that no folder has the name of a result file in a folder of results, and vice versa.

    Parameters
    ----------
    names : str
        Folders inside `folder` for results.

    Raises
    ------
    RequestError
        If a name is taken, in `folder` or in a folder inside it.
    """
    check_no_folders(folder, _FILES)
    for inner in (folder / name for name in names):
        if inner.exists() and not inner.is_dir():
            raise RequestError(
                f"{shown_path(inner)} is a file, but must be a folder; remove it, or choose another folder"
            )
        check_no_folders(inner)


def check_no_folders(folder: Path, names: Collection[str] = ()) -> None:
    """Raise `RequestError` if a folder inside `folder` has one of these names; without names, a file ending."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path.name in names if names else path.suffix in _ENDINGS) and path.is_dir():
            raise RequestError(
                f"{shown_path(path)} is a folder, but must be a file; remove it, or choose another folder"
            )


def open_folder(folder: Path, manifest: Manifest) -> None:
    """Create the folder of a campaign, or check that it contains this campaign.

    A folder with shards but without ``campaign.json`` is accepted: the key of each row identifies its campaign.  The
    manifest keeps the largest requested number of samples, so that parts of a campaign may request fewer.

    Raises
    ------
    RequestError
        If the folder cannot be created, or contains a different campaign; the message states the difference.
    """
    check_campaign_folder(folder, manifest)
    make_folder(folder)
    make_inside(folder, SHARDS)
    there = read_manifest(folder).n if (folder / MANIFEST).exists() else 0
    write_whole(folder / MANIFEST, replace(manifest, n=max(manifest.n, there)).to_json().encode())


def compare(folder: Path, here: Manifest) -> None:
    """Raise `RequestError` unless a folder contains this campaign; the message states the difference."""
    there = read_manifest(folder)
    other_simulator = bool(here.simulator) and there.simulator != here.simulator
    if (there.digest, there.source) == (here.digest, here.source) and not other_simulator:
        return
    why_not = "; ".join(_differences(there.request, here.request))
    if not why_not and there.source != here.source:
        why_not = (
            "the source code of this package or of the circuit's declaration has changed since, and "
            "old and new results are not mixed"
        )
    elif not why_not and other_simulator:
        why_not = _other_simulator(there.simulator, here.simulator)
    why_not = why_not or "the netlist, the technology or the records have changed since"
    raise RequestError(
        f"{shown_path(folder)} contains a different campaign: {why_not}; choose another folder, or the same request"
    )


def check_simulator(folder: Path, simulator: str) -> None:
    """Check that the points in a folder were simulated by the version that is to continue with them.

    Parameters
    ----------
    folder : Path
        Folder of a campaign.
    simulator : str
        Name and version, for example ``"ngspice 39"``.

    Raises
    ------
    RequestError
        If they were simulated by another version.
    """
    there = read_manifest(folder).simulator
    if there != simulator:
        raise RequestError(f"{shown_path(folder)}: {_other_simulator(there, simulator)}")


def _other_simulator(there: str, here: str) -> str:
    return (
        f"it was simulated by {_short(there)}, not by {here}, and results of different versions are not mixed: "
        "name the library of that version with --ngspice"
    )


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for name in here:
        if here[name] != there.get(name):
            yield f"{name} is {_short(there.get(name))} there and {_short(here[name])} here"


def _short(value: object) -> str:
    text = untrusted.printable(str(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def write_whole(path: Path, data: bytes) -> None:
    """Write a file of a campaign's folder.

    Raises
    ------
    StorageError
        If it cannot be written; the message states that finished points are kept.
    """
    try:
        write_atomically(path, lambda part: part.write_bytes(data))
    except OSError as error:
        advice = "create its folder again" if not path.parent.is_dir() else "free disk space"
        raise StorageError(
            f"{shown_path(path)} could not be written ({explain_error(error)}); finished points are kept: {advice} and "
            "run the same command again"
        ) from error
