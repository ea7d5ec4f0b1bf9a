"""Samples per second of a campaign, compared with other methods to simulate them.

``python benchmarks/mc_throughput.py [--samples 2000] [--rounds 5] [--out mc_throughput.json]`` on an otherwise idle
machine.  Every method is timed once in each round, after a round that is not counted; rates, CPU times and shares are
medians over rounds.  `mc_baselines` describes the other methods.  In the
results, "ours" means gaincell.

same options
    Every method with the bench's own tolerances and largest step.  All must agree to 1e-6 of full scale, except
    gaincell with several copies in a deck, which share their time steps.
same accuracy
    Within 0.05 % of full scale of a reference with tolerances a hundred times tighter.  Gaincell uses its measured
    step control; PySpice the coarsest step of the form its documentation shows, with ngspice's own tolerances
    (ngspice takes no step above a fiftieth of the end time unless told, so nothing coarser than 1 ns is tried);
    and, to separate step control from engine, PySpice with the tolerances and the largest step of gaincell.

Gaincell is timed with running simulators; the time of their start is ``start_s``.  Growth is that of the
long-lived processes' resident memory, over all rounds.  ``spinning`` is the rate of two default ngspice at a time.
Ratios are those of one copy in a deck; those of eight are listed separately.
"""

import argparse
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Self

import mc_baselines as other
import numpy as np

from gaincell_char import registry
from gaincell_char.montecarlo.campaign import Campaign, plan_campaign
from gaincell_char.montecarlo.execute import simulate_samples
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.step_control import Steps

ACCURACY = 5e-4
AGREE = 1e-6
BENCHES = {
    "gain_cell pulse": ("gain_cell", "pulse", {"v_store": [0.7]}, 1),
    "relu_c2p transfer": ("relu_c2p", "transfer", {"q_in": [0.5e-12]}, 30),
}
"""Circuit, bench, grid, and how many times fewer samples than of the quickest."""
STEPS = [1e-9, 5e-10, 2e-10, 1e-10, 5e-11, 2e-11, 1e-11, 5e-12, 2e-12]
PARALLEL = (1, 2, 4, 16)
SPINNING, SPINNING_LIMIT_S = 4, 60.0
_TICK = os.sysconf("SC_CLK_TCK")
_HEADLINE = "ngspice -b, default"
_STACKED = "ours, 8 per deck"


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to simulate the first `n` samples; `pids` are its long-lived processes."""

    name: str
    workers: int
    n: int
    run: Callable[[int], list[float]]
    pids: Callable[[], list[int]] = list
    spent: Callable[[], float] = lambda: 0.0


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Results and cost of one turn of a method; ``grown_kb`` is None if its processes were replaced."""

    values: list[float]
    wall_s: float
    cpu_s: float
    spent_s: float
    grown_kb: float | None


class Ours:
    """A pool that remains open, as in a campaign."""

    def __init__(self, campaign: Campaign, workers: int) -> None:
        self.campaign, self.workers, self.spent_s = campaign, workers, 0.0
        began = time.perf_counter()
        self._pool = Pool(workers)
        simulate_samples(campaign, 2 * workers * campaign.copies, self._pool)
        self.start_s = time.perf_counter() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.__exit__()

    def run(self, n: int) -> list[float]:
        """The main output of every sample."""
        items = simulate_samples(self.campaign, n, self._pool)
        self.spent_s += sum(item.spent_s for item in items)
        name = self.campaign.plan.bench.outputs[0].name
        return [float(item.values[name]) for item in items]

    def pids(self) -> list[int]:
        """Running simulators of this method."""
        return [s._process.pid for s in self._pool._all if s._process is not None]

    def method(self, name: str, n: int) -> Method:
        """Method that simulates with this pool."""
        return Method(name=name, workers=self.workers, n=n, run=self.run, pids=self.pids, spent=lambda: self.spent_s)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A bench, its samples, and how many of them each kind of method simulates in a turn."""

    campaign: Campaign
    n: int
    spice: dict[int, other.PySpice]
    stack: ExitStack

    @property
    def looped(self) -> int:
        """Number of samples for a loop in one process."""
        return min(self.n, max(32, self.n // 5))

    @property
    def few(self) -> int:
        """Number of samples for a process per sample."""
        return min(self.n, max(24, self.n // 20))

    def ours(self, name: str, campaign: Campaign, workers: int) -> Method:
        """A method of gaincell, whose pool closes with the subject."""
        return self.stack.enter_context(Ours(campaign, workers)).method(name, self.n)

    def loops(self, name: str, job: other.Job, step: other.Step, options: dict[str, float]) -> list[Method]:
        """PySpice's loop in one process and in two."""
        job = job.first(self.looped)

        def run(spice: other.PySpice, n: int) -> list[float]:
            return spice.run(job.first(n), step, options)

        return [
            Method(name=name, workers=workers, n=self.looped, run=partial(run, spice), pids=lambda s=spice: s.pids)
            for workers, spice in self.spice.items()
        ]


