"""The verb ``compare``: attention heads in SPICE and in the software model, with the same tensors."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry
from ..declare.bench import Floats
from ..declare.periphery import Periphery, check_periphery
from ..errors import ParameterError
from ..fitting.at_conditions import NOMINAL
from ..spice.pool import Pool
from ..storage.manifest import check_campaign_folder
from ..sweeping.arguments import check_count, check_flag, check_number, check_word, check_words, refusal
from ..sweeping.run import as_folder
from ..validation.score import ValidationResult
from .comparison import plan_comparison, run_comparison
from .simulators import use_pool
from .watcher import SILENT

_DRAWS, _R_CLAMP = 400, 300.0
_DRAWN = {"instances": 1, "tokens": 64, "dim": 64}
"""Default size of random tensors."""


def compare(
    folder: Path | str | None = None,
    *,
    head: str = registry.DEFAULT_HEAD,
    records: Path | str | None = None,
    operations: Sequence[str] = (),
    inputs: Path | str | Mapping[str, Floats] | None = None,
    instances: int | None = None,
    tokens: int | None = None,
    dim: int | None = None,
    continuous: bool = False,
    seed: int = 1,
    columns: int = 8,
    queries: int = 1,
    clamp: str = "ideal",
    r_clamp: float | None = None,
    c_wire: float = 0.8e-15,
    r_wire: float = 0.0,
    periphery: Periphery | None = None,
    write: bool = False,
    hold: float = 0.0,
    mismatch: bool = False,
    draws: int | None = None,
    corner: str = NOMINAL.corner,
    temp: float = NOMINAL.temp,
    vdd: float | None = NOMINAL.supply,
    technology: Path | str = registry.DEFAULT_TECHNOLOGY,
    workers: int | None = None,
    timeout_s: float | None = None,
    pool: Pool | None = None,
) -> ValidationResult:
    """Compare ngspice and the PyTorch model on the same tensors, as ``gaincell compare`` does.

    Parameters
    ----------
    folder : Path or str, optional
        Folder of the comparison.  An existing comparison is resumed: missing and failed columns are simulated.  By
        default nothing is stored.
    head : str
        Attention head: the circuits it is built from.
    records : Path or str, optional
        Records of the software model: packaged set or folder; by default the records of the technology.
    operations : sequence of str
        Operations of the head, for example ``["scores"]``; all by default.
    inputs : Path, str or mapping, optional
        An ``.npz`` file with arrays Q, K and V, or a mapping of these names to arrays, each of shape (tokens, dim) or
        (instances, tokens, dim): Q dimensionless, from 0 to 1; K and V voltages [V].  Random tensors by default.
    instances, tokens, dim : int, optional
        Number of random heads, their tokens and their dimension; 1, 64 and 64 by default.
    continuous : bool
        Draw random tensors from their whole ranges instead of the 16 input levels and 8 stored levels of the hardware.
    seed : int
        Seed of random tensors, columns and device mismatch.
    columns, queries : int
        Number of simulated columns of each array, and of simulated queries of each head, the last ones; 0 for all.
    clamp : {"ideal", "resistor", "passive"}
        Clamp of the bitlines.
    r_clamp : float, optional
        Resistance of the clamp "resistor" [ohm]; 300 by default.
    c_wire, r_wire : float
        Capacitance [F] and resistance [ohm] of the bitline wire per cell.
    periphery : Periphery, optional
        Resistances of row drivers, wires and supply; SPICE then simulates whole arrays.  None by default.
    write : bool
        K and V are voltages of the DAC that writes the cells: SPICE simulates the write, and the software model has it.
    hold : float
        Time that the written cells are idle before the first pulse [s]; needs `write`.
    mismatch : bool
        Draw mismatch for every device, and compute the coverage of the model's intervals.
    draws : int, optional
        Random arrays per interval of the software model; 400 by default.
    corner, temp, vdd : str, float, float
        Process corner, temperature [degC], and supply [V], that of the technology by default; in SPICE and in the
        software model.
    technology : Path or str
        Name of a technology, or path of its folder.
    workers : int, optional
        Simulator processes; one per core by default.
    timeout_s : float, optional
        Time limit of one simulation [s]; 60 s by default.
    pool : Pool, optional
        Running simulators to use instead of new ones.

    Returns
    -------
    ValidationResult
        ``rows``, ``summary`` and ``coverage``; ``disagreements(form)`` lists differences that exceed the error stated
        in the records.  A failed column is a row with its reason.

    Raises
    ------
    RequestError
        If an argument is invalid or would have no effect, or the folder contains another comparison.
    StorageError
        If a file could not be written.
    TorchMissingError, NgspiceMissingError
        If PyTorch or ngspice is not installed.

    Examples
    --------
    >>> import gaincell_char as gc
    >>> found = gc.compare(operations=["scores"], tokens=4, dim=4, columns=1, workers=1)
    >>> found.rows["status"].tolist(), found.disagreements()
    (['ok'], [])
    """
    sizes = {"instances": instances, "tokens": tokens, "dim": dim}
    _check_effect(inputs, {**sizes, "continuous": True if check_flag("continuous", continuous) else None})
    counts = {"seed": seed, "columns": columns, "queries": queries, **_choose_sizes(sizes)}
    held = {"temp": temp, "hold": hold, "c_wire": c_wire, "r_wire": r_wire, "r_clamp": _choose_r_clamp(r_clamp, clamp)}
    request: dict[str, Any] = {
        "head": check_word("head", head),
        "records": None if records is None else _check_place("records", records),
        "operations": check_words("operations", operations),
        "clamp": check_word("clamp", clamp),
        "mismatch": check_flag("mismatch", mismatch),
        "write": check_flag("write", write),
        "periphery": check_periphery(periphery),
        "continuous": continuous,
        "corner": check_word("corner", corner),
        "vdd": None if vdd is None else check_number("vdd", vdd),
        "technology": _check_place("technology", technology),
    }
    request |= {name: check_count(name, value) for name, value in counts.items()}
    request |= {name: check_number(name, value) for name, value in held.items()}
    where = None if folder is None else as_folder(folder)
    with use_pool(pool, workers, timeout_s) as simulators, _temporary() as scratch:
        request["path"] = _find_inputs(inputs, scratch)
        return _run(request, _choose_draws(draws, mismatch=mismatch), where or scratch / "comparison", simulators)


def _run(request: Mapping[str, Any], draws: int, folder: Path, pool: Pool) -> ValidationResult:
    plan = plan_comparison(draws, **request)
    check_campaign_folder(folder, plan.comparison.manifest(plan.todo))
    return run_comparison(plan, folder, pool, SILENT).judged


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gaincell-compare-") as name:
        yield Path(name)


def _check_effect(inputs: object, sizes: Mapping[str, int | None]) -> None:
    given = [name for name, size in sizes.items() if size is not None]
    if inputs is not None and given:
        raise ParameterError(f"{given[0]} has no effect here: inputs specifies the tensors")


def _choose_sizes(sizes: Mapping[str, int | None]) -> dict[str, int]:
    return {name: _DRAWN[name] if size is None else size for name, size in sizes.items()}


def _choose_r_clamp(r_clamp: float | None, clamp: str) -> float:
    if r_clamp is not None and clamp != "resistor":
        raise ParameterError("r_clamp has no effect here: it needs clamp='resistor'")
    return _R_CLAMP if r_clamp is None else r_clamp


def _choose_draws(draws: int | None, *, mismatch: bool) -> int:
    if draws is not None and not mismatch:
        raise ParameterError("draws has no effect here: it needs mismatch=True")
    return _DRAWS if draws is None else check_count("draws", draws)


def _check_place(name: str, value: object) -> str:
    """Return a name or a path as text."""
    return str(value) if isinstance(value, Path) else check_word(name, value)


def _find_inputs(inputs: object, scratch: Path) -> Path | None:
    """File of the tensors; arrays are written to one, because the checks are those of a file."""
    if isinstance(inputs, Mapping):
        return _write_inputs({str(name).upper(): array for name, array in inputs.items()}, scratch / "inputs.npz")
    if not isinstance(inputs, Path | str | None):
        raise refusal("inputs", inputs, "a path, or arrays named Q, K and V")
    return None if inputs is None else Path(inputs)


def _write_inputs(arrays: Mapping[str, object], path: Path) -> Path:
    if set(arrays) != {"Q", "K", "V"}:
        raise ParameterError(f"inputs contains {', '.join(arrays) or 'nothing'}; it must contain Q, K and V")
    try:
        np.savez(path, Q=np.asarray(arrays["Q"]), K=np.asarray(arrays["K"]), V=np.asarray(arrays["V"]))
    except ValueError as error:  # rows of different lengths
        raise ParameterError(f"inputs: {error}") from None
    return path
