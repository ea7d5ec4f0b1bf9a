"""Characterize gain-cell circuits in ngspice and fit compact models that state their own error.

The names in ``__all__`` are the public interface.  Each is imported when it is first used, because the plotting library
takes a second to import.  Start with `sweep`, `fit`, `monte_carlo`, `compare`, `export`, `report` and `run`.

Example::

    >>> import gaincell_char as gc
    >>> cell = gc.load_model(gc.load_record("gc28", "gain_cell.dc"), "cubic")
    >>> f"{cell(0.9):.2e} A"
    '9.99e-06 A'
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Installed, circuits, netlists and fits are below this folder; in a checkout, next to it.
_CHECKOUT = Path(__file__).parents[1]
if not (Path(__file__).parent / "circuits").is_dir() and (_CHECKOUT / "pyproject.toml").is_file():
    __path__.append(str(_CHECKOUT))

if TYPE_CHECKING:
    from .declare.bench import Noise, Op, Tran
    from .errors import GaincellError
    from .exporting import export
    from .fitting.record import Record, read_record
    from .montecarlo.campaign import plan_campaign
    from .montecarlo.execute import run_campaign
    from .montecarlo.results import collect
    from .registry import load_circuit, load_model, load_random, load_record, load_technology, plan_bench
    from .reporting.report_verb import report
    from .spice.pool import Pool
    from .storage.tables import read_table, write_dataset
    from .sweeping.run import characterize, simulate
    from .workflows.compare_verb import compare
    from .workflows.fit_verb import FitWarning, fit
    from .workflows.monte_carlo_verb import monte_carlo
    from .workflows.records_at import records_at
    from .workflows.run_verb import run
    from .workflows.sweep_verb import sweep

_HOMES = {
    "FitWarning": "workflows.fit_verb",
    "GaincellError": "errors",
    "Noise": "declare.bench",
    "Op": "declare.bench",
    "Pool": "spice.pool",
    "Record": "fitting.record",
    "Tran": "declare.bench",
    "characterize": "sweeping.run",
    "collect": "montecarlo.results",
    "compare": "workflows.compare_verb",
    "export": "exporting",
    "fit": "workflows.fit_verb",
    "load_circuit": "registry",
    "load_model": "registry",
    "load_random": "registry",
    "load_record": "registry",
    "load_technology": "registry",
    "monte_carlo": "workflows.monte_carlo_verb",
    "plan_bench": "registry",
    "plan_campaign": "montecarlo.campaign",
    "read_record": "fitting.record",
    "records_at": "workflows.records_at",
    "read_table": "storage.tables",
    "report": "reporting.report_verb",
    "run": "workflows.run_verb",
    "run_campaign": "montecarlo.execute",
    "simulate": "sweeping.run",
    "sweep": "workflows.sweep_verb",
    "write_dataset": "storage.tables",
}
__all__ = [
    "FitWarning",
    "GaincellError",
    "Noise",
    "Op",
    "Pool",
    "Record",
    "Tran",
    "__version__",
    "characterize",
    "collect",
    "compare",
    "export",
    "fit",
    "load_circuit",
    "load_model",
    "load_random",
    "load_record",
    "load_technology",
    "monte_carlo",
    "plan_bench",
    "plan_campaign",
    "read_record",
    "read_table",
    "records_at",
    "report",
    "run",
    "run_campaign",
    "simulate",
    "sweep",
    "write_dataset",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