def cpu_s(pids: list[int]) -> float:
    """CPU time [s] of this process, of ended children and of `pids`."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICK
    return total


def rss_kb(pids: list[int]) -> float:
    """Resident memory of processes."""
    return sum(
        float(line.split()[1])
        for pid in pids
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )


def turn(method: Method) -> Turn:
    """One turn of a method."""
    pids = method.pids()
    cpu, rss, spent = cpu_s(pids), rss_kb(pids), method.spent()
    began = time.perf_counter()
    values = method.run(method.n)
    wall = time.perf_counter() - began
    now = method.pids()
    # A worker that was replaced in this turn counts as an ended child.
    return Turn(
        values=values, wall_s=wall, cpu_s=cpu_s(now) - cpu, spent_s=method.spent() - spent,
        grown_kb=rss_kb(pids) - rss if pids and pids == now else None,
    )  # fmt: skip


def compare(methods: list[Method], rounds: int, reference: np.ndarray, scale: float) -> list[dict[str, Any]]:
    """Rounds of all methods in turn, and their results."""
    for method in methods:
        method.run(min(method.n, 16))
    turns: list[list[Turn]] = [[] for _ in methods]
    for _ in range(rounds):
        for method, mine in zip(methods, turns, strict=True):
            mine.append(turn(method))
    return [row(m, mine, reference, scale) for m, mine in zip(methods, turns, strict=True)]


def row(method: Method, turns: list[Turn], reference: np.ndarray, scale: float) -> dict[str, Any]:
    """Medians over rounds; memory grows in steps, so its growth is that of all rounds together."""
    n, grown = method.n, [t.grown_kb for t in turns if t.grown_kb is not None]
    growth = sum(grown) / (n * len(grown)) if grown else 0.0
    found = np.array([t.values for t in turns])
    return {
        "method": method.name, "workers": method.workers, "samples": n, "rate": median(n / t.wall_s for t in turns),
        "cpu_s": median(t.cpu_s / n for t in turns),
        "rss_kb": growth, "rss_kb_per_sample": growth,
        "share": median(t.spent_s / (method.workers * t.wall_s) for t in turns),
        "deviation": float(np.abs(found - reference[:n]).max() / scale),
    }  # fmt: skip


def job(campaign: Campaign, n: int) -> other.Job:
    """The same samples as flat decks."""
    draws, output, values = campaign.draws(n), campaign.plan.bench.outputs[0], dict(campaign.points[0].values)
    texts = tuple(other.flat_text(campaign.deck(i, 0, draws[i])) for i in range(n))
    template = campaign.points[0].deck.template
    save = tuple(v[2:-1] for v in template.save)
    return other.Job(texts=texts, save=save, measure=lambda w: float(output.measure(w, values)), temp=template.temp)


def same_options(subject: Subject) -> list[Method]:
    """All methods with the bench's own options."""
    campaign = subject.campaign
    whole, few = job(campaign, subject.looped), subject.few
    methods = [subject.ours("ours", campaign, workers) for workers in (1, 2)]
    if campaign.plan.circuit.name == "gain_cell":
        stacked = plan_campaign(**{**campaign.request, "steps": Steps(copies=8)})
        methods += [subject.ours(_STACKED, stacked, workers) for workers in (1, 2)]
    methods += subject.loops("PySpice loop", whole, *controlled(campaign))

    def processes(workers: int, tuned: bool, n: int) -> list[float]:
        return other.batch(whole.first(n), workers, tuned=tuned)

    def runner(parallel: int, n: int) -> list[float]:
        return other.sim_runner(whole.first(n), parallel)

    methods += [Method(name="ngspice -b, tuned", workers=w, n=few, run=partial(processes, w, True)) for w in (1, 2)]
    methods.append(Method(name=_HEADLINE, workers=1, n=few, run=partial(processes, 1, False)))
    methods += [
        Method(name=f"SimRunner, {p} at a time", workers=min(p, 2), n=few, run=partial(runner, p)) for p in PARALLEL
    ]
    return methods


