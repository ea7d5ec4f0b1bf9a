"""Random coefficients: read back from samples whose coefficients are known, split by what was drawn; pictures."""

import io
from contextlib import nullcontext
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from gaincell_char import registry
from gaincell_char.declare.model import Change, Coefficient, Model, RandomModel
from gaincell_char.declare.sweep_values import evaluate_grid
from gaincell_char.errors import DataError, FitError
from gaincell_char.fitting import statistics
from gaincell_char.fitting.variation import VariationSummary, basis, fit_random
from gaincell_char.fitting.variation_errors import check_errors
from gaincell_char.montecarlo.sampling import make_sampler
from gaincell_char.reporting import variation_figures
from gaincell_char.reporting.picture import AxisQuantity

pytestmark = pytest.mark.pictures

X = np.linspace(0.0, 1.0, 25)
NOMINAL = {"slope": 2.0, "offset": 0.0}
STRAIGHT = Model(
    name="straight", form="best", bench="any", function=lambda x, *, slope, offset: slope * x + offset, output="y",
    equation="y = slope x + offset",
    arguments={name: Coefficient(unit="1", doc=name, start=1.0) for name in ("slope", "offset")},
)  # fmt: skip
MODEL = RandomModel(
    name="line", nominal=STRAIGHT,
    random={f"d_{name}": Change(of=name, unit="1", doc="", scale=1e-3) for name in ("slope", "offset")},
)  # fmt: skip
PARTS = {"die": "process", "one": "mismatch", "two": "mismatch"}


