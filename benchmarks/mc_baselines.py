"""Other methods to simulate samples of a bench, for comparison in `mc_throughput`.

All methods use the same flat decks, written before the measurement: one line per device with all numbers written out,
the shortest text to parse.  All methods save only the measured vectors, and work in the temporary directory, as
gaincell does.

``ngspice -b``, default
    One process per sample in an empty folder, with the default settings of ngspice.
``ngspice -b``, tuned
    The same with one OpenMP thread and an ``spinit`` that loads no code models, the two settings with an effect.
SimRunner
    The SimRunner of spicelib, with the same two settings: without the first, two concurrent processes slow each
    other down.  A callback reads the raw file with NumPy, which is faster than the reader of spicelib, when a
    simulation ends.  The benchmark joins the thread of the last simulation, because ``wait_completion`` polls once a
    second.  SimRunner polls every 0.1 s whether it may start the next simulation, so more simulations at a time than
    cores can be faster: `mc_throughput` tries up to 16.
PySpice
    The loop of its documentation: a `Circuit` per sample, its simulator, ``transient()``, waveforms as arrays.
    One thread, and only the measured vectors.  A private folder contains the ``.spiceinit`` with ``set num_threads``:
    the constructor of PySpice loads ngspice, and the setting has no effect later.  PySpice raises an error at every
    line on stderr that is not a warning; these decks print none.  Its log is disabled.
"""

import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import cloudpickle
import numpy as np
from PySpice.Spice.Netlist import Circuit
from PySpice.Spice.NgSpice.Shared import NgSpiceShared
from spicelib.sim.sim_runner import SimRunner
from spicelib.simulators.ngspice_simulator import NGspiceSimulator

from gaincell_char.declare.arithmetic import evaluate
from gaincell_char.spice.cards import Card
from gaincell_char.spice.deck import Deck
from gaincell_char.spice.netlist import Subcircuit
from gaincell_char.spice.ngspice import find_library

NGSPICE = shutil.which("ngspice") or "ngspice"
_WRITTEN_BY_PYSPICE = (".temp", ".options", ".tran", ".save", ".end")


def flat_text(deck: Deck) -> str:
    """Return a deck without subcircuits: devices by their full name, all numbers written out, alters applied."""
    netlist = deck.template.netlist
    out: list[str] = []
    _expand(netlist.top, "", {}, dict(deck.params), netlist.subcircuits, out)
    flat = replace(deck, template=replace(deck.template, body="\n".join(out)), params={}, alters={}).text
    for target, value in deck.alters.items():
        name, _, number = target.removeprefix("@").partition("[")
        flat = _with(flat, name, number.rstrip("]"), value)
    return flat


def _expand(
    cards: Sequence[Card], path: str, nodes: dict[str, str], scope: dict[str, Any],
    blocks: Mapping[str, Subcircuit], out: list[str],
) -> None:  # fmt: skip
    for card in cards:
        if card.kind != "x":
            out.append(card.text if card.kind == ".model" else _element(card.text, path, nodes, scope))
            continue
        name, *outside, kind = card.positional
        given, block = card.assignments, blocks[kind]
        own = dict(scope)
        for parameter, default in block.defaults.items():
            home = scope if parameter in given else own
            own[parameter] = evaluate(given.get(parameter, default), home, card.text)
        ends = [_node(node, path, nodes) for node in outside]
        _expand(block.items, f"{path}{name}.", dict(zip(block.ports, ends, strict=True)), own, blocks, out)


def _node(name: str, path: str, nodes: dict[str, str]) -> str:
    return "0" if name == "0" else nodes.get(name, f"{path}{name}")


_NODES = {"m": 4, "c": 2, "r": 2, "v": 2, "i": 2, "e": 4, "f": 2, "b": 2}


def _element(line: str, path: str, nodes: dict[str, str], scope: dict[str, Any]) -> str:
    line = re.sub(r"\{([^{}]*)\}", lambda m: repr(float(evaluate(m[0], scope, line))), line)
    if line.startswith(".") or not path:
        return line
    words = line.split()
    count = _NODES[words[0][0]]
    ends = [_node(n, path, nodes) for n in words[1 : 1 + count]]
    return " ".join([f"{words[0][0]}.{path}{words[0]}", *ends, *words[1 + count :]])


