"""Samples per second of a campaign, side by side with the other ways to simulate them.

``python benchmarks/mc_throughput.py [--rounds 5] [--out mc_throughput.json]`` on an otherwise idle machine.
Every method gets a turn in each round; rates are medians over rounds.  Once all use the same options and
have to agree; once PySpice uses the step its documentation shows, as fine as 0.05 % of the charge needs, and
ours what its measured step control says.  ``mc_baselines`` says what each of the others is.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import mc_baselines as other
import numpy as np

from gaincell_char import registry
from gaincell_char.campaign import Campaign, plan_campaign
from gaincell_char.mc import sample
from gaincell_char.pool import Pool
from gaincell_char.steps import Steps

ACCURACY = 5e-4
AGREE = 1e-6
BENCHES = {
    "gain_cell pulse": ("gain_cell", "pulse", {"v_store": [0.7]}, 2000),
    "relu_c2p transfer": ("relu_c2p", "transfer", {"q_in": [0.5e-12]}, 64),
}
STEPS = [1e-9, 5e-10, 2e-10, 1e-10, 5e-11, 2e-11, 1e-11, 5e-12, 2e-12]
_TICK = os.sysconf("SC_CLK_TCK")
_HEADLINE = "ngspice -b, default"


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to simulate the first `n` samples; `pids` are its long-lived processes."""

    name: str
    workers: int
    n: int
    run: Callable[[int], list[float]]
    pids: Callable[[], list[int]] = list
    spent: Callable[[], float] = lambda: 0.0


class Ours:
    """A pool that stays, as in a campaign."""

    def __init__(self, campaign: Campaign, workers: int) -> None:
        self.campaign, self.workers, self.spent_s = campaign, workers, 0.0
        began = time.perf_counter()
        self.pool = Pool(workers)
        sample(campaign, 2 * workers * campaign.copies, self.pool)
        self.start_s = time.perf_counter() - began

    def run(self, n: int) -> list[float]:
        """The main output of every sample."""
        items = sample(self.campaign, n, self.pool)
        self.spent_s += sum(item.spent_s for item in items)
        name = self.campaign.plan.bench.outputs[0].name
        return [float(item.values[name]) for item in items]

    def pids(self) -> list[int]:
        """Its simulators."""
        return [s._process.pid for s in self.pool._all if s._process is not None]


def cpu_s(pids: list[int]) -> float:
    """CPU time so far: of this process, of ended children and of `pids`."""
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


def measure(method: Method, rounds: dict[str, list[float]]) -> list[float]:
    """One turn of a method."""
    pids = method.pids()
    cpu, rss, spent = cpu_s(pids), rss_kb(pids), method.spent()
    began = time.perf_counter()
    values = method.run(method.n)
    wall = time.perf_counter() - began
    rounds.setdefault("rate", []).append(method.n / wall)
    # A worker that was replaced meanwhile counts among the ended children.
    rounds.setdefault("cpu_s", []).append((cpu_s(method.pids()) - cpu) / method.n)
    if pids == method.pids():
        rounds.setdefault("rss_kb", []).append((rss_kb(pids) - rss) / method.n)
    rounds.setdefault("share", []).append((method.spent() - spent) / (method.workers * wall))
    return values


def compare(methods: list[Method], count: int, reference: np.ndarray, scale: float) -> list[dict[str, Any]]:
    """Rounds of all methods in turn, and what came out."""
    timed: dict[int, dict[str, list[float]]] = {i: {} for i in range(len(methods))}
    values: dict[int, list[float]] = {}
    for _ in range(count):
        for i, method in enumerate(methods):
            values[i] = measure(method, timed[i])
    return [
        {
            "method": m.name, "workers": m.workers, "samples": m.n, "rss_kb": 0.0,
            **{k: median(v) for k, v in timed[i].items()},
            "deviation": float(np.abs(np.array(values[i]) - reference[: m.n]).max() / scale),
        }
        for i, m in enumerate(methods)
    ]  # fmt: skip


def job(campaign: Campaign, n: int) -> other.Job:
    """The same samples as flat decks."""
    draws, output, values = campaign.draws(n), campaign.plan.bench.outputs[0], dict(campaign.points[0].values)
    texts = tuple(other.flat_text(campaign.deck(i, 0, draws[i])) for i in range(n))
    save = tuple(v[2:-1] for v in campaign.points[0].deck.template.save)
    return other.Job(texts=texts, save=save, measure=lambda w: float(output.measure(w, values)))


