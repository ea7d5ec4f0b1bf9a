"""Noise of cells and converters against theory, published figures of the process, and runs with noise over time."""

import numpy as np
import pytest
from gaincell_char.circuits.converters import _noise as converters
from scipy.integrate import quad

from gaincell_char import Noise, Op, Tran, registry, simulate
from gaincell_char.declare.bench import density
from gaincell_char.declare.parameters import numbers, words
from gaincell_char.declare.spectra import averaged, bandwidth, differenced, integral
from gaincell_char.errors import DataError
from gaincell_char.sweeping.run import characterize
from netlists import with_devices

BOLTZMANN = 1.380649e-23
KT = BOLTZMANN * 300.15
CELLS, CONVERTERS = ("gain_cell", "gain_cell_switched"), ("relu_c2p", "signed_c2p")
F = np.geomspace(1e-3, 1e13, 16 * 10 + 1)
TECHNOLOGY = registry.load_technology()


def run(pool, name, **request):
    result = characterize(registry.plan_bench(name, "noise", **request), pool=pool)
    assert not result.failures, result.failures[0].reason
    return result.dataset.squeeze()


def netlist_of(plan, user):
    """A netlist of the circuit's subcircuits and the technology's devices."""
    text = f"{plan.netlist.text}\n{user}"
    for name, word in words(plan.fixed).items():
        text = text.replace(f"{{{name}}}", word)
    return with_devices(TECHNOLOGY.library("tt"), text)


# --- variances from spectra -----------------------------------------------------------------------------------------


def test_the_integral_of_a_spectrum_is_that_of_theory():
    assert integral(F, 3.0 / F) == pytest.approx(3.0 * np.log(1e16), rel=1e-12)
    f = np.geomspace(1e-3, 1e13, 16 * 5 + 1)
    filtered = 4e-9 / (1 + (2 * np.pi * f * 1e-9) ** 2)
    assert integral(f, filtered) == pytest.approx(1.0, rel=1e-4)


def test_the_bandwidth_of_a_pole_lies_between_two_frequencies():
    f = np.geomspace(1e-3, 1e13, 16 * 6 + 1)
    assert bandwidth(f, 41.7 / np.hypot(1, f / 9.3e7)) == pytest.approx(9.3e7, rel=1e-4)
    with pytest.raises(DataError, match="does not fall to its bandwidth"):
        bandwidth(f, np.full(f.size, 2.0))


def test_the_average_of_white_noise_has_the_variance_of_theory():
    assert integral(F, 2.0 * averaged(F, 5e-9)) == pytest.approx(2.0 / (2 * 5e-9), rel=1e-5)


@pytest.mark.parametrize("time", [0.25e-9, 15e-9])
def test_the_average_of_flicker_noise_is_within_one_percent(time):
    """Exact: the integral of sinc^2(f T)/f from f_low, which is 3/2 - gamma - log(2 pi f_low T)."""
    exact = 1.5 - np.euler_gamma - np.log(2 * np.pi * time)
    by_parts = quad(lambda x: np.exp(0 * x) * np.sinc(np.exp(x)) ** 2, np.log(time), np.log(30.0), limit=2000)[0]
    assert by_parts == pytest.approx(exact, rel=1e-3)
    f = F[F >= 0.999]
    assert integral(f, averaged(f, time) / f) == pytest.approx(exact, rel=0.02)


def test_the_difference_of_two_samples_of_a_filtered_white_noise():
    """Variance 2 (1 - exp(-time/tau)), of a first-order filter: the same for short and for long times."""
    tau = 1e-9
    filtered = 4 * tau / (1 + (2 * np.pi * F * tau) ** 2)
    for time in (1e-12, 1e-10, 1e-7):
        found = 2 * integral(F, filtered * differenced(F, time))
        assert found == pytest.approx(2 * (1 - np.exp(-time / tau)), rel=0.06)


# --- the process ----------------------------------------------------------------------------------------------------


def device(pool, kind, v_gate, v_drain):
    """Transconductance [S], flicker noise at the gate [V^2 um^2 at 1 Hz], and white noise as gamma, of 1 um by 1 um."""
    sign = 1 if kind == "n" else -1
    user = f"vg g 0 {sign * v_gate} ac 1\nvd d 0 {sign * v_drain}\nhd o 0 vd 1\nx1 d g 0 0 {kind}_rvt w=1u l=1u"
    text = with_devices(TECHNOLOGY.library("tt"), user)
    analysis = Noise(nodes={"v(o)": "vg"}, start=10.0, stop=1e11, points=1)
    w = simulate(text, analysis, [], params=TECHNOLOGY.corner("tt"), options={"gmin": 1e-15}, pool=pool)
    out, at_gate = w[density("v(o)")], w[density("v(o)", at_source=True)]
    g_m = out[0] / at_gate[0]
    return g_m, 10.0 * at_gate[0] ** 2, out[-1] ** 2 / (4 * KT * g_m)


