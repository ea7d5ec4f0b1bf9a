"""Characterize gain-cell circuits in ngspice and fit compact models that state their own error.

The names below are the public interface; each is loaded when it is first used, so that a simulator process
does not pay for the plotting library.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Installed, circuits, netlists and fits are below this folder; in a checkout they are beside it.
_CHECKOUT = Path(__file__).parents[1]
if not (Path(__file__).parent / "circuits").is_dir() and (_CHECKOUT / "pyproject.toml").is_file():
    __path__.append(str(_CHECKOUT))

if TYPE_CHECKING:
    from .declare.bench import Op, Tran
    from .errors import GaincellError
    from .fitting.record import Record, read_record
    from .montecarlo.campaign import plan_campaign
    from .montecarlo.execute import run_campaign
    from .montecarlo.results import collect
    from .registry import load_circuit, load_model, load_random, load_record, load_technology, plan_bench
    from .spice.pool import Pool
    from .storage.tables import read_table, write_dataset
    from .sweeping.run import characterize, simulate

_HOMES = {
    "GaincellError": "errors",
    "Op": "declare.bench",
    "Pool": "spice.pool",
    "Record": "fitting.record",
    "Tran": "declare.bench",
    "characterize": "sweeping.run",
    "collect": "montecarlo.results",
    "load_circuit": "registry",
    "load_model": "registry",
    "load_random": "registry",
    "load_record": "registry",
    "load_technology": "registry",
    "plan_bench": "registry",
    "plan_campaign": "montecarlo.campaign",
    "read_record": "fitting.record",
    "read_table": "storage.tables",
    "run_campaign": "montecarlo.execute",
    "simulate": "sweeping.run",
    "write_dataset": "storage.tables",
}
__all__ = [
    "GaincellError",
    "Op",
    "Pool",
    "Record",
    "Tran",
    "__version__",
    "characterize",
    "collect",
    "load_circuit",
    "load_model",
    "load_random",
    "load_record",
    "load_technology",
    "plan_bench",
    "plan_campaign",
    "read_record",
    "read_table",
    "run_campaign",
    "simulate",
    "write_dataset",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