def part(whole: other.Job, n: int) -> other.Job:
    """The first samples of a job."""
    return other.Job(texts=whole.texts[:n], save=whole.save, measure=whole.measure)


def ours(name: str, runner: Ours, n: int) -> Method:
    """A method of ours."""
    return Method(
        name=name, workers=runner.workers, n=n, run=runner.run, pids=runner.pids, spent=lambda: runner.spent_s
    )


def same_options(campaign: Campaign, n: int, spice: dict[int, other.PySpice], few: int) -> list[Method]:
    """All methods with the bench's own options."""
    whole, deck = job(campaign, n), campaign.points[0].deck
    step = (deck.analysis.max_step, deck.analysis.stop, deck.analysis.max_step)
    options = dict(deck.template.options)
    methods = [ours("ours", Ours(campaign, workers), n) for workers in (1, 2)]
    stacked = plan_campaign(**{**campaign.request, "steps": Steps(copies=8)})
    if campaign.plan.circuit.name == "gain_cell":
        methods.append(ours("ours, 8 per deck", Ours(stacked, 2), n))
    for workers in (1, 2):
        methods.append(
            Method(
                name="PySpice loop", workers=workers, n=4 * few, pids=lambda w=workers: spice[w].pids,
                run=lambda n, w=workers: spice[w].run(part(whole, n), step, options),
            )
        )  # fmt: skip
        methods.append(
            Method(
                name="ngspice -b, tuned", workers=workers, n=few,
                run=lambda n, w=workers: other.batch(part(whole, n), w, tuned=True),
            )
        )  # fmt: skip
    methods.append(Method(name=_HEADLINE, workers=1, n=few, run=lambda n: other.batch(part(whole, n), 1, tuned=False)))
    for parallel in (1, 2, 4):
        methods.append(
            Method(
                name=f"SimRunner, {parallel} at a time", workers=min(parallel, 2), n=few,
                run=lambda n, p=parallel: other.sim_runner(part(whole, n), p),
            )
        )  # fmt: skip
    return methods


def same_accuracy(
    campaign: Campaign, n: int, few: int, spice: dict[int, other.PySpice], reference: np.ndarray, scale: float
) -> list[Method]:
    """PySpice with the coarsest documented step that is accurate enough; ours with its measured step control."""
    whole, stop = job(campaign, n), campaign.points[0].deck.analysis.stop
    request = campaign.request
    pareto = registry.load_steps(request["technology"], request["circuit"], request["bench"])
    assert pareto is not None, "run gaincell tune first"
    chosen = pareto.choose(ACCURACY).steps
    tuned = plan_campaign(**{**request, "options": {}, "steps": chosen})
    methods = [ours(f"ours ({chosen.label})", Ours(tuned, workers), n) for workers in (1, 2)]
    jobs = {"PySpice loop": whole}
    if campaign.plan.circuit.name == "gain_cell":
        jobs["PySpice loop, integrating i(vbl) itself"] = integrating(whole)
    for label, what in jobs.items():
        step, error = coarsest(spice[1], what, stop, reference, scale)
        for workers in (1, 2):
            methods.append(
                Method(
                    name=f"{label} (step {step * 1e12:g} ps, error {100 * error:.3f} %)", workers=workers, n=4 * few,
                    pids=lambda w=workers: spice[w].pids,
                    run=lambda n, w=workers, j=what, s=step: spice[w].run(part(j, n), (s, stop), {}),
                )
            )  # fmt: skip
    return methods


def integrating(whole: other.Job) -> other.Job:
    """The charge as whoever has no integrator in the netlist takes it: from the samples of the current."""
    return other.Job(
        texts=whole.texts, save=("vbl#branch",), measure=lambda w: -float(np.trapezoid(w["i(vbl)"], w["time"]))
    )


def coarsest(
    spice: other.PySpice, what: other.Job, stop: float, reference: np.ndarray, scale: float
) -> tuple[float, float]:
    """The coarsest step of the documented form that is accurate enough, and its error."""
    for step in STEPS:
        found = np.array(spice.run(part(what, 16), (step, stop), {}))
        error = float(np.abs(found - reference[:16]).max() / scale)
        if error <= ACCURACY:
            break
    return step, error


def spinning(campaign: Campaign) -> float:
    """Rate of two default ngspice processes at a time: their OpenMP threads wait for each other."""
    began = time.perf_counter()
    other.batch(job(campaign, 4), 2, tuned=False)
    return 4 / (time.perf_counter() - began)