@pytest.mark.parametrize("kind", ["n", "p"])
def test_flicker_noise_of_the_process_is_the_target_of_the_card(pool, kind):
    """1e-10 V^2 um^2 around the threshold, and up to three times that in strong inversion."""
    for v_gate in (0.3, 0.4, 0.6, 0.9):
        _, flicker, _ = device(pool, kind, v_gate, 0.9)
        assert 0.6e-10 < flicker < 3e-10, v_gate


@pytest.mark.parametrize("kind", ["n", "p"])
def test_white_noise_of_a_long_transistor_is_that_of_its_channel(pool, kind):
    """Gamma is 2/3 of a long channel in strong inversion; mobility reduction adds to it."""
    for v_gate in (0.6, 0.75, 0.9):
        assert 0.6 < device(pool, kind, v_gate, 0.9)[2] < 1.0, v_gate


def test_noise_parameters_are_given_for_every_card():
    for name in ("gc28", "osfet"):
        cards = registry.load_technology(name).library("tt").cards()
        bsim = [card.lowered for card in cards if card.kind == ".model" and "level=54" in card.lowered]
        assert bsim
        words = ("fnoimod=1", "tnoimod=0", "ntnoi=", "noia=", "noib=", "noic=", "em=", "ef=", "lintnoi=")
        assert all(word in card for card in bsim for word in words)


# --- cells ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
def test_white_noise_of_the_charge_lies_between_shot_noise_and_twice_that_of_the_transconductance(pool, name):
    """Without flicker noise (counted from above its corner) the variance of the charge is S t/2, S about 4 k T g_m."""
    t, levels = 15e-9, [0.1, 0.8]
    q = run(pool, name, sweep={"v_store": levels, "t_pulse": [t]}, set_={"f_low": 1e9}).q_noise
    for v, q_noise in zip(levels, q.values, strict=True):
        plan = registry.plan_bench(name, "dc", sweep={"v_store": [v - 1e-3, v + 1e-3], "v_in": [0.9]})
        low, high = characterize(plan, pool=pool).dataset.i_bl.values.ravel()
        g_m = (high - low) / 2e-3
        # What is left of the average above 1 GHz: 1/(pi t)^2 times the integral of S/f^2.
        density_ = q_noise**2 * np.pi**2 * 1e9
        assert 2 / 3 < density_ / (4 * KT * g_m) < 2.0, v


@pytest.mark.parametrize("name", CELLS)
def test_a_long_pulse_has_more_noise_as_flicker_noise_adds_up_and_white_noise_as_its_root(pool, name):
    q = run(pool, name, sweep={"v_store": [0.9], "t_pulse": [0.1e-9, 0.2e-9, 500e-9, 1000e-9]}).q_noise.values
    assert q[1] / q[0] == pytest.approx(2**0.5, rel=0.1)
    assert q[3] / q[2] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("temp", [-40.0, 27.0, 125.0])
def test_the_written_voltage_has_the_noise_of_its_capacitor(pool, name, temp):
    one = {"sweep": {"v_store": [0.3], "t_pulse": [1e-9]}, "temps": [temp]}
    large = float(run(pool, name, set_={"c_store": 1e-12}, **one).v_noise)
    assert large == pytest.approx((BOLTZMANN * (temp + 273.15) / 1e-12) ** 0.5, rel=5e-3)
    small = BOLTZMANN * (temp + 273.15) / float(run(pool, name, **one).v_noise) ** 2
    assert 5.2e-15 < small < 7e-15  # the capacitor of 5 fF and the gates of the read transistors


def test_the_transistors_of_the_write_gate_have_that_noise_within_ten_percent(pool):
    """BSIM4 gives a transistor without current somewhat more than the noise of its conductance."""
    cell = """
    vw w 0 {v} ac 1
    vdd vdd 0 0.9
    vi i 0 0.45
    xc bl i i w vdd 0 st vdd 0 gain_cell
    vb bl 0 0.45
    """
    plan = registry.plan_bench("gain_cell", "noise", sweep={"v_store": [0.0, 0.45, 0.9], "t_pulse": [1e-9]})
    known = characterize(plan, pool=pool).dataset.v_noise.values.ravel()
    for v, resistor in zip((0.0, 0.45, 0.9), known, strict=True):
        values = {**TECHNOLOGY.corner("tt"), **numbers(plan.fixed), "v": v}
        text = netlist_of(plan, cell)
        w = simulate(text, Noise(nodes={"v(st)": "vw"}, start=1e3, stop=1e14), [], params=values, pool=pool)
        gate = integral(w["frequency"], w[density("v(st)")] ** 2) ** 0.5
        assert 1.0 < gate / resistor < 1.1, v


