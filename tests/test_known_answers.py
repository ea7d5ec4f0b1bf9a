"""Every figure of merit, feature and derived quantity of every circuit, of data whose answer is known beforehand.

The data are small and made by hand, and hold what must not be looked at, too: other corners and temperatures, charges
off the straight part.  A quantity without an entry fails `test_nothing_is_without_an_answer`.
"""

import numpy as np
import pytest
import xarray as xr

from gaincell_char import registry
from gaincell_char.declare.parameters import numbers

VDD = 0.9
HALF_LSB = VDD / 14  # of three bits
FULL_SCALE = {"relu_c2p": 1.2e-12, "signed_c2p": 0.6e-12}  # 8 and 4 units of 10 uA, for 15 ns


def at_first(dims, values):
    """Values at the first of two corners and temperatures; elsewhere stands what nobody may read."""
    values = np.asarray(values, dtype=float)
    full = np.empty((2, 2, *values.shape))
    full[:] = 1.0 - 10 * values
    full[0, 0] = values
    return ("corner", "temp", *dims), full


# --- gain cells -----------------------------------------------------------------------------------------------------


def currents():
    """20 uA/V above 0.3 V at full input and half the supply; other inputs and bitlines have other lines."""
    axes = {"v_store": np.linspace(0, VDD, 7), "v_in": np.array([0.45, 0.9]), "v_bl": np.array([0.35, 0.45, 0.55])}
    s, i, b = np.meshgrid(*axes.values(), indexing="ij")
    i_bl = 2e-5 * (s - 0.3) * i / VDD + 5e-6 * (VDD - i) + 1e-3 * (b - VDD / 2)
    return xr.Dataset({"i_bl": at_first(axes, i_bl)}, axes)


def pulses():
    """Charges at 1, 2 and 3 ns: at most 0.1 fC off the line through both ends, of a range of 6 fC."""
    axes = {"v_store": [0.0, VDD], "t_pulse": [1e-9, 2e-9, 3e-9]}
    return xr.Dataset({"q_bl": at_first(axes, [[-1e-15, -2e-15, -3e-15], [1e-15, 2.1e-15, 3e-15]])}, axes)


def kicks():
    axes = {"v_store": [0.0, VDD], "t_pulse": [1e-9, 2e-9, 3e-9]}
    return xr.Dataset({"dv_store": (tuple(axes), [[1e-3, -4e-3, 2e-3], [0.0, 3e-3, 1e-3]])}, axes)


def feed_throughs():
    """29 written voltages, of which every fourth is a level: 5 mV between levels, 1 to 2 mV at them."""
    feed = np.full(29, 5e-3)
    feed[::4] = [1e-3, -2e-3, *[1e-3] * 6]
    return xr.Dataset({"dv_feed": ("v_dac", feed)}, {"v_dac": np.linspace(0, VDD, 29)})


def energies():
    """1 fJ per ns and 1 fJ per V in the cell, 2 fJ in the driver: 7.5 + 0.4 + 2 fJ on average at 7.5 ns."""
    axes = {"v_store": np.array([0.0, 0.3, 0.9]), "t_pulse": np.array([1e-9, 4e-9, 10e-9, 15e-9])}
    e_cell = 1e-6 * axes["t_pulse"] + 1e-15 * axes["v_store"][:, None]
    return xr.Dataset({"e_cell": (tuple(axes), e_cell), "e_driver": (tuple(axes), np.full((3, 4), 2e-15))}, axes)


def widths():
    """Charges whose least-squares line is 0.8 fC/ns t + 0.3 fC, not the line through both ends; one is missing."""
    axes = {"v_store": [0.0, 0.3, VDD], "t_pulse": 1e-9 * np.arange(4)}
    q_bl = 1e-15 * np.array([[0, 1, 3, 2], [0, np.nan, 3, 2], [0, -2, -6, -4]])
    return xr.Dataset({"q_bl": (tuple(axes), q_bl)}, axes)


CELL = {
    ("merit", "largest current"): (currents, 1.2e-5),
    ("merit", "smallest current"): (currents, -6e-6),
    ("merit", "zero"): (currents, 0.3),
    ("merit", "pulse linearity"): (pulses, 100 * 0.1 / 6),
    ("merit", "kick"): (kicks, 4e-3),
    ("merit", "feed-through"): (feed_throughs, 2e-3),
    ("merit", "energy per pulse"): (energies, 9.9e-15),
    ("derived", "i_eff"): (widths, [0.8e-6, np.nan, -1.6e-6]),
    ("derived", "q_0"): (widths, [0.3e-15, np.nan, -0.6e-15]),
}


# --- storage capacitor ----------------------------------------------------------------------------------------------


WBL = np.array([0.0, VDD / 2, VDD])
ELSEWHERE = np.array([7.0, 1.0, 5.0])
"""How much faster everything is when the write bitline is not at vdd/2."""


def decays(low, high):
    """Two levels that move evenly [V/s]."""
    axes = {"v_wbl": WBL, "v_init": np.array([0.0, VDD]), "time": np.arange(4.0)}
    moved = ELSEWHERE[:, None, None] * np.array([[low], [-high]]) * axes["time"]
    return xr.Dataset({"v_store": at_first(axes, axes["v_init"][:, None] + moved)}, axes)


