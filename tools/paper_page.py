"""Write the tables of docs/paper.md: published and computed values, and their pictures.

    python tools/paper_page.py

Computed values come from the packaged records and from simulations of this script.  Published values are constants
below, each with its source.  The paper is Leroux et al., Nat. Comput. Sci. 5, 813-824 (2025),
doi 10.1038/s43588-025-00854-1; the second one: Sanovar et al., LeanAttention, arXiv 2405.10480.
"""

import argparse
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import numpy as np
from marked_block import rewrite
from matplotlib.figure import Figure

import gaincell_char as gc

ROOT = Path(__file__).parents[1]
PAGE = "docs/paper.md"
REPRODUCED, PARTLY, ABSENT = "reproduced", "partly", "absent"
STATUSES = (REPRODUCED, PARTLY, ABSENT)
CODE = "read in the authors' public code"
METHODS = "read in the article's Methods"
ABSTRACT = "read in the abstract"
THIRD = "from a third party's reading"
HERE = "inferred here"
MEMORY = "from memory, not verified"
PLACE = "; which panel shows it: inferred here"
UNKNOWN = "not known to us: its caption was not readable"
NONE, UNREAD = "-", "not read"

# Published numbers that others are computed from.  Energies and latency: utils/plot_energy.py of the authors' code.
ENERGY = {"scores": 1120e-12, "values": 700e-12, "digital": 4e-9, "dac": 330e-12}  # [J] per token and head
LATENCY = 65e-9  # [s] per token and head
HEADS = 12  # whose energy is compared with that of a GPU
# (s, J) per token of 12 heads; tests_divers/nvidia_*_attention.json of the authors' code.
GPUS = {"rtx": (22.37e-6, 7.18e-3), "jetson": (488.9e-6, 3.25e-3)}
WINDOW, ARRAY = 1024, 64  # tokens that a head stores; rows and columns of an array.  Authors' code.
VDD, T_MAX = 0.9, 15e-9  # Methods, eq. 3 and 4
HALF_LSB = VDD / 7 / 2  # 8 stored levels, Methods


class Row(NamedTuple):
    """One line of a table; ``{name}`` in `published` and `ours` stands for a computed number."""

    name: str
    shows: str
    published: str
    source: str
    ours: str
    status: str
    missing: str

    @property
    def uses(self) -> set[str]:
        """Names of the computed numbers."""
        return {field for text in (self.published, self.ours) for _, field, *_ in Formatter().parse(text) if field}

    def line(self, numbers: Mapping[str, str]) -> str:
        """The line in Markdown."""
        filled = self._replace(published=self.published.format(**numbers), ours=self.ours.format(**numbers))
        return f"| {' | '.join(filled)} |"


