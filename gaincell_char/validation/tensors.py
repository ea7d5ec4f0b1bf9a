"""Tensors of a validation: drawn, or read from a file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..declare.bench import Floats
from ..errors import DataError
from ..storage import untrusted
from ..storage.foreign_tables import load_arrays
from ..storage.frames import parsed
from ..storage.tables import shown_path


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Tensors of one or more heads, shape (instances, tokens, dim): q dimensionless in [0, 1], k and v in [V]."""

    q: Floats
    k: Floats
    v: Floats

    @property
    def shape(self) -> tuple[int, int, int]:
        """Instances, tokens, dim."""
        instances, tokens, dim = self.q.shape
        return instances, tokens, dim

    @property
    def digest(self) -> str:
        """Hash of the numbers."""
        return hashlib.sha256(b"".join(np.ascontiguousarray(x).tobytes() for x in (self.q, self.k, self.v))).hexdigest()


def random_inputs(
    instances: int, tokens: int, dim: int, vdd: float, seed: int, levels: tuple[int, int] | None = None
) -> Inputs:
    """Draw tensors of shape (`instances`, `tokens`, `dim`): q from [0, 1], k and v from [0, `vdd`] in volts.

    With `levels` they are drawn from that many equally spaced input levels and stored levels, ends included.
    Instance i depends only on `seed`, not on the number of instances.
    """
    drawn = [np.random.default_rng([seed, i]).random((3, tokens, dim)) for i in range(instances)]
    q, k, v = np.stack(drawn, 1)
    if levels:
        q, k, v = (_choose_level(x, count) for x, count in ((q, levels[0]), (k, levels[1]), (v, levels[1])))
    return Inputs(q=q, k=vdd * k, v=vdd * v)


def _choose_level(uniform: Floats, count: int) -> Floats:
    """One of equally spaced levels from 0 to 1 for each number from 0 to 1."""
    return np.asarray(np.floor(count * uniform) / (count - 1))


def read_inputs(path: Path, vdd: float) -> Inputs:
    """Read Q, K and V from an ``.npz`` file, each of shape (tokens, dim) or (instances, tokens, dim).

    Raises
    ------
    DataError
        If an array is missing, or contains anything but numbers in the valid range: 0 to 1 for Q, 0 to `vdd` for K, V.
    """
    where = shown_path(path)
    data = untrusted.read_bytes(path, "tensors", most=untrusted.MOST_TABLE)
    try:
        loaded = parsed(path, lambda: load_arrays(data))
    except DataError as error:
        raise DataError(f"{error}; it must be an .npz file with Q, K and V") from None
    found = {name.lower(): array for name, array in loaded.items()}
    if twice := [name for name in ("q", "k", "v") if name in loaded and name.upper() in loaded]:
        raise DataError(f"{where} contains two arrays, {twice[0].upper()} and {twice[0]}; remove one")
    if missing := {"q", "k", "v"} - set(found):
        have = untrusted.printable(", ".join(found))[:200] or "nothing"
        raise DataError(f"{where} contains {have}; {', '.join(sorted(missing))} are missing")
    if odd := [name for name in "qkv" if found[name].dtype.kind not in "fiu"]:
        raise DataError(f"{where}: {odd[0].upper()} is an array of {found[odd[0]].dtype}; it must be of real numbers")
    arrays = {n: np.asarray(found[n][None] if found[n].ndim == 2 else found[n], dtype=float) for n in "qkv"}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 3:
        raise DataError(
            f"{where}: Q, K and V have shapes {', '.join(str(found[n].shape) for n in 'qkv')}; they must have the same "
            "shape, (tokens, dim) or (instances, tokens, dim)"
        )
    for name, high, unit in (("q", 1.0, ""), ("k", vdd, " V"), ("v", vdd, " V")):
        if not ((arrays[name] >= 0) & (arrays[name] <= high)).all():
            raise DataError(f"{where}: {name.upper()} must be within 0 to {high:g}{unit}, without NaN")
    if 0 in arrays["q"].shape:
        raise DataError(f"{where}: Q, K and V are empty; use at least one token")
    return Inputs(**arrays)