def leaks():
    axes = {"v_wbl": WBL, "v_store": [0.0, 0.8, VDD]}
    at_idle = np.array([-3e-12, 1e-12, 2e-12])
    return xr.Dataset({"i_leak": at_first(axes, ELSEWHERE[:, None] * at_idle + (ELSEWHERE[:, None] - 1) * 1e-12)}, axes)


def fast():
    return decays(0.03, 0.09)


def slow():
    return decays(0.001, 0.002)


def sampled_decays():
    """Per sample: both levels move, only one far enough, one is not known."""
    axes = {"v_init": [0.0, VDD], "time": np.arange(4.0)}
    rates = np.array([[0.03, -0.09], [0.001, -0.03], [np.nan, -0.03]])
    v_store = np.array([0.0, VDD])[:, None] + rates[:, :, None] * np.arange(4.0)
    return xr.Dataset({"v_store": (("sample", *axes), v_store)}, axes, attrs={"vdd": VDD})


CAPACITOR = {
    ("merit", "retention"): (fast, HALF_LSB / 0.09),
    ("merit", "largest leak"): (leaks, 3e-12),
    ("merit", "balance"): (leaks, 0.6),
    ("feature", "retention"): (
        sampled_decays,
        [[HALF_LSB / 0.03, HALF_LSB / 0.09], [np.inf, HALF_LSB / 0.03], [np.nan, HALF_LSB / 0.03]],
    ),
}


# --- converters -----------------------------------------------------------------------------------------------------

ZIGZAG = 1e-12 * np.array([1, -1, -1, 1])  # moves no least-squares line through four even points


def transfer(full_scale, *, gain, offset, side=1):
    """Four charges on a line, one picosecond off; outside of them no pulse, or one that is cut off."""
    q = full_scale * np.array([-0.5, 0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 1.1])
    t = np.array([0, 0, 0, *gain * q[3:7] + offset + ZIGZAG, 15e-9, 15e-9])
    order = slice(None, None, side)
    return xr.Dataset({"t_pulse": at_first(("q_in",), t[order])}, {"q_in": side * q[order]})


def signs():
    axes = {"q_in": 1e-15 * np.array([-9.0, 2.0, 6.0, 9.0])}
    return xr.Dataset({"t_signed": at_first(axes, [-2e-10, -1e-10, 3e-10, 4e-10])}, axes)


def conversions():
    """What is left: at most 7 ps after 3 ns, 0.9 ps after 5 ns; 100 ps after a time that nobody asks about."""
    axes = {"t_reset": [3e-9, 4e-9, 5e-9], "q_prev": [-1e-12, 0.0, 1e-12], "q_in": [1e-13, 5e-13]}
    left = 1e-12 * np.array([[-4, 0, 7], [-100, 0, 100], [0.5, 0, -0.9]])
    return xr.Dataset({"t_pulse": (tuple(axes), np.array([1e-9, 6e-9]) + left[:, :, None])}, axes)


MEMORY = {
    ("merit", "memory after 5 ns"): (conversions, 0.9e-12),
    ("merit", "memory after 3 ns"): (conversions, 7e-12),
}


def line(name, of="", **data):
    """Gain, offset and nonlinearity of a converter on one side."""

    def make():
        return transfer(FULL_SCALE[name], **data)

    answers = {"gain": data["gain"], "offset": data["offset"], "nonlinearity": 1e-12}
    return {("merit", f"{merit}{of}"): (make, answer) for merit, answer in answers.items()}


KNEE = 1e-15 * np.arange(2.0, 12.5, 1.0)
STRAIGHT = 1e-12 * np.array([0.1, 0.3, 0.5])


def is_(q, charge):
    return np.isclose(q, charge, atol=0)


def pulse_of(q, *, gain, offset, short):
    """Pulse of each charge: a line with a picosecond of bend, short of it by so much at 20 fC, nonsense at 40 fC."""
    t = gain * q + offset
    t[q < 15e-15] = 0.1e-9
    t[is_(q, 20e-15)] -= short
    t[is_(q, 40e-15)] = 7e-9
    t[-3:] += 1e-12 * np.array([1, -2, 1])  # moves no least-squares line through three even points
    return t


RIGHT = {"gain": np.array([12e3, 13e3]), "offset": np.array([0.2e-9, 0.3e-9]), "short": np.array([30e-12, 40e-12])}
LEFT = {"gain": np.array([11e3, 9e3]), "offset": np.array([0.5e-9, 0.1e-9]), "short": np.array([10e-12, 5e-12])}
Q_RIGHT = np.array([*KNEE, 20e-15, 40e-15, *STRAIGHT])
Q_LEFT = np.array([20e-15, 40e-15, *STRAIGHT])


def _samples(q, of):
    """Two samples; a third has a charge without a result in every part."""
    rows = [pulse_of(q.copy(), **{name: values[i] for name, values in of.items()}) for i in range(2)]
    missing = rows[0].copy()
    missing[[-2, *np.flatnonzero(is_(q, 20e-15) | is_(q, 8e-15))]] = np.nan
    return np.array([*rows, missing])