def samples(n=4000, noise=0.0, seed=3):
    """Slope from the die and a device, offset from another device."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 3))
    d_slope, d_offset = 0.3 * z[:, 0] + 0.1 * z[:, 1], 0.2 * z[:, 2]
    return d_slope[:, None] * X + d_offset[:, None] + noise * rng.normal(size=(n, X.size)), z


def fitted(deviations, z, model=MODEL, x=X):
    return fit_random(model, NOMINAL, {"x": x}, deviations, z, PARTS, {"corner": "tt", "temp": 27.0})


def test_known_coefficients_come_back_split_by_what_was_drawn():
    found = fitted(*samples())
    process, mismatch = (np.array(found.covariance[part]) for part in ("process", "mismatch"))
    assert process == pytest.approx(np.array([[0.09, 0.0], [0.0, 0.0]]), abs=1e-9)
    assert mismatch == pytest.approx(np.array([[0.01, 0.0], [0.0, 0.04]]), abs=1e-9)
    assert [c.sigma for c in found.coefficients] == pytest.approx([np.sqrt(0.1), 0.2], rel=0.05)
    assert found.explained == pytest.approx(1.0)
    assert found.sigma_error < 0.06
    assert (found.n_samples, found.n_inputs) == (4000, 25)
    assert found.n_held_out > 3


def test_what_the_coefficients_do_not_explain_is_said():
    deviations, z = samples(noise=0.2)
    total = deviations.var()
    assert fitted(deviations, z).explained == pytest.approx(1 - 0.04 / total, abs=0.05)
    assert fitted(deviations, z).explained < 0.9


def test_a_model_that_predicts_neither_values_nor_sigma_is_refused():
    """Every input varies on its own, so the coefficients of a line explain little; of use is also sigma alone."""
    rng = np.random.default_rng(3)
    says = (
        r"line: its random coefficients explain -?[\d.]+ % of the variance of y, and its sigma is wrong by up to "
        r"[\d.]+ %; the circuit varies in other ways"
    )
    with pytest.raises(FitError, match=says):
        fitted(rng.normal(size=(4000, X.size)), rng.normal(size=(4000, 3)))
    for explained, sigma_error, refused in ((0.9, 0.9, False), (-1.0, 0.1, False), (0.1, 0.9, True)):
        with pytest.raises(FitError) if refused else nullcontext():
            check_errors(MODEL, explained, sigma_error)


def test_failed_samples_are_left_out():
    deviations, z = samples()
    deviations[::10, 3] = np.nan
    found = fitted(deviations, z)
    assert found.n_samples == 3600
    assert np.array(found.covariance["mismatch"])[1, 1] == pytest.approx(0.04, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "x", "says"),
    [
        (15, X, "line: 15 finished samples are too few; 16 are needed"),
        (100, X[:2], "line: 2 inputs are too few for 2 coefficients"),
        (100, np.zeros(25), "line: the grid does not determine its coefficients; widen x"),
    ],
)
def test_what_cannot_be_determined_is_refused(n, x, says):
    deviations, z = samples(n)
    with pytest.raises(FitError, match=says):
        fitted(deviations[:, : x.size], z, x=x)


def test_every_random_model_is_its_nominal_one_at_zero(circuit):
    """And every coefficient moves it, each in its own way."""
    for spread in circuit.all_spreads:
        plan = registry.plan_bench(circuit.name, spread.bench)
        for model in circuit.random_models(spread.bench, plan.params.resolve({})):
            record = registry.load_record("gc28", f"{circuit.name}.{spread.bench}")
            nominal = record.fit(model.nominal.name).values()
            grid = spread.sweep[spread.x]
            numbers = {k: v for k, v in plan.params.resolve({}).items() if not isinstance(v, str)}
            x = np.asarray(evaluate_grid(grid, numbers), dtype=float)
            inputs = [x if name == spread.x else np.full(x.shape, numbers[name]) for name in model.inputs]
            zero = model(*inputs, **dict.fromkeys(model.random, 0.0), **nominal)
            assert np.array_equal(zero, model.nominal(*inputs, **nominal))
            used = np.broadcast_to(model.estimation_mask(*inputs, nominal=nominal), x.shape)
            columns = basis(model, nominal, [values[used] for values in inputs])
            assert np.linalg.matrix_rank(columns / np.linalg.norm(columns, axis=0)) == len(model.random)


Y = AxisQuantity(name="i_bl", unit="A", doc="bitline current")
V = AxisQuantity(name="v_store", unit="V", doc="stored voltage")


@pytest.mark.parametrize(
    ("n", "spread", "shown", "hidden"),
    [
        (0, 1e-6, ["no sample finished", "fewer than three samples", "too few samples"], ["median", "normal: mean"]),
        (1, 1e-6, ["median", "fewer than three samples", "too few samples"], ["normal: mean", "no sample"]),
        (2, 1e-6, ["median", "fewer than three samples", "all: 1.823 µA"], ["normal: mean", "no sample"]),
        (2, 0.0, ["median", "fewer than three samples", "all: 0 A"], ["normal: mean", "no sample"]),
        (300, 0.0, ["median", "always 1.247\u00a0µA", "mean of the first n"], ["normal: mean", "too few", "fewer"]),
        (300, 1e-6, ["median", "normal: mean 1.141 µA", "limit", "all: 1.141 µA"], ["too few", "fewer than", "always"]),
    ],
)
def test_every_picture_of_any_number_of_samples_says_what_it_shows(n, spread, shown, hidden):
    """One sample more has failed: it is counted nowhere."""
    rng = np.random.default_rng(1)
    curves = np.sin(X)[None, :] * 1e-5 + spread * rng.normal(size=(n + 1, 1))
    curves[0] = np.nan
    drawn = [
        variation_figures.draw_band(X, curves, x_label=V, y_label=Y, title="cell", nominal=np.sin(X) * 1e-5),
        variation_figures.draw_distribution(curves[:, 3], label=Y, title="cell", limits=(9e-6,)),
        variation_figures.draw_convergence(statistics.convergence(curves[:, 3]), label=Y, title="cell"),
    ]
    together = "".join(svg for _, svg in drawn)
    assert together.count(f"cell ({n} samples)") == 2
    for words in shown:
        assert words in together
    for words in hidden:
        assert words not in together
    for png, _ in drawn:
        pixels = plt.imread(io.BytesIO(png))
        assert min(pixels.shape[:2]) > 300
        assert 0.005 < np.mean(pixels[..., :3] != 1.0) < 0.5  # a title at least, and paper around it


def test_pictures_say_what_they_show():
    rng = np.random.default_rng(2)
    curves = np.sin(X)[None, :] * 1e-5 + 1e-6 * rng.normal(size=(200, 1))
    _, band = variation_figures.draw_band(
        X, curves, x_label=V, y_label=Y, title="The cell", nominal=np.sin(X) * 1e-5, model=np.full(X.size, 1e-6)
    )
    for words in (
        "The cell (200 samples)",
        "bitline current, i_bl",
        "[µA]",
        "stored voltage, v_store",
        "compact model",
    ):
        assert words in band
    _, histogram = variation_figures.draw_distribution(curves[:, 3], label=Y, title="At one place", limits=(1e-6,))
    for words in ("normal: mean", "sigma 0.9", "limit", "quantile of the normal distribution [sigma]"):
        assert words in histogram
    names = [f"x{i}" for i in range(20)]
    shares = pd.DataFrame({"group": [*names, "rest"], "share": 0.045, "low": 0.04, "high": 0.05})
    _, bars = variation_figures.draw_contributions(shares, title="i_bl")
    assert "x13" in bars
    assert "x14" not in bars
    assert "6 others" in bars
    assert "not linear" in bars


def _recorded(covariance):
    record = registry.load_record("gc28", "gain_cell.dc")
    fit = fitted(*samples(200))
    coefficients = [
        fit.coefficients[0].model_copy(update={"name": n}) for n in ("gain_n", "shift_n", "gain_p", "shift_p")
    ]
    conditions = {"corner": "tt", "temp": 27.0}
    fit = fit.model_copy(
        update={
            "model": "random_cell", "nominal": "ekv", "coefficients": coefficients, "covariance": covariance,
            "conditions": conditions, "inputs": ("v_store",), "valid_range": {"v_store": (0.0, 0.9)},
            "process": {}, "process_second": {},
        }
    )  # fmt: skip
    spread = VariationSummary(
        vary="both", sampler="sobol", seed=1, n_requested=1, n_points=1, n_ok=1, failed={}, outputs=[], correlated=[],
        correlation=[], random=[fit],
    )  # fmt: skip
    nominal = record.fit("ekv").model_copy(update={"conditions": conditions})
    return record.model_copy(update={"spread": spread, "fits": [nominal]})


def test_cells_of_a_former_model_can_be_drawn():
    """The changes act on the model that the record names, if it is one of earlier versions of the circuit."""
    zero = np.zeros((4, 4)).tolist()
    today = _recorded({"process": zero, "mismatch": np.diag([1e-4] * 4).tolist()})
    old = registry.checked_record(Path(__file__).parent / "data" / "version_1" / "gain_cell.pulse.json")
    before = next(fit for fit in old.fits if fit.model == "softplus_charge")
    own = set(registry.load_circuit("gain_cell").model("softplus").coefficients)
    coefficients = {name: value for name, value in before.coefficients.items() if name in own}
    [fit], [random] = today.fits, today.spread.random
    former = fit.model_copy(update={"model": "softplus", "coefficients": coefficients, "covariance": []})

    def named(nominal):
        spread = today.spread.model_copy(update={"random": [random.model_copy(update={"nominal": nominal})]})
        return today.model_copy(update={"spread": spread, "fits": [fit, former]})

    cells = registry.load_random(named("softplus"), "random_cell", corner="tt")
    values = {name: estimate.value for name, estimate in coefficients.items()}
    nothing = dict.fromkeys(("gain_n", "shift_n", "gain_p", "shift_p"), 0.0)
    v_store = np.linspace(0.0, 0.9, 7)
    np.testing.assert_array_equal(cells(v_store, **nothing), cells.model.nominal(v_store, **values))
    drawn = cells.draw(1, 400, seed=1)
    assert cells(np.full((1, 400), 0.9), **drawn).std() > 0
    with pytest.raises(DataError, match="random_cell changes model cubic; it must change ekv"):
        registry.load_random(named("cubic"), "random_cell", corner="tt")


def test_whole_dies_of_cells_can_be_drawn():
    process, mismatch = np.diag([1e-4, 4e-4, 0.0, 0.0]), np.diag([9e-4, 0.0, 1e-4, 1e-4])
    cells = registry.load_random(
        _recorded({"process": process.tolist(), "mismatch": mismatch.tolist()}), "random_cell", corner="tt"
    )
    drawn = cells.draw(400, 50, seed=3)
    gain, shift = drawn["gain_n"], drawn["shift_n"]
    assert gain.shape == (400, 50)
    assert gain.mean(axis=1).std() == pytest.approx(np.sqrt(1e-4 + 9e-4 / 50), rel=0.15)
    assert gain.std(axis=1).mean() == pytest.approx(0.03, rel=0.05)
    assert np.ptp(shift, axis=1).max() == 0, "cells of a die share what only the die varies"
    assert shift[:, 0].std() == pytest.approx(0.02, rel=0.15)
    assert np.array_equal(drawn["gain_p"], cells.draw(400, 50, seed=3)["gain_p"])
    current = cells(np.full((400, 50), 0.9), **drawn)
    typical = cells(np.array(0.9), **dict.fromkeys(drawn, 0.0))
    assert current.shape == (400, 50)
    assert cells.sigma(np.array([0.9])) == pytest.approx(current.std(), rel=0.1)
    assert current.mean() == pytest.approx(float(typical), rel=0.01)


def test_a_record_without_random_cells_says_what_it_has():
    with pytest.raises(DataError, match=r"gain_cell.dc: no random model random_cell at \{\}; have none"):
        registry.load_random(registry.load_record("gc28", "gain_cell.dc"), "random_cell")


def test_the_two_halves_that_are_compared_are_both_whole_with_sobol_points():
    """Every second Sobol point may have some variable on one side: such halves have another sigma."""
    draws = make_sampler("sobol", 1, 1).draw(0, 1024, 13)
    split = np.abs(draws[::2].mean(axis=0))
    assert split.max() > 0.5, "or this test shows nothing"
    z = draws[:, [split.argmax(), 11, 12]]
    deviations = (0.3 * z[:, 0] + 0.1 * z[:, 1])[:, None] * X + 0.2 * z[:, 2][:, None]
    assert fitted(deviations, z).sigma_error < 0.03