def _with(text: str, name: str, number: str, value: float) -> str:
    """The text with one number of one device replaced."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{name} "))
    if number:
        lines[at] = re.sub(rf"\b{number}=\S+", f"{number}={value!r}", lines[at])
    else:
        lines[at] = " ".join([*lines[at].split()[:3], repr(value)])
    return "\n".join([*lines, ""])


@dataclass(frozen=True, kw_only=True)
class Job:
    """Decks to run, and the function that computes a number from waveforms."""

    texts: tuple[str, ...]
    save: tuple[str, ...]
    measure: Callable[[dict[str, Any]], float]
    temp: float

    def first(self, n: int) -> "Job":
        """Return a job with the first `n` decks."""
        return replace(self, texts=self.texts[:n])

    @cached_property
    def bodies(self) -> tuple[str, ...]:
        """The decks without title, options, temperature, analysis and ``.save``, which PySpice writes itself."""
        return tuple(
            "\n".join(line for line in text.splitlines()[1:] if not line.startswith(_WRITTEN_BY_PYSPICE))
            for text in self.texts
        )


def read_raw(path: Path) -> dict[str, Any]:
    """Waveforms of a binary raw file."""
    head, _, data = path.read_bytes().partition(b"Binary:\n")
    names = [line.split()[1] for line in head.decode().partition("Variables:\n")[2].splitlines() if line.strip()]
    return dict(zip(names, np.frombuffer(data).reshape(-1, len(names)).T, strict=True))


def batch(job: Job, workers: int, *, tuned: bool, timeout_s: float | None = None) -> list[float]:
    """One ``ngspice -b`` per sample.

    There is a time limit only if it is needed: with one, `subprocess` polls the process every 50 ms.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = _tuned(folder) if tuned else dict(os.environ)

        def run(number: int) -> float:
            deck, raw = folder / f"{number}.cir", folder / f"{number}.raw"
            deck.write_text(job.texts[number])
            subprocess.run(
                [NGSPICE, "-b", "-r", str(raw), str(deck)], cwd=folder, env=environment, check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout_s,
            )  # fmt: skip
            return job.measure(read_raw(raw))

        with ThreadPoolExecutor(workers) as threads:
            return list(threads.map(run, range(len(job.texts))))


def _tuned(folder: Path) -> dict[str, str]:
    (folder / "scripts").mkdir()
    for place in (folder / "scripts" / "spinit", folder / ".spiceinit"):
        place.write_text("* tuned\nset num_threads=1\nset no_mem_check\n")
    return {**os.environ, "SPICE_LIB_DIR": str(folder)}


def sim_runner(job: Job, parallel: int) -> list[float]:
    """SimRunner of spicelib, with at most `parallel` simulations at a time."""

    def measure(raw: Path, _log: Path) -> float:
        return job.measure(read_raw(raw))

    with tempfile.TemporaryDirectory() as name, settings(_tuned(Path(name))):
        runner = SimRunner(simulator=NGspiceSimulator, parallel_sims=parallel, output_folder=name)
        tasks = []
        for number, text in enumerate(job.texts):
            deck = Path(name, f"d{number}.cir")
            deck.write_text(text)
            tasks.append(runner.run(deck, run_filename=f"r{number}.net", callback=measure, exe_log=True))
        for task in tasks:
            task.join()
        return [task.get_results() for task in tasks]


@contextmanager
def settings(environment: dict[str, str]) -> Iterator[None]:
    """Set the environment of every process that is started in this context."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        for name in environment.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


Step = tuple[float, ...]
"""step_time, end_time and, for the same options as gaincell, max_time."""


def pyspice_loop(
    texts: Sequence[str], save: Sequence[str], temp: float, step: Step, options: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """The loop of PySpice's documentation: waveforms of every sample."""
    for text in texts:
        circuit = Circuit("sample")
        circuit.raw_spice = text
        simulator = circuit.simulator(temperature=temp, nominal_temperature=27)
        simulator.options(**options)
        simulator.save(save)
        times = dict(zip(("step_time", "end_time", "max_time"), step, strict=False))
        analysis = simulator.transient(**times)
        nodes = {f"v({name})": np.array(wave) for name, wave in analysis.nodes.items()}
        branches = {f"i({name})": np.array(wave) for name, wave in analysis.branches.items()}
        yield {"time": np.array(analysis.time), **nodes, **branches}


def pyspice_process(connection: Any) -> None:
    """Serve PySpice's loop in a process of its own, in a folder whose ``.spiceinit`` sets one thread."""
    folder = tempfile.mkdtemp()
    Path(folder, ".spiceinit").write_text("set num_threads=1\nset no_mem_check\n")
    os.chdir(folder)
    NgSpiceShared.LIBRARY_PATH = find_library()
    logging.disable(logging.CRITICAL)
    while (work := connection.recv()) is not None:
        texts, save, temp, step, options, measure = work
        program = cloudpickle.loads(measure)
        connection.send([program(waves) for waves in pyspice_loop(texts, save, temp, step, options)])
    shutil.rmtree(folder)


class PySpice:
    """`workers` processes that run PySpice's loop."""

    def __init__(self, workers: int) -> None:
        context = get_context("spawn")
        self._ends, self._processes = [], []
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=pyspice_process, args=(theirs,), daemon=True)
            process.start()
            self._ends.append(ours)
            self._processes.append(process)

    @property
    def pids(self) -> list[int]:
        """Ids of its processes."""
        return [process.pid for process in self._processes]

    def run(self, job: Job, step: Step, options: dict[str, float]) -> list[float]:
        """Run every sample and measure it."""
        count = len(self._ends)
        for number, end in enumerate(self._ends):
            end.send((job.bodies[number::count], job.save, job.temp, step, options, cloudpickle.dumps(job.measure)))
        found: list[float] = [0.0] * len(job.texts)
        for number, end in enumerate(self._ends):
            found[number::count] = end.recv()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for end, process in zip(self._ends, self._processes, strict=True):
            end.send(None)
            process.join()
