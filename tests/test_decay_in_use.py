"""The stored voltage of a cell in use: the solution of its equation, the mean over time, and transients with writes."""

import sys
from functools import partial

import numpy as np
import pytest
import scipy.integrate
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.declare.model import Change, Coefficient, Model, RandomModel
from gaincell_char.errors import ParameterError
from gaincell_char.fitting.log_normal import changes_covariance, find_numbers
from gaincell_char.sweeping.run import characterize
from gaincell_char.torch import Decay, WriteSchedule

VDD, TOKEN, WRITE = 0.9, 65e-9, 10e-9
_leaks = sys.modules[registry.load_circuit("capacitor_decay").model("four_leaks").function.__module__]
OF = {
    "conductance": (20e-3, 0.44),
    "write": ((1400.0, 0.028, 0.3), (520.0, 0.029, 0.4)),
    "edges": (30.0, 80.0, 0.06, 4.0),
    "vdd": VDD,
}
TIMES = np.geomspace(1e-7, 3e-2, 12)


def exact(v_init, v_wbl, shares):
    """The same equation by a library, step by step."""
    moments = [np.sum(m * shares) for m in _leaks.bitline_moments(np.array(v_wbl), OF["write"], VDD)]
    tau, v_eq = OF["conductance"]
    leak = partial(_leaks._leakage, moments=moments, **{**OF, "conductance": (1 / tau, v_eq)})
    solved = scipy.integrate.solve_ivp(
        lambda _, v: -leak(v)[0], (0, TIMES[-1]), [v_init], t_eval=TIMES, method="LSODA", rtol=1e-9, atol=1e-10
    )
    return solved.y[0]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    v_init=st.floats(0.0, VDD),
    v_wbl=st.lists(st.floats(0.0, VDD), min_size=1, max_size=4),
    first=st.floats(0.05, 1.0),
)
def test_the_steps_solve_the_equation(v_init, v_wbl, first):
    shares = np.array([first, *np.full(len(v_wbl) - 1, (1 - first) / max(len(v_wbl) - 1, 1))])
    shares = shares / shares.sum()
    found = _leaks.four_leaks_mean(np.array(v_init), TIMES, np.array(v_wbl), shares=shares, **OF)
    np.testing.assert_allclose(found, exact(v_init, v_wbl, shares), rtol=0, atol=0.5e-3)


def test_the_slope_is_the_derivative_of_the_leak():
    moments = _leaks.bitline_moments(np.array(0.2), OF["write"], VDD)
    v, step = np.linspace(0, VDD, 50), 1e-6
    leak = partial(_leaks._leakage, moments=moments, **OF)
    np.testing.assert_allclose(leak(v)[1], (leak(v + step)[0] - leak(v - step)[0]) / (2 * step), rtol=1e-6, atol=1e-6)


def test_a_subthreshold_current_is_zero_where_the_bitline_is_at_the_stored_voltage():
    v = np.linspace(0, VDD, 7)
    n, p = OF["write"]
    for write in ((n, (0.0, 0.029, 0.4)), ((0.0, 0.028, 0.3), p)):
        alone = {"conductance": (0.0, 0.44), "write": write, "edges": (0.0, 0.0, 0.06, 4.0), "vdd": VDD}
        np.testing.assert_allclose(_leaks.leak_terms(v, v, **alone), 0, atol=1e-10)


def test_no_time_is_no_decay():
    v = torch.linspace(0, VDD, 7, dtype=torch.float64)
    assert torch.equal(Decay.from_records("gc28")(v, torch.zeros_like(v)), v)


def test_single_precision_is_enough():
    v = torch.linspace(0, VDD, 40, dtype=torch.float64)[:, None]
    time = torch.logspace(-7, -2, 20, dtype=torch.float64)
    decay = Decay.from_records("gc28")
    assert float((decay(v.float(), time.float()) - decay(v, time)).abs().max()) < 1e-5


def test_a_bitline_in_use_empties_a_cell_that_an_idle_one_keeps():
    v, time = torch.tensor([0.75], dtype=torch.float64), torch.tensor([100e-6], dtype=torch.float64)
    in_use, idle, busy = (
        float(v - Decay.from_records("gc28", schedule=schedule)(v, time))
        for schedule in (WriteSchedule(), None, WriteSchedule(tile=1024))
    )
    assert idle < in_use < busy
    assert busy > 2 * idle
    published = Decay.from_records("paper")
    assert torch.equal(published(v, time), Decay.from_records("paper", schedule=None)(v, time))


