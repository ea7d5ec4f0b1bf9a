"""The ngspice library in this process: load a deck once, change its values, simulate, read vectors.

PySpice provides the binding: library handle, cffi definitions, callbacks.  Errors are detected here: from the
values and the log, never from a return code.
"""

import ctypes.util
import math
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi

from ..declare.bench import Floats, Noise, Tran, density
from ..errors import NgspiceMissingError
from ..storage.untrusted import check_name, printable
from .deck import Deck, Template, alter

INSTALL = (
    "apt install ngspice libngspice0 (Debian, Ubuntu), "
    "conda install -c conda-forge ngspice-lib, or brew install libngspice"
)

LIBRARY_PATH = "NGSPICE_LIBRARY_PATH"
# A .spiceinit of the user or the spinit of the distribution would change results; two OpenMP threads on one
# small circuit wait for each other and cost a factor of forty.
_INIT = "set num_threads=1\nset no_mem_check\n"
_FATAL = re.compile(
    r"aborted|no such|not parsed|no circuits|no dc path|can't find|undefined|formula\(\) error"
    r"|timestep too small|unknown (?:subckt|model|device|parameter)|could not find a valid modelname"
    r"|too few parameters|not in circuit|has no ac value|\berror\b|fatal",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"no error|error_?tol|can't find init file|gmin stepping|source stepping|cannot recover", re.IGNORECASE
)
_NOTHING_SAVED = "no data saved for"
# Only the command history grows; ngSpice_Command(NULL) clears it.
_COMMANDS_BEFORE_CLEANUP = 2000
_LONGEST_REASON = 300


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of one deck: vectors, or the reason of a failure.

    Attributes
    ----------
    vectors : mapping of str to ndarray, shape (n_times,), (n_frequencies,), or (1,) for an operating point
        Saved vectors in SI units; measured outputs for a `Batch`.
    reason : str
        Reason of a failure; empty if there is none.
    log : str
        Output of ngspice after a failure.
    fatal : bool
        Whether the simulator process must be replaced.
    died : bool
        Whether the simulator process ended before it answered.
    spent_s : float
        Time of the analysis alone [s].
    """

    vectors: Mapping[str, Floats]
    reason: str = ""
    log: str = ""
    fatal: bool = False
    died: bool = False
    spent_s: float = 0.0


def named_library() -> str:
    """Absolute path of the library that ``NGSPICE_LIBRARY_PATH`` or ``--ngspice`` names; empty if none is named."""
    chosen = os.environ.get(LIBRARY_PATH)
    return str(Path(chosen).absolute()) if chosen else ""


def find_library() -> str:
    """Path or name of the ngspice shared library.

    Searched are ``NGSPICE_LIBRARY_PATH`` if set; otherwise the active conda environment, this Python environment,
    Homebrew, /usr/local, and the system linker.

    Raises
    ------
    NgspiceMissingError
        If the library is not found; the message states how to install it.
    """
    if chosen := os.environ.get(LIBRARY_PATH):
        if not Path(chosen).exists():
            raise NgspiceMissingError(
                f"{LIBRARY_PATH} = {chosen} does not exist; unset it or install ngspice: {INSTALL}"
            )
        if not Path(chosen).is_file():
            raise NgspiceMissingError(
                f"{LIBRARY_PATH} = {chosen} is a folder; it must be the path of the library itself, such as "
                f"{Path(chosen) / 'libngspice.so.0'}"
            )
        return named_library()  # a child process has another working directory
    roots = [Path(root) for root in (os.environ.get("CONDA_PREFIX"), sys.prefix, "/opt/homebrew", "/usr/local") if root]
    for root in roots:
        for name in ("lib/libngspice.so.0", "lib/libngspice.so", "lib/libngspice.dylib"):
            if (root / name).exists():
                return str(root / name)
    if found := ctypes.util.find_library("ngspice"):
        return found
    raise NgspiceMissingError(f"the ngspice library is not installed; install it with: {INSTALL}")


def _places(deck: Deck, plots: Sequence[str]) -> dict[str, str]:
    """Name of each vector of a result -> its name in ngspice."""
    if isinstance(deck.analysis, Noise):
        found: dict[str, str] = {}
        for node, integrated in zip(deck.analysis.nodes, plots, strict=True):
            # The plot of the integrated noise comes after that of the spectra.
            spectra = f"noise{int(integrated.removeprefix('noise')) - 1}"
            found |= {
                "frequency": f"{spectra}.frequency",
                density(node): f"{spectra}.onoise_spectrum",
                density(node, at_source=True): f"{spectra}.inoise_spectrum",
            }
        return found
    scale = ("time",) if isinstance(deck.analysis, Tran) else ()
    return {name: name for name in (*scale, *deck.template.save)}


class _Binding(NgSpiceShared):  # type: ignore[misc]
    """PySpice's binding, modified to collect messages instead of raising errors."""

    @staticmethod
    def _send_char(message: object, _ngspice_id: int, user_data: object) -> int:
        binding = ffi.from_handle(user_data)
        stream, _, content = ffi.string(message).decode("utf8", "replace").partition(" ")
        binding.messages.append((stream, content))
        if stream != "stderr":
            binding._stdout.append(content)
        return 0

    @staticmethod
    def _send_stat(_message: object, _ngspice_id: int, _user_data: object) -> int:
        return 0

    @staticmethod
    def _send_init_data(_data: object, _ngspice_id: int, _user_data: object) -> int:
        return 0

    @staticmethod
    def _exit(status: int, _unload: bool, _quit: bool, _ngspice_id: int, user_data: object) -> int:
        ffi.from_handle(user_data).exited = True
        return status

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.exited = False
        NgSpiceShared.__init__(self)


