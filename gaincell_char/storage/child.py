"""Start and limits of the child processes of this package, which end with their parent."""

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_INTERVAL_S = 0.5


# An installed package of the same name may be another version: the child loads the package that started it.
_RUN = """
import importlib.util, runpy, sys
spec = importlib.util.spec_from_file_location("gaincell_char", sys.argv[1])
package = sys.modules["gaincell_char"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
module, sys.argv = sys.argv[2], sys.argv[2:]
runpy.run_module(module, run_name="__main__")
"""


def command(module: str, *arguments: object) -> list[str]:
    """Command line that runs a module of this package in a new process, from any working directory."""
    package = Path(__file__).parents[1] / "__init__.py"
    return [sys.executable, "-P", "-c", _RUN, str(package), f"gaincell_char.{module}", *map(str, arguments)]


def die_with(parent: int, *, watch: bool = True) -> None:
    """End this process when its parent ends: at once on Linux, within half a second elsewhere.

    The signal of the Linux kernel also ends a stopped process.  SIGINT ends this process at once: as an exception it
    could be lost in a callback from C.  Without `watch` only the signal of the kernel ends it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    if watch:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL_S)
    os._exit(1)


def keep_to(*, memory: int, file: int, cpu_s: int | None = None) -> None:
    """Limit `memory` and size of a `file` of this process [B], and its time `cpu_s` of a processor [s].

    Core dumps are disabled; tighter limits are kept.
    """
    if cpu_s is not None:
        # At the second limit the kernel would kill the process without saying why.
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, file), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def physical_memory() -> int:
    """Memory of this machine [B]."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