def relu_samples():
    """The first sample has pulses from 6 fC on, the second from 8 fC."""
    t = _samples(Q_RIGHT, RIGHT)
    t[0, Q_RIGHT < 5.5e-15], t[1, Q_RIGHT < 7.5e-15] = 0.0, 0.0
    return xr.Dataset({"t_pulse": (("sample", "q_in"), t)}, {"q_in": Q_RIGHT})


def signed_samples():
    t = np.concatenate([-_samples(Q_LEFT, LEFT)[:, ::-1], _samples(Q_RIGHT, RIGHT)], axis=1)
    q = np.array([*-Q_LEFT[::-1], *Q_RIGHT])
    sign = np.where(q > np.array([[5.5e-15], [7.5e-15], [6.5e-15]]), 1.0, -1.0)
    sign[2, is_(q, 8e-15)] = np.nan
    return xr.Dataset({"t_signed": (("sample", "q_in"), t), "sign": (("sample", "q_in"), sign)}, {"q_in": q})


def of_side(samples, side, of=""):
    values = {"gain": side["gain"], "offset": side["offset"], "knee": side["short"]}
    return {("feature", f"{name}{of}"): (samples, [*value, np.nan]) for name, value in values.items()}


THRESHOLDS = [5.5e-15, 7.5e-15, np.nan]
RELU_LINE = {"gain": 12e3, "offset": 0.2e-9}


def relu_transfer():
    return transfer(FULL_SCALE["relu_c2p"], **RELU_LINE)


RELU = {
    **line("relu_c2p", **RELU_LINE),
    ("merit", "dead zone"): (relu_transfer, 0.05 * FULL_SCALE["relu_c2p"]),
    **MEMORY,
    **of_side(relu_samples, RIGHT),
    ("feature", "threshold"): (relu_samples, THRESHOLDS),
}
SIGNED = {
    **line("signed_c2p", " of positive charge", gain=23e3, offset=0.3e-9),
    **line("signed_c2p", " of negative charge", gain=21e3, offset=0.4e-9, side=-1),
    ("merit", "sign threshold"): (signs, 3e-15),
    **MEMORY,
    **of_side(signed_samples, RIGHT, " of positive charge"),
    **of_side(signed_samples, LEFT, " of negative charge"),
    ("feature", "sign threshold"): (signed_samples, THRESHOLDS),
}


# --- all of them ----------------------------------------------------------------------------------------------------

ANSWERS = {
    (circuit, *key): answer
    for circuit, answers in {
        "gain_cell": CELL, "gain_cell_switched": CELL, "capacitor_decay": CAPACITOR, "relu_c2p": RELU,
        "signed_c2p": SIGNED,
    }.items()
    for key, answer in answers.items()
}  # fmt: skip


def declared(name):
    """Kind and name of everything a circuit computes from a data set -> a function of the data set alone."""
    circuit = registry.load_circuit(name)
    found = {}
    for merit in circuit.merits:
        bench = next(study.bench for study in circuit.all_studies if study.key == merit.study)
        values = numbers((circuit.params | circuit.bench(bench).params).resolve({}))
        found["merit", merit.name] = lambda data, merit=merit, values=values: merit.compute(data, values)
    for spread in circuit.all_spreads:
        found |= {("feature", feature.name): feature.compute for feature in spread.features}
    for bench in circuit.benches:
        found |= {("derived", derived.name): derived.compute for derived in bench.derived}
    return found


def test_nothing_is_without_an_answer(circuit):
    assert declared(circuit.name).keys() == {key[1:] for key in ANSWERS if key[0] == circuit.name}


@pytest.mark.parametrize(("circuit_name", "kind", "name"), ANSWERS, ids=lambda word: word.replace(" ", "_"))
def test_the_answer_is_the_one_known(circuit_name, kind, name):
    data, answer = ANSWERS[circuit_name, kind, name]
    dataset = data()
    found = declared(circuit_name)[kind, name](dataset)
    np.testing.assert_allclose(found, answer, rtol=1e-9, atol=0)
    xr.testing.assert_identical(dataset, data())


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (slow, np.inf),
        (lambda: fast().isel(time=slice(1, None)), -np.inf),
        (lambda: fast().where(lambda d: d.time < 2.5), np.nan),
    ],
    ids=["slow", "fast", "broken"],
)
def test_a_retention_outside_the_curve_is_infinite_and_one_of_a_broken_curve_is_not_known(data, answer):
    np.testing.assert_equal(declared("capacitor_decay")["merit", "retention"](data()), answer)


def test_the_retention_of_one_level_does_not_depend_on_the_other():
    """Half an LSB is that of the supply, whatever levels a campaign starts from."""
    both, retention = sampled_decays(), declared("capacitor_decay")["feature", "retention"]
    low = retention(both.isel(v_init=[0]))
    np.testing.assert_equal(low.to_numpy(), retention(both).isel(v_init=[0]).to_numpy())