PANELS = (
    Row("1a", "attention of one layer, with projections and scalers", "S = Q K^T, A = phi(S) V, window of 1,024 tokens",
        f"{CODE}{PLACE}", "the published model here is within {module} of its equations in NumPy, relative", PARTLY,
        "projections (eq. 1) and scalers (eq. 7) around it"),
    Row("1b", "signal path: DAC, pulse generators, arrays, converters, counter",
        "64x64 arrays; input 16 levels, stored 8, output 32", f"levels {METHODS}, arrays {THIRD}{PLACE}",
        "arrays and both converters at transistor level; levels in software", PARTLY,
        "circuits of DAC, pulse generators and counter"),
    Row("1c", UNKNOWN, NONE, f"taken for cells in an array: {HERE}",
        "netlist of a 64x64 array with {array} transistors in its cells", PARTLY, "caption, published sizes, layout"),
    Row("1d", "one gain cell around a capacitor C1", "6 transistors by one reading, 3 by another", THIRD,
        "{cell} transistors and {c_store} fF in `netlists/gain_cell.cir`", PARTLY,
        "published count and sizes; ours was found by a fit of the published currents"),
    Row("1e", "current of a cell over its stored voltage, and the cubic of eq. 4",
        "{e_published} uA at 0, 0.45, 0.9 V, by the cubic", f"coefficients {CODE}; panel {METHODS}",
        "{e_ours} uA, fitted form, at most {e_worst} uA off their cubic; R2 of our cubic {e_r2}; "
        "[picture](images/paper_cell.png)", REPRODUCED,
        "a second, independent technology: gc28 was calibrated on the authors' table"),
    Row("1f", "decay of the stored voltage", "tau = 5 ms towards 0.45 V; {f_published} mV after 5 ms from 0 and 0.9 V",
        f"tau {THIRD}, law {CODE}{PLACE}",
        "{f_ours} mV; half an LSB lost after {f_half} us; [picture](images/paper_decay.png)", PARTLY,
        "published curve; leakage of a foundry's 28 nm"),
    Row("1g", "HardSigmoid charge-to-pulse converter", "15 ns at 1.2 pC, a straight line from 0", f"{METHODS}{PLACE}",
        "{g_rms} % of 15 ns rms off that line: {g_line}; [picture](images/paper_converters.png)", PARTLY,
        "published curve and circuit; the circuit here is our own"),
    Row("1h", "signed charge-to-pulse converter", "15 ns at 0.6 pC, with a sign", f"{CODE}{PLACE}",
        "{h_rms} % of 15 ns rms off that line: {h_line} on the positive side; "
        "[picture](images/paper_converters.png)", PARTLY,
        "published curve and circuit; the circuit here is our own"),
    Row("2a", "sliding window of tokens", "1,024 tokens; the newest replaces the oldest", f"{CODE}{PLACE}",
        "`attention(window=1024)`, a mask", PARTLY, "ring of columns that are written in turn"),
    Row("2b", UNKNOWN, NONE, NONE, NONE, ABSENT, "caption"),
    Row("2c", UNKNOWN, NONE, NONE, NONE, ABSENT, "caption"),
    Row("2d", "waveforms of the HardSigmoid converter", "7.50 ns for 0.6 pC by eq. 3", f"equation {METHODS}; "
        f"content {MEMORY}", "{d_pulse} ns, simulated", PARTLY, "published waveforms"),
    Row("2e", "waveforms of the signed converter", "-7.50 and 7.50 ns for -0.3 and 0.3 pC", f"scale {CODE}; content "
        f"{MEMORY}", "{e_pulse} ns, simulated", PARTLY, "published waveforms; counter; both converters in a chain"),
    Row("3a", "sub-tiles of a head", "{tiles} sub-tiles of 64 tokens, added digitally", f"{THIRD}, {CODE}{PLACE}",
        "`attention(array_length=64)`: each array is converted by itself, then added", PARTLY,
        "circuit of the digital sum"),
    Row("3b", UNKNOWN, NONE, f"taken for floorplan or stacking: {HERE}", NONE, ABSENT, "caption; layout, area"),
    Row("3c", UNKNOWN, NONE, f"taken for floorplan or stacking: {HERE}", NONE, ABSENT, "caption; layout, area"),
    Row("3d", UNKNOWN, NONE, f"taken for floorplan or stacking: {HERE}", NONE, ABSENT, "caption; layout, area"),
    Row("4a", UNKNOWN, NONE, f"taken for steps of the training: {HERE}", NONE, ABSENT, "caption; training of a model"),
    Row("4b", UNKNOWN, NONE, f"taken for steps of the adaptation: {HERE}", NONE, ABSENT, "caption; eq. 7 to 9"),
    Row("4c", "perplexity while the scalers are adapted", "1,757 to 21", THIRD, NONE, ABSENT,
        "adaptation of a trained model (eq. 7 to 9)"),
    Row("4d", "validation perplexity over training iterations", "linear from GPT-2: 22.9 at 2,900; nonlinear from "
        "linear: 25.8, then 22.5 at 10,000; nonlinear from GPT-2: 47.6 at 6,000; from scratch: 237 at 6,200",
        f"{CODE} (results file)", NONE, ABSENT, "training of a model"),
    Row("5a", "phi(Q K^T) of a 64x64 array, SPICE against software", "error not readable", f"content {HERE}",
        "cubic, the published form: {scores_cubic} % of 15 ns rms; fitted form: {scores_best} %; noise floor: "
        "{scores_noise} %; {columns} columns; [picture](images/compare.png)", PARTLY,
        "published error; the foundry's transistors"),
    Row("5b", "phi(S) V of a 64x64 array, SPICE against software", "error not readable", f"content {HERE}",
        "cubic: {values_cubic} %; fitted form: {values_best} %; noise floor: {values_noise} %; {columns} columns",
        PARTLY, "published error; the foundry's transistors"),
    Row("5c", "latency against GPUs", "x300 RTX 4090 (their data: {rtx_s}), x7,000 Jetson Nano ({jetson_s}), x100 H100",
        f"ratios {THIRD}; data {CODE}", NONE, ABSENT, "a GPU measured by us; a latency of our arrays"),
    Row("5d", "energy against GPUs", "x90,000 RTX 4090 (their data: {rtx_j}), x40,000 Jetson Nano ({jetson_j}), "
        "x70,000 H100", f"ratios {THIRD}; data {CODE}", NONE, ABSENT, "a GPU measured by us; energy of a whole head"),
    Row("5e", UNKNOWN, NONE, f"taken for the shares of energy: {HERE}", NONE, ABSENT,
        "caption; energy of converters, DACs and control"),
)  # fmt: skip
TEXT = (
    Row("energy of array 1", "phi(Q K^T), converters included", "1,120 pJ per token and head", CODE,
        "{energy} pJ in cells and word-line drivers of {tiles} arrays, uniform v_store and widths of 1 to 15 ns",
        PARTLY, "converters and bitline clamps"),
    Row("energy of array 2", "phi(S) V, converters included", "700 pJ", CODE, NONE, ABSENT, "pulses of trained heads"),
    Row("energy of DACs", "writes of K and V", "330 pJ", CODE, NONE, ABSENT, "a DAC"),
    Row("energy of digital control", "control and routing", "4 nJ", CODE, NONE, ABSENT, "a digital design"),
    Row("total energy", "per token and head", "6.1 nJ (sum of the four: {total} nJ)", f"{THIRD}; parts {CODE}", NONE,
        ABSENT, "all parts"),
    Row("latency", "per token and head", "65 ns", f"{CODE}, {THIRD}",
        "{cycle} ns per conversion cycle, two cycles per token", PARTLY, "overlap of both cycles; write; digital sum"),
    Row("area of a head", "digital control included", "0.5 mm2; K and V arrays 15.7e-3 mm2; stacked 36.7e-3/N mm2",
        THIRD, NONE, ABSENT, "layout"),
)  # fmt: skip
TABLE_1 = tuple(
    Row(model, "mean accuracy of the tasks; WikiText-2 perplexity", value, source, NONE, ABSENT,
        "training and benchmarks of a language model")
    for model, value, source in (
        ("GPT-2, public", "43.02 %; 36.26", THIRD),
        ("GPT-2, trained from scratch in software", "41.46 %; 43.82", THIRD),
        ("linear hardware model", UNREAD, NONE),
        ("nonlinear hardware model", "comparable to training from scratch or above; numbers not read", THIRD),
        ("GPT-2 XL, public and trained from scratch", UNREAD, NONE),
        ("GPT-2 XL, nonlinear hardware model", "slightly below the public XL; numbers not read", THIRD),
    )
)  # fmt: skip
EQUATIONS = (
    Row("1", "projections", "Q, K, V = W X", HERE, NONE, ABSENT, "linear layers"),
    Row("2", "attention", "S = Q K^T, A = phi(S) V in a causal window", f"{CODE}; {THIRD}",
        "`attention(records=\"paper\")` against NumPy: below {module}, relative", REPRODUCED, NONE),
    Row("3", "HardSigmoid", "phi(S) = T_max clamp(S / S_sat, 0, 1), T_max = 15 ns; S_sat = 80 uA T_max",
        f"{METHODS}; S_sat {CODE}", "record `paper/relu_c2p.transfer`; our circuit {g_rms} % of T_max rms off it",
        REPRODUCED, NONE),
    Row("4", "current of a cell", "sum of C_ij (V_store - 0.45 V)^i V_in^j, i + j at most 3",
        f"{METHODS}; coefficients {CODE}", "cubic of gc28 with R2 {e_r2} against theirs", REPRODUCED, NONE),
    Row("5", "decay", "K - K_off times exp(-dt (t - s) / tau); 1.6e-4 per token", CODE,
        "`attention(decay_per_token=1.6e-4)` against NumPy: below {module_decay}, relative", REPRODUCED, NONE),
    Row("6", "linear intermediate model", "S = 19.3 Q (K - 0.45 V)^T", CODE,
        "line of the surrogate gradient only: slope {slope} uA/V for gc28, least squares", ABSENT,
        "a linear model in the forward pass"),
    Row("7", "scaling per head", "y = a x + b", CODE, NONE, ABSENT, "scalers"),
    Row("8", "adaptation of a", "a moves to alpha a sigma_target / sigma + (1 - alpha) a", CODE, NONE, ABSENT,
        "adaptation"),
    Row("9", "adaptation of b", "b moves to alpha (b + mu_target - mu) + (1 - alpha) b", CODE, NONE, ABSENT,
        "adaptation"),
)  # fmt: skip
LEAN = (
    Row("schedule", "FlashAttention-2, FlashDecoding and LeanAttention on a few processors", "occupancy near 100 %",
        f"claim {ABSTRACT}; figure {MEMORY}", NONE, ABSENT, "a schedule of token tiles and its occupancy"),
    Row("merge", "softmax rescaling as an associative reduction", "exact attention, no approximation", ABSTRACT, NONE,
        ABSENT, "a reference of the merge and of the algorithm"),
    Row("mean speed", "attention in decode against FlashDecoding", "1.73 times", f"{ABSTRACT} of version 2", NONE,
        ABSENT, "kernel and measurement on a GPU"),
    Row("context length", "speed over context length", "2.18 times at 256k against FlashDecoding (version 2); "
        "8.33 times at 512k and 2.6 times on average against FlashAttention-2 (version 1)",
        f"{ABSTRACT}; figure {MEMORY}", NONE, ABSENT, "kernel and measurement on a GPU"),
    Row("heads and batch", "speed over the number of heads and sequences", UNREAD, MEMORY, NONE, ABSENT,
        "kernel and measurement on a GPU"),
    Row("ragged batch", "sequences of unequal length", UNREAD, MEMORY, NONE, ABSENT, "kernel and measurement on a GPU"),
    Row("several GPUs", "tensor parallel over the stored tokens", UNREAD, MEMORY, NONE, ABSENT, "several GPUs"),
    Row("end to end", "a language model with each kernel", UNREAD, MEMORY, NONE, ABSENT, "a language model"),
)  # fmt: skip
TABLES = {"panels": PANELS, "text": TEXT, "table 1": TABLE_1, "equations": EQUATIONS, "lean attention": LEAN}
HEADS_OF = {
    "panels": "panel",
    "text": "quantity",
    "table 1": "model",
    "equations": "equation",
    "lean attention": "figure",
}


