"""Where ``gaincell`` starts: ready for Ctrl-C before anything is imported that takes time."""

import signal
import sys

from .storage.leave import leave

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command line; a signal during the imports ends the process at once, with nothing to clean up yet."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    # Where dask is installed, xarray loads it with the first table, which takes longer than most commands.
    if "xarray" not in sys.modules:  # else it has looked for dask already
        sys.modules.setdefault("dask", None)  # type: ignore[arg-type]  # to Python: not installed
    from .cli import main as run  # takes a second

    run()


def _leave(number: int, _frame: object) -> None:
    leave(number)


if __name__ == "__main__":
    main()