def controlled(campaign: Campaign) -> tuple[other.Step, dict[str, float]]:
    """Step and options with which PySpice simulates as `campaign` does."""
    deck = campaign.points[0].deck
    return (deck.analysis.max_step, deck.analysis.stop, deck.analysis.max_step), dict(deck.template.options)


def same_accuracy(subject: Subject, reference: np.ndarray, scale: float) -> list[Method]:
    """PySpice with the coarsest documented step that is accurate enough; gaincell with its measured step control."""
    campaign = subject.campaign
    whole, stop = job(campaign, subject.looped), campaign.points[0].deck.analysis.stop
    request = campaign.request
    pareto = registry.load_steps(request["technology"], request["circuit"], request["bench"])
    assert pareto is not None, "run gaincell tune first"
    chosen = pareto.choose(ACCURACY).steps
    tuned, alone = (
        plan_campaign(**{**request, "options": {}, "steps": steps})
        for steps in (chosen, chosen.model_copy(update={"copies": 1}))
    )
    methods = [subject.ours(f"ours ({chosen.label})", tuned, workers) for workers in (1, 2)]
    jobs = {"PySpice loop": whole}
    if campaign.plan.circuit.name == "gain_cell":
        jobs["PySpice loop, integrating i(vbl) itself"] = integrating(whole)
    for label, what in jobs.items():
        step, error = coarsest(subject.spice[2], what, stop, reference, scale)
        name = f"{label} (step {step * 1e12:g} ps, error {100 * error:.3f} %)"
        methods += subject.loops(name, what, (step, stop), {})
    return methods + subject.loops("PySpice loop, our step control", whole, *controlled(alone))


def integrating(whole: other.Job) -> other.Job:
    """Charge without an integrator in the netlist: the integral of the samples of the current."""
    return replace(whole, save=("vbl#branch",), measure=lambda w: -float(np.trapezoid(w["i(vbl)"], w["time"])))


def coarsest(
    spice: other.PySpice, what: other.Job, stop: float, reference: np.ndarray, scale: float
) -> tuple[float, float]:
    """The coarsest step of the documented form that is accurate enough for every sample, and its error."""
    for step in STEPS:
        found = np.array(spice.run(what, (step, stop), {}))
        error = float(np.abs(found - reference[: len(found)]).max() / scale)
        if error <= ACCURACY:
            return step, error
    raise AssertionError(f"a step of {step:g} s leaves an error of {error:.2g}")


def spinning(campaign: Campaign, reference: np.ndarray, scale: float) -> tuple[list[dict[str, Any]], float]:
    """Two concurrent default ngspice processes, whose OpenMP threads wait for each other: row and rate.

    If one exceeds the time limit there is no row, and the rate is an upper limit.
    """
    whole = job(campaign, SPINNING)

    def run(n: int) -> list[float]:
        return other.batch(whole.first(n), 2, tuned=False, timeout_s=SPINNING_LIMIT_S)

    method = Method(name=_HEADLINE, workers=2, n=SPINNING, run=run)
    try:
        line = row(method, [turn(method)], reference, scale)
    except subprocess.TimeoutExpired:
        return [], SPINNING / SPINNING_LIMIT_S
    return [line], line["rate"]


def tight(campaign: Campaign, n: int) -> np.ndarray:
    """Reference: tolerances a hundred times tighter."""
    with Ours(replace(campaign, plan=campaign.plan.tightened(100.0)), 2) as runner:
        return np.array(runner.run(n))


