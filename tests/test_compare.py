"""Arrays in ngspice, and the command that compares them with the software model."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.validation import array_netlist, score
from gaincell_char.validation.array_netlist import ArrayCircuit
from gaincell_char.validation.cases import cases, make_validation
from gaincell_char.validation.coverage import measure_coverage, rank_columns
from gaincell_char.validation.device_mismatch import with_mismatch
from gaincell_char.validation.software_model import make_software_models, pulses_of
from gaincell_char.validation.tensors import random_inputs, read_inputs

pytestmark = pytest.mark.xdist_group("comparisons")  # they share a folder
HEADS = registry.head_names()
T_MAX = 15e-9
SMALL = ("--tokens", 32, "--dim", 32, "--columns", 3)


def array(operation="scores", head="attention", **options):
    declared = registry.load_head(head)
    return ArrayCircuit(head=declared, operation=declared.operation(operation), **options)


def stored(rows, columns, seed=1):
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 0.9, (rows, columns)), T_MAX * rng.uniform(0.05, 1, rows)


def run(pool, decks):
    found = {}
    for (number, _), outcome in pool.map(list(enumerate(decks)), lambda item: item[1], count=len(decks)):
        assert not outcome.reason, outcome.reason
        found[number] = outcome.vectors
    return [found[i] for i in range(len(decks))]


def summed(pool, circuit, v, t):
    """Charge and output of every column, cell by cell and then converter by converter."""
    rows = run(pool, [circuit.row(v[r], t[r]) for r in range(len(t)) if t[r] > 0])
    course = np.sum([circuit.courses(waves, v.shape[1]) for waves in rows], axis=0)
    out = [circuit.outputs(waves, 0)[0] for waves in run(pool, [circuit.conversions(c[None]) for c in course])]
    return course[:, -1], np.array([float(x[circuit.operation.output]) for x in out])


def test_arrays_are_simulated_with_the_options_of_the_technology(monkeypatch):
    """As the benches of their circuits are: where these need other tolerances, arrays do."""
    own = registry.load_technology("gc28")
    stated = {"gain_cell": {"abstol": 3e-12}, "relu_c2p": {"vntol": 7e-7}}
    monkeypatch.setattr(array_netlist, "load_technology", lambda _: own.model_copy(update={"options": stated}))
    circuit = array(clamp="ideal")
    row = circuit.row(np.full(2, 0.4), 1e-9).text
    foot = circuit.conversions(np.zeros((1, circuit.times.size))).text
    whole = array(clamp="resistor").columns(np.full((2, 1), 0.4), np.full(2, 1e-9)).text
    assert "abstol=3e-12" in row
    assert "vntol=7e-07" not in row
    for text in (foot, whole):
        assert "vntol=7e-07" in text
        assert "abstol=3e-12" not in text


@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_declared_completely(head):
    declared = registry.load_head(head)
    for circuit in (declared.cell, declared.decay, *(o.converter for o in declared.operations)):
        assert circuit in registry.circuit_names()
    for form, name in declared.forms.items():
        assert registry.load_circuit(declared.cell).model(name.model), form
    for operation in declared.operations:
        assert operation.forms.keys() == declared.forms.keys()
        bench = registry.load_circuit(operation.converter).bench(operation.bench)
        assert bench.output(operation.output)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("operation", ["scores", "values"])
@pytest.mark.slow
def test_a_whole_array_is_the_sum_of_its_cells(pool, head, operation):
    """Ideal clamps and drivers: rows, columns and converters do not see each other."""
    circuit = array(operation, head)
    v, t = stored(6, 3)
    t[2] = 0.0
    charge, output = summed(pool, circuit, v, t)
    [waves] = run(pool, [circuit.columns(v, t)])
    np.testing.assert_allclose(circuit.charges(waves, 3), charge, rtol=0, atol=1e-5 * 1.2e-12)
    whole = [float(circuit.outputs(waves, c)[0][circuit.operation.output]) for c in range(3)]
    np.testing.assert_allclose(whole, output, rtol=0, atol=1e-4 * T_MAX)


def test_what_is_not_ideal_takes_charge_away(pool):
    v, t = np.full((16, 1), 0.9), np.full(16, 10e-9)
    kinds = [
        array(),
        array(clamp="resistor", r_clamp=1000.0),
        array(clamp="passive"),
        array(clamp="ideal", r_wire=200.0),
    ]
    waves = run(pool, [circuit.columns(v, t) for circuit in kinds])
    charges = [float(c.charges(w, 1)[0]) for c, w in zip(kinds, waves, strict=True)]
    assert charges[0] == max(charges)
    assert all(q < 0.98 * charges[0] for q in charges[1:])
    assert kinds[0].excursion(waves[0], 0) == pytest.approx(0, abs=1e-6)
    assert kinds[2].excursion(waves[2], 0) < -0.2


def test_wires_along_rows_slow_the_far_column(pool):
    circuit = array(r_wire=500.0)
    v, t = np.full((4, 4), 0.9), np.full(4, 10e-9)
    [waves] = run(pool, [circuit.columns(v, t)])
    charges = circuit.charges(waves, 4)
    assert (np.diff(charges) < 0).all()


def test_a_pulse_shorter_than_its_edges_is_a_small_one(pool):
    circuit = array()
    v = np.array([0.9])
    charges = [
        float(circuit.charges(w, 1)[0]) for w in run(pool, [circuit.row(v, t) for t in (20e-12, 45e-12, 200e-12)])
    ]
    assert 0 < charges[0] < charges[1] < charges[2] < 3e-15


@pytest.mark.slow
def test_one_bias_for_all_couples_the_converters(pool):
    v, t = stored(8, 4)
    own, shared = (array(shared_bias=b) for b in (False, True))
    a, b = run(pool, [own.columns(v, t), shared.columns(v, t)])
    widths = [[float(c.outputs(w, i)[0]["t_pulse"]) for i in range(4)] for c, w in ((own, a), (shared, b))]
    assert np.abs(np.subtract(*widths)).max() > 1e-13
    assert np.abs(np.subtract(*widths)).max() < 0.01 * T_MAX


def test_a_cell_s_mismatch_does_not_depend_on_its_company():
    circuit = array()
    v, t = stored(3, 4)

    def seeds(row, columns):
        return lambda place: (5, 999) if place is None else (5, row + place[0], columns[place[1]])

    row = with_mismatch(circuit.row(v[2], t[2]), circuit.technology, circuit.corner, seeds(2, (0, 1, 2, 3)))
    some = with_mismatch(circuit.row(v[2, [1, 3]], t[2]), circuit.technology, circuit.corner, seeds(2, (1, 3)))
    column = with_mismatch(circuit.columns(v[:, [3]], t), circuit.technology, circuit.corner, seeds(0, (3,)))
    of_row = {k.replace("0_3", "#"): x for k, x in row.alters.items() if "xcell0_3." in k}
    of_some = {k.replace("0_1", "#"): x for k, x in some.alters.items() if "xcell0_1." in k}
    of_column = {k.replace("2_0", "#"): x for k, x in column.alters.items() if "xcell2_0." in k}
    assert of_row == of_some == of_column
    assert sum("delvto" in name for name in of_row) == 4


def test_inputs_repeat_and_grow():
    few, many = random_inputs(2, 4, 3, 0.9, 5), random_inputs(4, 4, 3, 0.9, 5)
    np.testing.assert_array_equal(few.k, many.k[:2])
    assert few.k.max() <= 0.9
    assert few.digest != random_inputs(2, 4, 3, 0.9, 6).digest


def test_drawn_inputs_lie_on_the_levels_of_the_hardware():
    """All levels, the ends included, equally often; `continuous` draws from the whole ranges."""
    inputs = make_validation(instances=4, tokens=32, dim=32, columns=1).inputs
    for values, top, count in ((inputs.q, 1.0, 16), (inputs.k, 0.9, 8), (inputs.v, 0.9, 8)):
        found, often = np.unique(values, return_counts=True)
        np.testing.assert_allclose(found, np.linspace(0, top, count), atol=1e-15)
        assert found.max() <= top
        assert often == pytest.approx(values.size / count, rel=0.25)
    whole = make_validation(instances=1, tokens=32, dim=32, columns=1, continuous=True)
    assert np.unique(whole.inputs.q).size == whole.inputs.q.size
    assert (whole.source, make_validation(tokens=4).source) == ("uniform, seed 1", "16 x 8 levels, seed 1")


def test_values_are_driven_by_the_tokens_seen():
    comparison = make_validation(instances=1, tokens=6, dim=5, columns=0, queries=2)
    models = make_software_models(comparison)
    todo = list(cases(comparison, pulses_of(models["scores"])))
    assert [(c.operation.name, c.query, len(c.columns)) for c in todo] == [
        ("scores", 4, 5), ("values", 4, 5), ("scores", 5, 6), ("values", 5, 5),
    ]  # fmt: skip
    assert (todo[1].t_pulse[5:] == 0).all()
    assert todo[0].v_store.shape == (5, 5)


@pytest.fixture(scope="module")
def compared(finished):
    """A folder with a comparison that is done, and what was printed."""
    return finished("compare", "-o", "there", "--instances", 2, *SMALL, "--gate")


@pytest.fixture
def there(compared, tmp_path):
    """The same for a test to change."""
    shutil.copytree(compared[0], tmp_path, dirs_exist_ok=True)
    return tmp_path / "there"


def test_compare_agrees_leaves_everything_and_goes_on(compared, there, gaincell):
    assert "4 of 4 passes simulated" in compared[1]
    for name in ("index.html", "inputs.npz", "compare.json", "tables/summary.csv", "tables/outcomes.csv",
                 "figures/scatter_scores.png", "figures/waves_values.svg", "decks/column_scores.cir"):  # fmt: skip
        assert (there / name).stat().st_size > 0
    told = json.loads((there / "compare.json").read_text())
    assert told["disagreements"] == []
    best = {row["operation"]: row for row in told["summary"] if row["form"] == "pulsed"}
    assert best["scores"]["rms_percent"] < 0.1
    assert best["values"]["rms_percent"] < 0.1
    assert best["scores"]["noise_percent"] == pytest.approx(0.125, rel=0.1)
    assert best["values"]["noise_percent"] == pytest.approx(0.21, rel=0.1)
    first = (there / "tables" / "outcomes.csv").read_text()
    status, out, _ = gaincell("compare", "-o", "there", "--instances", 2, *SMALL)
    assert (status, "0 of 4 passes simulated" in out) == (0, True)
    assert (there / "tables" / "outcomes.csv").read_text() == first


def test_what_is_lost_is_simulated_again_and_nothing_else(there, gaincell):
    first = pd.read_csv(there / "tables" / "outcomes.csv").drop(columns="spent_s")
    shard = sorted((there / "shards").glob("*.parquet"))[1]
    shard.unlink()
    (there / "index.html").unlink()
    status, out, _ = gaincell("compare", "-o", "there", "--instances", 2, *SMALL)
    assert (status, "1 of 4 passes simulated" in out) == (0, True)
    again = pd.read_csv(there / "tables" / "outcomes.csv").drop(columns="spent_s")
    pd.testing.assert_frame_equal(first, again)


@pytest.mark.slow
def test_a_third_person_can_repeat_it(there, gaincell, tmp_path):
    again = ("--columns", 3, "--operation", "scores", "--inputs", "there/inputs.npz")
    assert gaincell("compare", "-o", "b", *again)[0] == 0
    a, b = (pd.read_csv(at / "tables" / "outcomes.csv").drop(columns="spent_s") for at in (there, tmp_path / "b"))
    scores = a[a["operation"] == "scores"]
    assert 0 < len(scores) < len(a)
    pd.testing.assert_frame_equal(scores.reset_index(drop=True), b)


def test_a_form_that_is_off_fails_the_gate(gaincell):
    status, _, err = gaincell("compare", "-o", "there", *SMALL, "--operation", "scores", "--gate", "--form", "dc")
    assert status == 1
    assert "SPICE and the software model disagree: scores, dc: rms error" in err
    assert "times the error stated in the records; the limit is 3 times" in err


@pytest.mark.slow
def test_a_clamp_with_resistance_needs_the_sliced_form(gaincell, tmp_path):
    status, out, _ = gaincell("compare", "-o", "there", *SMALL, "--clamp", "resistor", "--operation", "scores")
    assert status == 0, out
    rows = {r["form"]: r for r in json.loads((tmp_path / "there" / "compare.json").read_text())["summary"]}
    assert np.isnan(rows["sliced"]["noise_percent"])
    assert rows["sliced"]["charge_percent"] < 0.2
    assert rows["sliced"]["rms_percent"] < rows["pulsed"]["rms_percent"]


@pytest.mark.long
def test_mismatch_is_covered(gaincell, tmp_path):
    status, out, _ = gaincell("compare", "-o", "there", "--tokens", 24, "--dim", 24, "--columns", 0, "--mismatch",
                              "--operation", "values", "--instances", 2)  # fmt: skip
    assert status == 0, out
    told = json.loads((tmp_path / "there" / "compare.json").read_text())
    [half, most, nearly, *tied] = told["coverage"]
    assert [c["columns"] for c in told["coverage"]] == ["clear"] * 3 + ["tied"] * 3
    assert most["n"] + tied[0]["n"] == 48
    assert half["low"] < 0.5 < half["high"]
    assert most["low"] < 0.9 < most["high"]
    assert nearly["value"] > 0.9


class Fake:
    """A software model that is off by a given time."""

    forms = ("only",)

    def __init__(self, off, stated):
        self.off, self._stated = off, stated

    def charge(self, _form, v_store, _t_pulse):
        return np.zeros(v_store.shape[1])

    def swing(self, _form, v_store, _t_pulse):
        return np.zeros(v_store.shape[1])

    def output(self, _form, charge, _swing):
        return np.arange(len(charge)) * 1e-9 + self.off

    def stated(self, _form, charge, _t_pulse):
        return np.full(len(charge), self._stated)

    def draw(self, v_store, _t_pulse, draws, seed):
        rng = np.random.default_rng(seed)
        return np.arange(v_store.shape[1]) * 1e-9 + rng.normal(0, 1e-10, (draws, v_store.shape[1]))


def _judged(off, stated, spread=0.0, **request):
    comparison = make_validation(tokens=300, dim=4, columns=0, operations=("scores",), **request)
    todo = list(cases(comparison, lambda v, _t: np.zeros(v.shape[1])))
    n = len(todo[0].columns)
    truth = np.arange(n) * 1e-9 + np.random.default_rng(1).normal(0, spread, n)
    rows = pd.DataFrame({
        "sample": 0, "point": range(n), "operation": "scores", "q_bl": 0.0, "output": truth, "status": "ok",
        "column": range(n), "query": 299,
    })  # fmt: skip
    return score.judge(comparison, {"scores": Fake(off, stated)}, rows, todo)


def test_errors_are_measured_against_what_is_stated():
    found = _judged(30e-12, 1e-11)
    [line] = found.summary.to_dict("records")
    assert line["rms_ns"] == pytest.approx(0.03)
    assert line["rms_lsb"] == pytest.approx(0.03)
    assert line["rms_percent"] == pytest.approx(0.2)
    assert line["agrees"]
    assert not found.disagreements()
    [sentence] = _judged(31e-12, 1e-11).disagreements()
    assert sentence == (
        "scores, only: rms error 31 ps, 3.1 times the error stated in the records; the limit is 3 times"
    )


def test_columns_without_a_pulse_do_not_make_an_rms_smaller():
    """Column 0 of the fake has no pulse without an offset; with one, the model has a pulse that SPICE has not."""
    assert _judged(0.0, 1e-11).summary[["n", "n_silent"]].to_numpy().tolist() == [[299, 1]]
    [line] = _judged(30e-12, 1e-11).summary.to_dict("records")
    assert (line["n"], line["n_silent"]) == (300, 0)
    table = pd.DataFrame({"status": ["ok"] * 4, "output": [0.0, 0.0, 2e-9, 4e-9], "q_bl": [1e-15, 0.0, 0.0, 0.0]})
    table = table.assign(output_x=[0.0, 1e-9, 2e-9, 3e-9], stated_x=1e-9, q_x=0.0, noise=[9e-9, 1e-9, 1e-9, 2e-9])
    line = score._line(table, "scores", "x", score.Scales(t_max=10e-9, q_full=1e-12, lsb=1e-9))
    assert (line["n"], line["n_silent"]) == (3, 1)
    assert line["rms_ns"] == pytest.approx(np.sqrt(2 / 3))
    assert line["noise_ns"] == pytest.approx(np.sqrt(6 / 3))
    assert line["ratio"] == pytest.approx(np.sqrt(2 / 3))
    assert line["r2"] == pytest.approx(1 - 2 / 8)
    assert line["charge_percent"] == pytest.approx(100 * 1e-3 / 2), "every column has a charge"
    silent = score._line(table[:1], "scores", "x", score.Scales(t_max=10e-9, q_full=1e-12, lsb=1e-9))
    assert (silent["n"], silent["n_silent"], silent["agrees"]) == (0, 1, False)


def test_a_sentence_says_how_many_columns_have_no_pulse():
    [sentence] = _judged(0.0, 1e-11, 1e-12).explained()
    assert sentence.startswith("scores, only: 300 columns, 0 of them without a pulse in SPICE and model, which are not")


@pytest.mark.parametrize("threshold", [-9.0, 0.2, 9.0])
def test_randomized_ranks_of_a_correct_model_are_uniform(threshold):
    """Outputs are cut at a threshold; the ranks stay uniform when some or all of them are equal."""
    rng = np.random.default_rng(2)
    drawn, spice = (np.maximum(rng.normal(size=shape), threshold) for shape in ((200, 4000), (4000,)))
    ranks = rank_columns(1e-9 * drawn, 1e-9 * spice, 1, 0)
    assert stats.kstest(ranks["rank"], "uniform").pvalue > 0.01
    share = {-9.0: 0.0, 0.2: stats.norm.cdf(0.2), 9.0: 1.0}[threshold]
    assert ranks["ties"].mean() == pytest.approx(share, abs=0.02)
    assert ranks.equals(rank_columns(1e-9 * drawn, 1e-9 * spice, 1, 0))
    assert (ranks["rank"] != rank_columns(1e-9 * drawn, 1e-9 * spice, 2, 0)["rank"]).all()


def test_clear_and_tied_columns_are_counted_apart_and_all_of_them():
    rows = pd.DataFrame(
        {"operation": "scores", "status": ["ok"] * 5 + ["failed"], "rank": [0.5, 0.01, 0.6, 0.99, 0.5, 0]}
    )
    found = measure_coverage(rows.assign(ties=[0.0, 0.04, 0.05, 1.0, 0.5, 0.0]), "scores")
    assert [(c.columns, c.level, c.share.n) for c in found] == [
        (kind, level, n) for kind, n in (("clear", 2), ("tied", 3)) for level in score.LEVELS
    ]
    assert [c.share.value for c in found] == pytest.approx([1 / 2, 1 / 2, 1.0, 2 / 3, 2 / 3, 1.0])


def test_coverage_is_counted():
    right = _judged(0.0, 1e-11, 1e-10, mismatch=True)
    assert not right.disagreements()
    by_level = {c.level: c.share.value for c in right.coverage if c.columns == "clear"}
    assert by_level[0.9] == pytest.approx(0.9, abs=0.06)
    [sentence] = _judged(0.0, 1e-11, 2e-10, mismatch=True).disagreements()
    assert sentence.startswith("scores, clear columns: the 90 % interval contains 5") or sentence.startswith(
        "scores, clear columns: the 90 % interval contains 6"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--head", "nothing"), "no head 'nothing'; have attention, attention_switched"),
        (("--operation", "softmax"), "attention has no operation 'softmax'; have scores, values"),
        (
            ("--records", "nowhere"),
            "no records 'nowhere'; have gc28, gf180mcu, ihp-sg13g2, osfet, paper, sky130, or give a folder",
        ),
        (("--records", "paper"), "records 'paper' belong to technology paper, not to the simulated gc28; choose"),
        (("--tech", "nothing"), "no technology 'nothing'"),
        (("--instances", "0"), "instances = 0 is outside [1, 100000]"),
        (("--columns", "-1"), "columns = -1 is outside [0, 100000]: use 0 for all, or a positive number"),
        (("--r-clamp", "0", "--clamp", "resistor"), "r_clamp = 0 ohm is outside [0.001, 1e+09] ohm"),
        (("--inputs", "missing.npz"), "--tokens has no effect here: --inputs specifies the tensors"),
        (("--draws", "10"), "--draws has no effect here: it needs --mismatch"),
        (("--draws", "0", "--mismatch"), "draws = 0 is outside [1, 100000]"),
        (("--r-clamp", "inf", "--clamp", "resistor"), "r_clamp = inf ohm is outside [0.001, 1e+09] ohm"),
        (("--r-clamp", "300"), "--r-clamp has no effect here: it needs --clamp resistor"),
        (("--c-wire", "nan"), "c_wire = nan F is outside [0, 1e-09] F"),
        (("--seed", "-1"), "seed = -1 must be a whole number from 0 to 2^63 - 1"),
        (("--queries", "5"), "queries = 5: there are 4 tokens; use 0 for all, or at most 4"),
        (("--tokens", "999999999999"), "tokens = 999999999999 is outside [1, 100000]"),
        (("--tokens", "90000", "--dim", "90000"), "instances x tokens x dim = 8100000000; the maximum is 50000000"),
        (("--form", "quintic"), "no form 'quintic' in these records; have cubic, dc, pulsed"),
    ],
)
def test_a_wrong_request_is_refused(gaincell, words, says):
    small = [("--tokens", 4), ("--dim", 3), ("--columns", 1)]
    plain = [word for pair in small if pair[0] not in words for word in pair]
    status, _, err = gaincell("compare", "-o", "there", *plain, *words)
    assert status == 2, err
    assert says in err


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"Q": np.zeros((4, 3))}, "contains q; k, v are missing"),
        (
            {"Q": np.zeros((4, 3)), "K": np.zeros((5, 3)), "V": np.zeros((4, 3))},
            "they must have the same shape, (tokens, dim)",
        ),
        ({"Q": np.zeros((4, 3)), "K": np.full((4, 3), 1.2), "V": np.zeros((4, 3))}, "K must be within 0 to 0.9 V"),
        (
            {"Q": np.full((4, 3), np.nan), "K": np.zeros((4, 3)), "V": np.zeros((4, 3))},
            "Q must be within 0 to 1, wit",
        ),
    ],
)
def test_wrong_inputs_are_refused(tmp_path, arrays, says):
    np.savez(tmp_path / "in.npz", **arrays)
    with pytest.raises(DataError) as refused:
        read_inputs(tmp_path / "in.npz", 0.9)
    assert says in str(refused.value)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match=r"it must be an \.npz file with Q, K and V"):
        read_inputs(tmp_path / "text.npz", 0.9)


@pytest.mark.usefixtures("there")
def test_another_comparison_does_not_overwrite_one(gaincell):
    status, _, err = gaincell("compare", "-o", "there", "--instances", 2, *SMALL, "--seed", 2)
    assert status == 2
    assert "there contains a different campaign: " in err
    assert "seed is 1 there and 2 here" in err


def test_an_unknown_clamp_is_refused():
    with pytest.raises(ParameterError, match="clamp = 'none'; choose ideal, resistor, passive"):
        array(clamp="none")


@pytest.mark.parametrize(("operation", "most"), [("scores", 1.5e-12), ("values", 3e-12)])
def test_a_charge_that_swings_and_comes_back_gives_the_same_pulse(operation, most, pool):
    """The auto-zero switch hardly leaks: with the threshold of the other switches it moves pulses ten times as far."""
    moved = {}
    for flavour in ("svt", "lvt"):
        circuit = array(operation)
        circuit.values["az_flavour"] = flavour
        part = np.clip((circuit.times - circuit.t_on) / T_MAX, 0.0, 1.0)
        swing = 0.9e-12 * (1 - np.abs(2 * part - 1))
        courses = np.array([2e-13 * part, 2e-13 * part + swing, 2e-13 * part - swing])
        [waves] = run(pool, [circuit.conversions(courses)])
        pulses = [circuit.outputs(waves, c)[0][circuit.operation.output] for c in range(3)]
        moved[flavour] = max(abs(pulses[1] - pulses[0]), abs(pulses[2] - pulses[0]))
    assert moved["svt"] < most
    assert moved["lvt"] > 5 * moved["svt"]