# --- converters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONVERTERS)
def test_sampled_noise_of_a_converter_is_that_of_its_capacitors(pool, name):
    found = run(pool, name, sweep={"q_in": [3e-13]})
    c = 3e-12 + 25e-15
    assert float(found.v_bl) == pytest.approx((KT / c) ** 0.5, rel=0.1)
    assert float(found.v_reset) < 2**0.5 * float(found.v_bl)
    # The inverter that holds the threshold has gamma, and its gate adds to the capacitor of 30 fF.
    assert 0.7 < float(found.v_zero) / (KT / 30e-15) ** 0.5 < 1.1
    parts = (found.v_reset**2 + found.v_zero**2 + found.v_trip**2) ** 0.5
    current = {"relu_c2p": 80e-6, "signed_c2p": 40e-6}[name]
    whole = np.hypot(parts * c / current, found.q_ramp / current)
    assert float(found.t_noise) == pytest.approx(float(whole), rel=1e-9)


def test_auto_zero_removes_slow_noise_of_threshold_and_comparator_but_not_of_the_ramp(pool):
    slow, fast = (run(pool, "relu_c2p", sweep={"q_in": [6e-13]}, set_={"f_low": f}) for f in (1.0, 1e4))
    for name in ("v_zero", "v_trip"):
        assert float(slow[name]) == pytest.approx(float(fast[name]), rel=1e-3)
    assert float(slow.q_ramp) > 1.1 * float(fast.q_ramp)


def test_a_larger_capacitor_at_the_comparator_has_less_noise(pool):
    small, large = (
        float(run(pool, "relu_c2p", sweep={"q_in": [3e-13]}, set_={"c_az": c}).v_zero) for c in (30e-15, 120e-15)
    )
    assert large == pytest.approx(small / 2, rel=0.15)


SPACING, BEFORE_V, AFTER_S = 20e-12, 40e-3, 3e-9


def ramps(slope, copies, spectrum, rng):
    """Netlist of comparators with the same ramp, each with white noise of its own; the first one without noise."""
    stop = BEFORE_V / slope + AFTER_S
    times = np.arange(0.0, stop, SPACING)
    level = 0.45 - BEFORE_V
    lines = [f"vr r 0 pwl(0 {level} {stop} {level + slope * stop})", "vdd vdd 0 0.9"]
    for copy in range(copies):
        noise = rng.normal(size=times.size) * (spectrum / (2 * SPACING)) ** 0.5 * (copy > 0)
        noise[0] = 0.0  # the auto-zero capacitor would keep it
        points = " ".join(f"{t:.6g} {v:.6g}" for t, v in zip(times, noise, strict=True))
        lines += [f"vn{copy} i{copy} r pwl({points})", f"xc{copy} i{copy} z{copy} b{copy} 0 vdd vdd 0 azcmp"]
        lines += [f".ic v(xc{copy}.x)={{trip-{BEFORE_V}*az}}"]
    return "\n".join(lines), stop


def jitter_over_time(pool, slope, spectrum, copies=100):
    """Standard deviation [s] of the time at which a comparator turns, with white noise [V^2/Hz] at its input."""
    plan = registry.plan_bench("relu_c2p", "noise", sweep={"q_in": [3e-13]})
    ramp, stop = ramps(slope, copies, spectrum, np.random.default_rng(1))
    values = {**TECHNOLOGY.corner("tt"), **numbers(plan.fixed)}
    values |= {"trip": threshold(pool, plan, values), "az": 0.92}
    text = netlist_of(plan, ramp)
    save = ["v(r)", *(f"v(b{copy})" for copy in range(copies))]
    options = {"gmin": 1e-15, "reltol": 1e-4}
    w = simulate(text, Tran(stop=stop, max_step=SPACING / 2), save, params=values, options=options, pool=pool)
    turned = [np.interp(0.45, w[f"v(b{k})"][w["time"] > 0.3e-9], w["time"][w["time"] > 0.3e-9]) for k in range(copies)]
    assert turned[0] > BEFORE_V / slope
    return float(np.std(turned[1:], ddof=1))


def threshold(pool, plan, values):
    """Voltage of the first inverter, closed."""
    user = "vdd vdd 0 0.9\nvi i 0 0.45\nxc i z b vdd 0 vdd 0 azcmp\nrx i 0 1k"
    return float(simulate(netlist_of(plan, user), Op(), ["v(xc.x)"], params=values, pool=pool)["v(xc.x)"][0])


@pytest.mark.long
@pytest.mark.parametrize("name", CONVERTERS)
def test_jitter_of_the_comparator_is_that_of_runs_with_noise_over_time(pool, name):
    """White noise of the density that the bench finds, as a source at the input: 99 runs, standard error 7 %."""
    plan = registry.plan_bench(name, "noise", sweep={"q_in": [3e-13]})
    point = next(plan.points())
    [(_, outcome)] = pool.map([point.deck], lambda deck: deck, count=1)
    at_input = outcome.vectors[density("v(xct.y)", at_source=True)] ** 2
    white = float(np.interp(1e9, outcome.vectors["frequency"], at_input))
    slope = {"relu_c2p": 80e-6, "signed_c2p": 40e-6}[name] / (3e-12 + 25e-15)
    predicted = (white / (2 * converters._decision(outcome.vectors, point.values))) ** 0.5 / slope
    assert jitter_over_time(pool, slope, white) == pytest.approx(predicted, rel=0.15)
