"""A campaign's folder: what was asked for, and every finished point in files that appear whole or not at all.

``campaign.json`` says which campaign the folder holds.  Each file in ``shards/`` holds rows of any samples; its
name ends in the hash of its rows, so a damaged one shows.  Any number of processes may add shards at a time.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import DataError, RequestError, StorageError
from .store import why, write_atomically

MANIFEST, SHARDS = "campaign.json", "shards"
KEYS = ("sample", "point")
FAILED = "failed"
_DAMAGED = ".damaged"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What ``campaign.json`` says: ``n`` samples of the campaign with this digest, made by this request."""

    digest: str
    n: int
    request: Mapping[str, Any]

    def to_json(self) -> str:
        """Serialise; floats survive the round trip exactly."""
        return json.dumps({"digest": self.digest, "n": self.n, "request": dict(self.request)}, indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read ``campaign.json``.

    Raises
    ------
    DataError
        If the folder holds no campaign.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(digest=str(raw["digest"]), n=int(raw["n"]), request=dict(raw["request"]))
    except OSError:
        raise DataError(f"{folder} holds no campaign: there is no {MANIFEST} in it") from None
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}); the campaign can be started again in another folder") from None


def open_folder(folder: Path, manifest: Manifest) -> None:
    """Make a campaign's folder, or check that it holds this campaign.

    Raises
    ------
    RequestError
        If it cannot be made, or holds another campaign; the message says what differs.
    """
    try:
        (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"{folder} cannot be made: {why(error)}; choose another place") from None
    if (folder / MANIFEST).exists():
        compare(folder, manifest)
    else:
        if any((folder / SHARDS).glob("*.parquet")):
            raise RequestError(f"{folder} holds shards but no {MANIFEST}; choose another folder")
    _write(folder / MANIFEST, manifest.to_json().encode())


def compare(folder: Path, here: Manifest) -> None:
    """Raise `RequestError` unless a folder holds this campaign; the message says what differs."""
    there = read_manifest(folder)
    if there.digest == here.digest:
        return
    names = [name for name in here.request if here.request[name] != there.request.get(name)]
    shown = [
        f"{name} is {_short(there.request.get(name))} there and {_short(here.request[name])} here" for name in names
    ]
    differs = "; ".join(shown) or "the netlist, the technology or this package has changed since"
    raise RequestError(f"{folder} holds another campaign: {differs}; choose another folder, or ask for the same")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def write_shard(folder: Path, rows: pd.DataFrame) -> Path:
    """Write rows as one more shard, and return where it is.

    Raises
    ------
    StorageError
        If it could not be written.
    """
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    data = buffer.getvalue()
    name = f"{int(rows['sample'].min()):08d}-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    path = folder / SHARDS / name
    _write(path, data)
    return path


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, lambda part: part.write_bytes(data))
    except OSError as error:
        raise StorageError(
            f"{path} could not be written ({why(error)}); what is finished is kept: make room and run the same again"
        ) from error


def read_shards(folder: Path, say: Callable[[str], None] = lambda _: None) -> pd.DataFrame | None:
    """Every finished point, each once, by sample and point; None before the first.

    A damaged shard is put aside and its points count as not run; `say` is told.
    """
    parts = [part for path in sorted((folder / SHARDS).glob("*.parquet")) if (part := _read(path, say)) is not None]
    if not parts:
        return None
    rows = pd.concat(parts, ignore_index=True)
    # A point that failed once and was tried again counts as what it was the last time, unless that failed too.
    rows = rows.sort_values([*KEYS, "status", "reason"], ascending=[True, True, False, True], kind="stable")
    return rows.drop_duplicates(list(KEYS), keep="first").reset_index(drop=True)


def find(folder: Path, sample: int, point: int) -> dict[str, Any] | None:
    """Return the row of one finished point, or None."""
    rows = read_shards(folder) if (folder / SHARDS).is_dir() else None
    if rows is None:
        return None
    mine = rows[(rows["sample"] == sample) & (rows["point"] == point) & (rows["status"] != FAILED)]
    return None if mine.empty else {str(k): _plain(v) for k, v in mine.iloc[0].to_dict().items()}


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _read(path: Path, say: Callable[[str], None]) -> pd.DataFrame | None:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest()[:16] == path.stem.partition("-")[2]:
            return pd.read_parquet(io.BytesIO(data))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    aside = path.with_suffix(_DAMAGED)
    path.replace(aside)
    say(f"{path.name} is damaged; it is put aside as {aside.name}, its points will be simulated again")
    return None


def keys(
    digests: Sequence[str], rows: Mapping[int, Any], points: Iterable[int], samples: Iterable[int], copies: int
) -> list[str]:
    """Content hash of points: what was simulated, and beside what.

    Parameters
    ----------
    digests : sequence of str
        Point -> hash of its deck.
    rows : mapping
        Point -> values of the devices of every sample there.
    """
    found = []
    for point, sample in zip(points, samples, strict=True):
        first = sample - sample % copies
        group = np.ascontiguousarray(rows[point][first : first + copies])
        text = f"{digests[point]} {sample - first} ".encode() + group.tobytes()
        found.append(hashlib.sha256(text).hexdigest()[:16])
    return found