def test_a_tile_is_busy_at_the_start_of_every_window():
    schedule = WriteSchedule(t_token=1e-6, t_write=1e-7, tile=4, window=10)
    times = torch.tensor([0.0, 3e-6, 4e-6, 9e-6, 10e-6, 12e-6, 17e-6, 30e-6], dtype=torch.float64)
    busy = torch.tensor([0, 3, 4, 4, 4, 6, 8, 12], dtype=torch.float64) * 1e-6
    torch.testing.assert_close(schedule.busy_time(times), busy, rtol=1e-9, atol=1e-15)
    v_wbl, shares = schedule.bitline(0.0, VDD, times)
    assert v_wbl.tolist() == pytest.approx([VDD / 2, *np.linspace(0, VDD, 8)])
    assert shares.tolist() == pytest.approx([0.9, *[0.1 / 8] * 8])


def _cell(pool, bench, **sweep):
    found = characterize(registry.plan_bench("capacitor_decay", bench, sweep=sweep), pool=pool)
    assert not found.failures, found.failures[0].reason
    return found.dataset.v_store.squeeze()


def test_the_mean_of_the_leakage_gives_the_drift_of_a_transient_with_every_write(pool):
    tokens = 150
    levels = [0.2, 0.45, 0.6, 0.75]
    simulated = _cell(pool, "half_select", v_init=levels, v_data=[0.0], tokens=[tokens])
    model = registry.load_model(registry.load_record("gc28", "capacitor_decay.decay"), "four_leaks", temp=27.0)
    shares = np.array([1 - WRITE / TOKEN, WRITE / TOKEN])
    v_wbl = np.array([VDD / 2, 0.0])
    predicted = model.mean(np.array(levels), np.full(4, tokens * TOKEN), v_wbl, shares=shares)
    drift = simulated.to_numpy() - levels
    assert (drift < -1.5e-3).all()
    np.testing.assert_allclose(predicted - levels, drift, rtol=0.04)
    idle = model(np.array(levels), np.full(4, tokens * TOKEN), np.full(4, VDD / 2)) - levels
    assert (np.abs(idle) < 0.15 * np.abs(drift)).all()


def test_a_read_leaves_the_stored_voltage_where_it_was(pool):
    levels = [0.2, 0.45, 0.75]
    read = _cell(pool, "read_disturb", v_init=levels, tokens=[20]).to_numpy()
    kept = _cell(pool, "decay", v_init=levels, v_wbl=[VDD / 2], time=[20 * TOKEN]).to_numpy()
    np.testing.assert_allclose(read, kept, atol=0.1e-3)


def _line(x, *, a):
    return a * x


LINE = Model(
    name="line", form="fitted", bench="b", function=_line, output="y", equation="y = a x",
    arguments={"a": Coefficient(unit="1", doc="slope", start=1.0)},
)  # fmt: skip
GROWTH = RandomModel(
    name="growth", nominal=LINE,
    random={"x_a": Change(of="a", unit="1", doc="logarithm", scale=1e-3, logarithmic=True)},
)  # fmt: skip


def test_the_logarithm_of_a_factor_is_found_whatever_its_size():
    numbers = np.array([[-2.0], [0.0], [1.5]])
    assert GROWTH(3.0, x_a=1.5, a=2.0) == pytest.approx(6.0 * np.exp(1.5))
    np.testing.assert_allclose(find_numbers(GROWTH, np.expm1(numbers)), numbers)
    assert GROWTH.equation == "line with a exp(x_a)"


def test_the_covariance_of_log_normal_factors_is_the_one_of_the_book():
    drawn = np.exp(np.random.default_rng(1).normal(0, 0.5, 400_000))
    [[variance]] = changes_covariance(GROWTH, np.array([[0.25]]))
    assert variance == pytest.approx(drawn.var(), rel=0.02)


def test_a_model_without_a_mean_says_so():
    with pytest.raises(ParameterError, match="model line is not declared for a x that changes over time"):
        LINE.evaluate_mean(np.ones(3), shares=np.ones(3), a=1.0)