def show(values: Sequence[float], scale: float, digits: int) -> str:
    """Values in a unit, as a list."""
    return ", ".join(f"{scale * value:.{digits}f}" for value in values)


def model_of(record: str, model: str, **conditions: float) -> Callable[..., np.ndarray]:
    """A model of a packaged record, named as ``gc28/gain_cell.dc``."""
    return gc.load_model(gc.load_record(*record.split("/")), model, **conditions)


def from_records() -> dict[str, str]:
    """Every number that needs no simulation."""
    return {**netlist_numbers(), **cell_numbers(), **decay_numbers(), **converter_numbers(), **published_numbers()}


def netlist_numbers() -> dict[str, str]:
    """Devices of a cell."""
    netlist = (ROOT / "netlists" / "gain_cell.cir").read_text(encoding="utf-8")
    transistors = len(re.findall(r"^x.* [np]_\{", netlist, re.MULTILINE))
    c_store = gc.load_record("gc28", "gain_cell.dc").parameters["c_store"]
    return {"cell": str(transistors), "array": f"{transistors * ARRAY**2:,}", "c_store": f"{1e15 * c_store:g}"}


def cell_numbers() -> dict[str, str]:
    """Cubics of a cell's current, and its energy."""
    ends, v_store = np.array([0.0, VDD / 2, VDD]), np.linspace(0, VDD, 181)
    published, cubic = (model_of(f"{origin}/gain_cell.dc", "cubic") for origin in ("paper", "gc28"))
    theirs, width = published(v_store), np.linspace(0, 1, 100)
    x, v = (a.ravel() for a in np.meshgrid(width, np.linspace(0, VDD, 100)))
    design = np.stack([np.ones_like(x), x * (v - VDD / 2)], axis=1)
    pulse, stored = np.meshgrid(np.linspace(1e-9, T_MAX, 141), np.linspace(0, VDD, 91))
    parts = (model_of("gc28/gain_cell.energy", name)(stored, pulse).mean() for name in ("cell_energy", "driver_energy"))
    best = model_of("gc28/gain_cell.dc", "ekv")
    return {
        "e_published": show(published(ends), 1e6, 2), "e_ours": show(best(ends), 1e6, 2),
        "e_worst": f"{1e6 * np.abs(best(v_store) - theirs).max():.2f}",
        "e_r2": f"{1 - np.sum((cubic(v_store) - theirs) ** 2) / np.sum((theirs - theirs.mean()) ** 2):.4f}",
        "slope": f"{1e6 * np.linalg.lstsq(design, x * cubic(v), rcond=None)[0][1]:.1f}",
        "energy": f"{1e12 * sum(parts) * WINDOW * ARRAY:.0f}",
    }  # fmt: skip


