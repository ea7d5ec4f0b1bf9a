"""Finished points of a campaign on disk, in files written completely or not at all.

Each file in ``shards/`` contains rows of any samples; its name ends in the hash of its content, so damage is detected.
Any number of processes may add files at the same time.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import untrusted
from .frames import frame_of_parquet
from .manifest import SHARDS, write_whole
from .tables import parquet_of, shown_path

KEYS = ("sample", "point")
OK, FAILED = "ok", "failed"
_DAMAGED = ".damaged"
_LARGEST_INTEGER = 2**40


def write_shard(folder: Path, rows: pd.DataFrame) -> Path:
    """Write rows as a new shard and return its path.

    Raises
    ------
    StorageError
        If the shard cannot be written.
    """
    data = parquet_of(rows)
    name = f"{int(rows['sample'].min()):08d}-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    path = folder / SHARDS / name
    write_whole(path, data)
    return path


def read_shards(folder: Path, say: Callable[[str], None] = lambda _: None) -> pd.DataFrame | None:
    """Read all rows of all shards, unordered, with repeated points; None if there are no shards.

    A damaged shard is renamed, with a message to `say`, and its points count as not simulated.
    """
    paths = sorted((folder / SHARDS).glob("*.parquet"))
    parts = [part for path in paths if (part := _read(path, folder, say)) is not None]
    return None if not parts else pd.concat(parts, ignore_index=True)


def with_keys(rows: pd.DataFrame, expected: Sequence[str]) -> pd.DataFrame:
    """Select the rows with the expected key; none if the rows have no keys."""
    keys = rows["key"].tolist() if "key" in rows else [""] * len(rows)
    return rows[[key == other for key, other in zip(keys, expected, strict=True)]]


def once(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep each point once, ordered by sample and point; a finished row has priority over a failed one."""
    rows = rows.sort_values([*KEYS, "status", "reason"], ascending=[True, True, False, True], kind="stable")
    return rows.drop_duplicates(list(KEYS), keep="first").reset_index(drop=True)


def _read(path: Path, folder: Path, say: Callable[[str], None]) -> pd.DataFrame | None:
    data = untrusted.read_bytes(path, "shard", most=untrusted.MOST_TABLE, below=folder)
    if hashlib.sha256(data).hexdigest()[:16] == path.stem.partition("-")[2]:
        try:
            return _checked(frame_of_parquet(data))
        # The library raises different exceptions for different kinds of damage.
        except Exception as error:
            said = untrusted.printable((str(error).splitlines() or [type(error).__name__])[0])
            found = f"is not a shard of a campaign ({said})"
    else:
        found = "is damaged"
    aside = path.with_suffix(_DAMAGED)
    path.replace(aside)
    say(f"{shown_path(path)} {found}; it is renamed to {aside.name}, and its points will be simulated again")
    return None


def _checked(rows: pd.DataFrame) -> pd.DataFrame:
    """Check the types of the columns; raises `ValueError` or `LookupError`."""
    for name in KEYS:
        column = rows[name]
        if column.dtype.kind not in "iu" or not column.between(0, _LARGEST_INTEGER).all():
            raise ValueError(f"column {name} does not contain whole numbers from 0")
    if not rows["status"].isin((OK, FAILED)).all():
        raise ValueError("column status contains values other than ok and failed")
    reasons = rows["reason"].astype(str)
    if not reasons.map(str.isprintable).all() or reasons.str.len().max() > untrusted.LONGEST_TEXT:
        raise ValueError("column reason contains values that are not a line of text")
    return rows.assign(reason=reasons)


def make_keys(
    digests: Sequence[str], rows: Mapping[int, Any], points: Iterable[int], samples: Iterable[int], copies: int
) -> list[str]:
    """Hash of each simulated point: its deck, its position in the group, the device values of the whole group.

    Parameters
    ----------
    digests : sequence of str
        Point -> hash of its deck and of the source code.
    rows : mapping
        Point -> device values of every sample, shape (n_samples, n_targets), in SI units.
    points, samples : iterable of int
        Grid point and sample of each simulated point.
    copies : int
        Samples per group.
    """
    groups: dict[tuple[int, int], str] = {}
    found = []
    for point, sample in zip(points, samples, strict=True):
        first = sample - sample % copies
        if (point, first) not in groups:
            values = np.ascontiguousarray(rows[point][first : first + copies])
            text = f"{digests[point]} ".encode() + values.tobytes()
            groups[point, first] = hashlib.sha256(text).hexdigest()[:16]
        found.append(f"{groups[point, first]}-{sample - first}")
    return found
