"""Whether xarray finds dask: it imports dask with its first array, which takes longer than most commands."""

import sys

_NAME = "dask"


def hide_dask() -> None:
    """Let imports of dask fail in this process, unless xarray or dask is loaded already."""
    if "xarray" not in sys.modules:
        sys.modules.setdefault(_NAME, None)  # type: ignore[arg-type]  # Python's mark for a module that does not exist


def show_dask() -> None:
    """Allow imports of dask again."""
    if sys.modules.get(_NAME, sys) is None:
        del sys.modules[_NAME]