def decay_numbers() -> dict[str, str]:
    """Voltages after 5 ms, and the time until half an LSB is lost."""
    rails, after = np.array([0.0, VDD]), 5e-3
    published, ours = model_of("paper/capacitor_decay.decay", "exponential"), leaks()
    times = np.geomspace(1e-6, 3e-2, 2001)
    moved = np.max([np.abs(ours(np.full_like(times, v), times) - v) for v in rails], axis=0)
    return {
        "f_published": show(published(rails, np.full(2, after)), 1e3, 0),
        "f_ours": show(ours(rails, np.full(2, after)), 1e3, 0),
        "f_half": f"{1e6 * np.interp(HALF_LSB, moved, times):.0f}",
    }


def leaks() -> Callable[..., np.ndarray]:
    """Fitted decay at 27 degC with an idle write bitline."""
    model = model_of("gc28/capacitor_decay.decay", "four_leaks", temp=27.0)
    return lambda v_init, time: model(v_init, time, np.full(np.broadcast(v_init, time).shape, VDD / 2))


CONVERTERS = {
    "g": ("relu_c2p", "hard_sigmoid", "relu_knee", 0.0, 1.2e-12),
    "h": ("signed_c2p", "hard_tanh", "signed_knee", -0.6e-12, 0.6e-12),
}
"""Circuit, published and best model, and the charges [C] between which the published line runs."""