def tight(campaign: Campaign, n: int) -> np.ndarray:
    """Reference: tolerances a hundred times tighter."""
    from dataclasses import replace

    with Pool(2) as pool:
        items = sample(replace(campaign, plan=campaign.plan.tightened(100.0)), n, pool)
    name = campaign.plan.bench.outputs[0].name
    return np.array([float(item.values[name]) for item in items])


def bench(label: str, rounds: int) -> dict[str, Any]:
    """Everything about one bench."""
    circuit, name, sweep, n = BENCHES[label]
    few = n // 20 if n > 1000 else 8
    # Few enough that the slow ones do not take all day.
    campaign = plan_campaign(circuit, name, vary="mismatch", sampler="random", sweep=sweep)
    reference = np.array(Ours(campaign, 2).run(n))
    output = campaign.plan.bench.outputs[0]
    scale = campaign.plan.full_scale(output.name, reference)
    spice = {workers: other.PySpice(workers) for workers in (1, 2)}
    rows = [
        {"bench": label, "what": "same options", **row}
        for row in compare(same_options(campaign, n, spice, few), rounds, reference, scale)
    ]
    truth = tight(campaign, n)
    methods = same_accuracy(campaign, n, few, spice, truth, scale)
    rows += [{"bench": label, "what": "same accuracy", **row} for row in compare(methods, rounds, truth, scale)]
    for runner in spice.values():
        runner.close()
    for row in rows:
        limit = AGREE if row["what"] == "same options" and "per deck" not in row["method"] else ACCURACY
        assert row["deviation"] <= limit, row
    return {"rows": rows, "spinning": spinning(campaign), "start_s": Ours(campaign, 2).start_s}


def ratios(rows: list[dict[str, Any]], label: str) -> dict[str, float]:
    """The figures of the table."""
    own = [r for r in rows if r["bench"] == label]
    same = [r for r in own if r["what"] == "same options"]
    accurate = [r for r in own if r["what"] == "same accuracy"]

    def rate(part: list[dict[str, Any]], word: str, workers: int | None = None) -> float:
        return max(r["rate"] for r in part if word in r["method"] and workers in (None, r["workers"]))

    return {
        "2 workers / one default ngspice -b per sample, serial": rate(same, "ours", 2) / rate(same, _HEADLINE),
        "2 workers / SimRunner, its best": rate(same, "ours", 2) / rate(same, "SimRunner"),
        "2 workers / tuned ngspice -b per sample, 2 at a time": rate(same, "ours", 2) / rate(same, "tuned", 2),
        "1 worker / PySpice loop, 1 process": rate(same, "ours", 1) / rate(same, "PySpice", 1),
        "2 workers / PySpice loop, 1 process": rate(same, "ours", 2) / rate(same, "PySpice", 1),
        "2 workers / PySpice loop, 1 process, same accuracy": rate(accurate, "ours", 2) / rate(accurate, "loop (", 1),
        **(
            {
                "2 workers / PySpice loop that integrates by itself, same accuracy": rate(accurate, "ours", 2)
                / rate(accurate, "itself", 1)
            }
            if any("itself" in r["method"] for r in accurate)
            else {}
        ),
        "share of wall time inside the transient": max(
            r["share"] for r in same if "ours" in r["method"] and r["workers"] == 2
        ),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    names = "bench, compared at, method, workers, samples/s, CPU ms per sample, growth kB per sample, largest deviation"
    head = f"| {names.replace(', ', ' | ')} |"
    lines = [head, "|" + " --- |" * 8]
    for r in rows:
        lines.append(
            f"| {r['bench']} | {r['what']} | {r['method']} | {r['workers']} | {r['rate']:.3g} | "
            f"{1e3 * r['cpu_s']:.3g} | {r['rss_kb']:.2g} | {r['deviation']:.1e} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("mc_throughput.json"))
    given = parser.parse_args()
    found = {label: bench(label, given.rounds) for label in BENCHES}
    rows = [row for part in found.values() for row in part["rows"]]
    result = {
        "rows": rows, "ratios": {label: ratios(rows, label) for label in BENCHES},
        "spinning": {label: part["spinning"] for label, part in found.items()},
        "start_s": {label: part["start_s"] for label, part in found.items()},
    }  # fmt: skip
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(rows))
    print(json.dumps(result["ratios"], indent=1))
    print(json.dumps({"two default processes, samples/s": result["spinning"], "start s": result["start_s"]}))


if __name__ == "__main__":
    main()