def bench(label: str, samples: int, rounds: int) -> dict[str, Any]:
    """All results of one bench."""
    circuit, name, sweep, fewer = BENCHES[label]
    campaign = plan_campaign(circuit, name, vary="mismatch", sampler="random", sweep=sweep)
    n = max(16, samples // fewer)
    with Ours(campaign, 2) as runner:
        reference, start_s = np.array(runner.run(n)), runner.start_s
    scale = campaign.plan.full_scale(campaign.plan.bench.outputs[0].name, reference)
    with ExitStack() as stack:
        spice = {workers: stack.enter_context(other.PySpice(workers)) for workers in (1, 2)}
        subject = Subject(campaign=campaign, n=n, spice=spice, stack=stack)
        same = compare(same_options(subject), rounds, reference, scale)
        truth = tight(campaign, n)
        accurate = compare(same_accuracy(subject, truth, scale), rounds, truth, scale)
    stalled, rate = spinning(campaign, reference, scale)
    kinds = {"same options": same + stalled, "same accuracy": accurate}
    rows = [{"bench": label, "what": what, **r} for what, part in kinds.items() for r in part]
    return {"rows": rows, "spinning": rate, "start_s": start_s}


def ratios(rows: list[dict[str, Any]], label: str) -> dict[str, float]:
    """Ratios of the table; those of several copies in a deck are listed separately."""
    own = [r for r in rows if r["bench"] == label]
    same = [r for r in own if r["what"] == "same options" and r["method"] != _STACKED]
    stacked = [r for r in own if r["method"] == _STACKED]
    accurate = [r for r in own if r["what"] == "same accuracy"]

    def rate(part: list[dict[str, Any]], word: str, workers: int | None = None) -> float:
        return max(r["rate"] for r in part if word in r["method"] and workers in (None, r["workers"]))

    def against_others(part: list[dict[str, Any]], what: str) -> dict[str, float]:
        one, two = rate(part, "ours", 1), rate(part, "ours", 2)
        return {
            f"{what}2 workers / one default ngspice -b per sample, serial": two / rate(same, _HEADLINE, 1),
            f"{what}2 workers / SimRunner, its best": two / rate(same, "SimRunner"),
            f"{what}2 workers / tuned ngspice -b per sample, 2 at a time": two / rate(same, "tuned", 2),
            f"{what}1 worker / PySpice loop, 1 process": one / rate(same, "PySpice", 1),
            f"{what}2 workers / PySpice loop, 1 process": two / rate(same, "PySpice", 1),
        }

    others = {
        "loop, 1 process": "loop (", "loop that integrates by itself": "itself (",
        "loop with our step control, 1 process": "our step control",
    }  # fmt: skip
    found = against_others(same, "") | (against_others(stacked, "8 per deck, ") if stacked else {})
    for what, word in others.items():
        if any(word in r["method"] for r in accurate):
            found[f"2 workers / PySpice {what}, same accuracy"] = rate(accurate, "ours (", 2) / rate(accurate, word, 1)
    [found["share of wall time inside the transient"]] = [
        r["share"] for r in same if r["method"] == "ours" and r["workers"] == 2
    ]
    return found


def shares(rows: list[dict[str, Any]], label: str) -> dict[str, float]:
    """Share of the wall time of gaincell inside the transient."""
    return {
        f"{r['what']}, {r['method']}, {r['workers']}": r["share"]
        for r in rows
        if r["bench"] == label and r["method"].startswith("ours")
    }


def limit(r: dict[str, Any]) -> float:
    """Largest permitted deviation of a row."""
    return AGREE if r["what"] == "same options" and r["method"] != _STACKED else ACCURACY


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown of the results."""
    names = "bench, compared at, method, workers, samples/s, CPU ms per sample, growth kB per sample, largest deviation"
    head = f"| {names.replace(', ', ' | ')} |"
    lines = [head, "|" + " --- |" * 8]
    for r in rows:
        lines.append(
            f"| {r['bench']} | {r['what']} | {r['method']} | {r['workers']} | {r['rate']:.3g} | "
            f"{1e3 * r['cpu_s']:.3g} | {r['rss_kb_per_sample']:.2g} | {r['deviation']:.1e} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write; then fail if results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000, help="of gaincell per turn; other methods get fewer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("mc_throughput.json"))
    given = parser.parse_args()
    found = {label: bench(label, given.samples, given.rounds) for label in BENCHES}
    rows = [r for part in found.values() for r in part["rows"]]
    result = {
        "rows": rows, "ratios": {label: ratios(rows, label) for label in BENCHES},
        "share_in_transient": {label: shares(rows, label) for label in BENCHES},
        "spinning": {label: part["spinning"] for label, part in found.items()},
        "start_s": {label: part["start_s"] for label, part in found.items()},
    }  # fmt: skip
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(rows))
    print(json.dumps({name: part for name, part in result.items() if name != "rows"}, indent=1))
    for what in ("same options", "same accuracy"):
        worst = max(r["deviation"] for r in rows if r["what"] == what)
        print(f"largest deviation, {what}: {worst:.1e} of full scale")
    wrong = [r for r in rows if r["deviation"] > limit(r)]
    assert not wrong, wrong


if __name__ == "__main__":
    main()