def converter_numbers() -> dict[str, str]:
    """Difference of both converters from the published lines, and conversion time."""
    found = {}
    for name, (circuit, line, knee, low, high) in CONVERTERS.items():
        charge, on_line = np.linspace(low, high, 481), high * np.array([0.25, 0.75])
        ours, published = model_of(f"gc28/{circuit}.transfer", knee), model_of(f"paper/{circuit}.transfer", line)
        found[f"{name}_rms"] = f"{100 * np.sqrt(np.mean((ours(charge) - published(charge)) ** 2)) / T_MAX:.1f}"
        slope, start = np.polyfit(on_line, ours(on_line), 1)
        steeper = 100 * (slope * high / T_MAX - 1)
        found[f"{name}_line"] = f"{steeper:.1f} % steeper, {1e9 * start:.2f} ns longer"
    cycle = gc.load_record("gc28", "relu_c2p.transfer").parameters["t_cycle"]
    return {**found, "cycle": f"{1e9 * cycle:.0f}"}


def published_numbers() -> dict[str, str]:
    """Numbers computed from published numbers alone."""
    total = sum(ENERGY.values())
    ratios = {}
    for name, (seconds, joules) in GPUS.items():
        ratios[f"{name}_s"] = f"{float(f'{seconds / LATENCY:.3g}'):,.0f}"
        ratios[f"{name}_j"] = f"{float(f'{joules / (HEADS * total):.3g}'):,.0f}"
    return {**ratios, "total": f"{1e9 * total:.2f}", "tiles": str(WINDOW // ARRAY)}


def from_software() -> dict[str, str]:
    """Differences between the PyTorch model of the paper's records and its equations in NumPy."""
    return {"module": f"{off_equations(0.0):.0e}", "module_decay": f"{off_equations(1.6e-4):.0e}"}


def off_equations(rate: float) -> float:
    """Largest difference of the output from equations 2 to 5, over the largest output, rounded up to a power of ten."""
    import torch  # the quick test of this script omits them

    from gaincell_char.torch import attention

    q, k, v = np.random.default_rng(1).random((3, 128, ARRAY)) * np.array([1.0, VDD, VDD])[:, None, None]
    values = gc.load_record("paper", "gain_cell.dc").fit("cubic").values()
    c = [1e6 * values[f"c{i}"] for i in range(4)]
    age = np.subtract.outer(np.arange(128), np.arange(128))
    decay = np.exp(-rate * np.maximum(age, 0))
    scores = sum(c[i] * decay**i * (q @ ((k - VDD / 2) ** i).T) for i in range(4)) * (age >= 0)
    phi = np.clip(scores / 80, 0, 1)
    out = np.clip(sum(c[i] * ((phi * decay**i) @ (v - VDD / 2) ** i) for i in range(4)) / 40, -1, 1)
    ours = attention(*map(torch.from_numpy, (q, k, v)), records="paper", decay_per_token=rate).numpy()
    return 10 ** np.ceil(np.log10(np.abs(ours - out).max() / np.abs(out).max()))


def from_transients(pool: gc.Pool) -> dict[str, str]:
    """Pulses of both converters."""
    relu = simulate(pool, "relu_c2p", "transfer", q_in=[0.6e-12]).t_pulse
    signed = simulate(pool, "signed_c2p", "transfer", q_in=[-0.3e-12, 0.3e-12]).t_signed
    return {"d_pulse": show(relu.to_numpy().ravel(), 1e9, 2), "e_pulse": show(signed.to_numpy().ravel(), 1e9, 2)}


def simulate(pool: gc.Pool, circuit: str, bench: str, **sweep: list[float]):  # type: ignore[no-untyped-def]
    """Dataset of one bench of gc28."""
    return gc.characterize(gc.plan_bench(circuit, bench, sweep=sweep), pool=pool).dataset


def from_arrays(pool: gc.Pool) -> dict[str, str]:
    """Columns of 64 cells in SPICE and in the software model: 4 heads of random tensors, 2 columns of each."""
    from gaincell_char.validation import score, simulate  # imports torch
    from gaincell_char.validation.cases import cases, make_validation
    from gaincell_char.validation.software_model import make_software_models, pulses_of

    comparison = make_validation(instances=4, columns=2)
    models = make_software_models(comparison)
    todo = list(cases(comparison, pulses_of(models["scores"])))
    with tempfile.TemporaryDirectory() as folder:
        simulate.run_validation(comparison, todo, Path(folder) / "compared", pool)
        rows = simulate.finished_cases(comparison, Path(folder) / "compared", todo)
    summary = score.judge(comparison, models, rows, todo).summary.set_index(["operation", "form"])
    names = {(o, f): f"{o}_{n}" for o in ("scores", "values") for f, n in (("cubic", "cubic"), ("pulsed", "best"))}
    errors = {name: f"{summary.rms_percent[place]:.2g}" for place, name in names.items()}
    noise = {f"{o}_noise": f"{summary.noise_percent[o, 'pulsed']:.2g}" for o in ("scores", "values")}
    return {**errors, **noise, "columns": str(summary.n["scores", "pulsed"])}


PUBLISHED = {"color": "#D55E00", "ls": "--", "lw": 2}  # Okabe and Ito
OURS = {"color": "#0072B2", "lw": 2}
SPICE = {"color": "black", "marker": "o", "ls": "", "ms": 4, "mfc": "none"}


def draw_cell(pool: gc.Pool) -> Figure:
    """Current of a cell: simulated, fitted and published."""
    v_store = np.linspace(0, VDD, 37)
    spice = 1e6 * simulate(pool, "gain_cell", "dc", v_store=v_store.tolist(), v_in=[VDD]).i_bl.to_numpy().ravel()
    published, cubic = (1e6 * model_of(f"{o}/gain_cell.dc", "cubic")(v_store) for o in ("paper", "gc28"))
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    above.plot(v_store, spice, label="gc28, ngspice", **SPICE)
    above.plot(v_store, cubic, label="gc28, cubic", **OURS)
    above.plot(v_store, published, label="published cubic", **PUBLISHED)
    below.plot(v_store, spice - published, **SPICE)
    below.plot(v_store, cubic - published, **OURS)
    above.set_ylabel("bitline current i_bl [uA]")
    below.set(xlabel="stored voltage v_store [V]", ylabel="difference [uA]")
    above.legend()
    return figure


def draw_decay() -> Figure:
    """Stored voltage over time, by the published exponential and by the simulated leakage."""
    times, published, ours = (
        np.geomspace(1e-6, 3e-2, 121),
        model_of("paper/capacitor_decay.decay", "exponential"),
        leaks(),
    )
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for v_init in (0.0, 0.3, 0.6, 0.9):
        start = np.full_like(times, v_init)
        first = v_init == 0
        axes.semilogx(times, ours(start, times), label="gc28, four leaks" if first else None, **OURS)
        axes.semilogx(times, published(start, times), label="published, tau = 5 ms" if first else None, **PUBLISHED)
    axes.set(xlabel="time since the write [s]", ylabel="stored voltage v_store [V]")
    axes.legend(loc="center left")
    return figure


def draw_converters() -> Figure:
    """Transfer of both converters."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    titles = ("HardSigmoid (ReLU) converter", "signed converter")
    for axes, title, (circuit, line, knee, low, high) in zip(
        figure.subplots(1, 2), titles, CONVERTERS.values(), strict=True
    ):
        charge = np.linspace(low - 0.15e-12, high + 0.1e-12, 401)
        for origin, model, label, style in (("gc28", knee, "gc28", OURS), ("paper", line, "published", PUBLISHED)):
            axes.plot(
                1e12 * charge, 1e9 * model_of(f"{origin}/{circuit}.transfer", model)(charge), label=label, **style
            )
        axes.set(title=title, xlabel="charge q_in [pC]", ylabel="output pulse [ns]")
        axes.legend()
    return figure


def count(rows: Sequence[Row]) -> str:
    """Number of rows of each status."""
    found = Counter(row.status for row in rows)
    return ", ".join(f"{found[status]} {status}" for status in STATUSES)


def table(name: str, numbers: Mapping[str, str]) -> str:
    """One table, with its counts above."""
    rows = TABLES[name]
    head = f"| {HEADS_OF[name]} | what the paper shows | published | how sure | ours | status | what is missing |"
    return "\n".join(
        [f"{len(rows)} rows: {count(rows)}.", "", head, "|" + "---|" * 7, *(r.line(numbers) for r in rows)]
    )


def main() -> None:
    """Rewrite every table and picture."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with gc.Pool(1) as pool:
        numbers = {**from_records(), **from_software(), **from_transients(pool), **from_arrays(pool)}
        pictures = {"cell": draw_cell(pool), "decay": draw_decay(), "converters": draw_converters()}
    for name, figure in pictures.items():
        for axes in figure.axes:
            axes.grid(alpha=0.3)
        figure.savefig(ROOT / "docs" / "images" / f"paper_{name}.png", dpi=100, metadata={"Software": None})
    for name in TABLES:
        rewrite(PAGE, name, table(name, numbers))


if __name__ == "__main__":
    main()