class Session:
    """The simulator of this process: at most one per process, since it changes the working directory."""

    def __init__(self, directory: Path) -> None:
        """Start ngspice in a private `directory`, with initialisation files of this package."""
        (directory / "scripts").mkdir(parents=True)
        (directory / "scripts" / "spinit").write_text(f"* gaincell-char\n{_INIT}")
        (directory / ".spiceinit").write_text(f"* gaincell-char\n{_INIT}")
        for name in [name for name in os.environ if name.startswith(("SPICE_", "NGSPICE_")) and name != LIBRARY_PATH]:
            del os.environ[name]
        os.environ["SPICE_LIB_DIR"] = str(directory)
        os.chdir(directory)
        _Binding.LIBRARY_PATH = find_library()
        self._binding = _Binding()
        self._library = self._binding._ngspice_shared
        self._commands = 0
        self._loaded = False
        self._template: Template | None = None
        self._sources: Mapping[str, str] = {}
        self._parsed: dict[str, float] = {}
        self._current: dict[str, float] = {}
        self._altered: tuple[str, ...] = ()
        self._compiled: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Version of ngspice, for example ``"39"``."""
        return str(self._binding.ngspice_version)

    def run(self, deck: Deck) -> Outcome:
        """Simulate one deck and return its saved vectors, or the reason of a failure."""
        self._binding.messages.clear()
        self._binding._stdout.clear()  # the list of PySpice would grow without limit
        if self._compiled and deck.template.compiled not in ((), self._compiled):
            # Two technologies may compile different sources to one device; a new process knows neither.
            return Outcome(vectors={}, reason="other compiled models are loaded", fatal=True, died=True)
        if not all(map(math.isfinite, (*deck.params.values(), *deck.alters.values()))):
            # ngspice would silently keep the previous value.
            return self._failed("a parameter is not a finite number")
        self._set(deck)
        if reason := self._complaint():
            self._template = None
            return self._failed(reason)
        began = time.perf_counter()
        plots = [self._analyse(command) for command in deck.analysis.commands()]
        spent_s = time.perf_counter() - began
        outcome = replace(self._judge(deck, plots), spent_s=spent_s)
        self._command("destroy all")
        if outcome.reason:
            self._template = None
        return outcome

    def _set(self, deck: Deck) -> None:
        """Set the loaded circuit to the values of the deck in the cheapest way.

        ngspice rounds a value in ``alter`` and one in ``.param`` differently.  Alterable sources are always set by
        ``alter``, so that a result does not depend on previous simulations.
        """
        if self._template is None or deck.template != self._template or tuple(deck.alters) != self._altered:
            self._load(deck)
            altered = self._sources
        elif all(name in self._sources for name, value in deck.params.items() if self._current[name] != value):
            changed = (name for name in self._sources if self._current[name] != deck.params[name])
            altered = {name: self._sources[name] for name in changed}
        else:
            self._reset(deck)
            altered = self._sources
        for name, source in altered.items():
            self._command(alter(source, deck.params[name]))
        for target, number in deck.alters.items():
            self._command(alter(target, number))
        self._current = dict(deck.params)

    def _reset(self, deck: Deck) -> None:
        for name, value in deck.params.items():
            if self._parsed[name] != value:
                self._command(f"alterparam {check_name(name)}={float(value)!r}")
        self._command("reset")
        self._parsed = dict(deck.params)

    def _load(self, deck: Deck) -> None:
        if self._loaded:  # also after a failed load: each circuit kept costs 95 kB
            self._command("remcirc")
            self._binding.messages.clear()
        self._loaded = True
        self._load_compiled(deck.template.compiled)
        lines = [ffi.new("char[]", line.encode("ascii", "replace")) for line in deck.plain.split("\n")]
        self._library.ngSpice_Circ(ffi.new("char*[]", [*lines, ffi.new("char[]", b""), ffi.NULL]))
        self._template = deck.template
        self._sources = deck.template.alterable
        self._parsed = dict(deck.params)
        self._altered = tuple(deck.alters)

    def _load_compiled(self, files: Sequence[str]) -> None:
        """Load compiled models, each once: their devices stay known to ngspice until its process ends."""
        for number, file in enumerate(files if not self._compiled else ()):
            # Under a plain name in the own folder: a path could contain characters that ngspice reads as commands.
            name = f"model{number}.osdi"
            Path(name).symlink_to(file)
            self._command(f"osdi ./{name}")
        self._compiled = self._compiled or tuple(files)

    def _command(self, text: str) -> None:
        self._commands += 1
        if self._commands % _COMMANDS_BEFORE_CLEANUP == 0:
            self._library.ngSpice_Command(ffi.NULL)
        self._library.ngSpice_Command(text.encode("ascii"))

    def _analyse(self, command: str) -> str:
        """Run an analysis, and return the name of its last plot; empty if it has none."""
        before = self._current_plot()
        self._command(command)
        after = self._current_plot()
        return "" if after == before else after

    def _current_plot(self) -> str:
        return str(ffi.string(self._library.ngSpice_CurPlot()).decode())

    def _complaint(self) -> str:
        """First line of the log that only appears in failed runs, with the two lines after it."""
        lines = [content.strip() for stream, content in self._binding.messages if stream == "stderr"]
        for number, line in enumerate(lines):
            if _FATAL.search(line) and not _HARMLESS.search(line):
                return " ".join(" ".join(lines[number : number + 3]).split())[:_LONGEST_REASON]
        if not self._binding.exited:
            return ""
        said = " ".join(" ".join(line for line in lines if "cannot recover" not in line).split())
        return f"ngspice ended at the deck: {said[-_LONGEST_REASON:] or 'its log gives no reason'}"

    def _judge(self, deck: Deck, plots: list[str]) -> Outcome:
        if reason := self._complaint():
            if _NOTHING_SAVED in reason:
                reason = f"the circuit has none of the vectors to save: {', '.join(deck.template.save)}"
            return self._failed(reason)
        kinds = zip(plots, deck.analysis.commands(), strict=True)
        if not all(plot.startswith(command.split()[0]) for plot, command in kinds):
            return self._failed("the analysis produced no result")
        vectors: dict[str, Floats] = {}
        for name, place in _places(deck, plots).items():
            vector = self._vector(place)
            if vector is None or not vector.size:
                return self._failed(f"vector {name} is missing from the result: the circuit does not have it")
            if not np.isfinite(vector).all():
                return self._failed(f"vector {name} is not finite")
            vectors[name] = vector
        return self._complete(deck, vectors)

    def _complete(self, deck: Deck, vectors: dict[str, Floats]) -> Outcome:
        if isinstance(deck.analysis, Noise):
            return self._complete_noise(deck.analysis, vectors)
        if not isinstance(deck.analysis, Tran):
            return Outcome(vectors=vectors)
        end = vectors["time"][-1]
        if end < float(deck.analysis.stop) * (1 - 1e-9):
            return self._failed(f"the transient stopped at {end:.4g} s of {deck.analysis.stop:.4g} s")
        for node, value in deck.initial.items():
            got = vectors[node][0]
            # At a singular operating point ngspice ignores every .ic and continues.
            if abs(got - value) > 1e-4 + 1e-4 * abs(value):
                return self._failed(f".ic was ignored by ngspice: {node} is {got:.5g} at t = 0, not {value:.5g}")
        return Outcome(vectors=vectors)

    def _complete_noise(self, analysis: Noise, vectors: dict[str, Floats]) -> Outcome:
        for node in analysis.nodes:
            # ngspice accepts a node that does not exist.
            if not vectors[density(node)].any():
                return self._failed(f"{node} is without noise: the circuit does not have it, or it is held")
        return Outcome(vectors=vectors)

    def _vector(self, name: str) -> Floats | None:
        info = self._library.ngGet_Vec_Info(name.encode("ascii"))
        if info == ffi.NULL or info.v_realdata == ffi.NULL:
            return None
        return np.frombuffer(ffi.buffer(info.v_realdata, info.v_length * 8), dtype=np.float64).copy()

    def _failed(self, reason: str) -> Outcome:
        log = "\n".join(f"{stream}: {content}" for stream, content in self._binding.messages)
        return Outcome(vectors={}, reason=printable(reason), log=log, fatal=self._binding.exited)
