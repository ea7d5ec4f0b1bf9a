"""The course of the charge at a converter: what leaks through its switches on the way."""

import numpy as np
import pytest
import torch

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.torch import GainCellArray, ReLUC2P, SignedC2P
from gaincell_char.torch.elements import find_model
from gaincell_char.validation.array_netlist import ArrayCircuit

HEAD = registry.load_head("attention")
CONVERTERS = {"scores": ReLUC2P, "values": SignedC2P}
RNG = np.random.default_rng(11)
V_STORE = torch.from_numpy(RNG.uniform(0.0, 0.9, (12, 5)))
T_PULSE = torch.from_numpy(RNG.integers(0, 16, 12) / 15 * 15e-9)


def test_the_swing_is_the_mean_distance_from_a_steady_course():
    """Theory: the area between the course of the charge and a line to its end, by numerical integration."""
    array = GainCellArray(V_STORE)
    current, _ = array.currents()
    time = torch.linspace(0, array.t_max, 30_001, dtype=torch.float64)
    course = torch.minimum(time[:, None], T_PULSE) @ current
    steady = time[:, None] / array.t_max * course[-1]
    area = torch.trapezoid(course - steady, time, dim=0)
    torch.testing.assert_close(array.swing(T_PULSE), 2 * area / array.t_max, rtol=1e-6, atol=1e-22)
    several = array.swing(torch.stack([T_PULSE, 0 * T_PULSE]))
    torch.testing.assert_close(several[0], array.swing(T_PULSE))
    assert not several[1].any()


@pytest.mark.parametrize("name", CONVERTERS)
def test_a_charge_that_swings_and_comes_back_leaks_as_in_spice(pool, name):
    """At 125 degC the leakage is large; the model is linear, which is right within a third."""
    operation = HEAD.operation(name)
    circuit = ArrayCircuit(head=HEAD, operation=operation, temp=125.0)
    part = np.clip((circuit.times - circuit.t_on) / circuit["t_max"], 0, 1)
    triangle, end, height = 1 - np.abs(2 * part - 1), 2e-13, 4e-13
    swings = np.array([0.0, height, height / 2, -height / 2])
    [(_, outcome)] = pool.map([circuit.conversions(end * part + swings[:, None] * triangle)], lambda d: d, count=1)
    spice = np.array([circuit.outputs(outcome.vectors, c)[0][operation.output] for c in range(len(swings))])
    converter = CONVERTERS[name].from_records(gc.records_at(temp=125.0))
    pulses = converter(torch.full((4,), end, dtype=torch.float64), torch.from_numpy(swings)).numpy()
    change = spice - spice[0]
    assert np.abs(change).max() > 20e-12, "the effect is large enough to be tested"
    np.testing.assert_allclose(pulses - pulses[0], change, rtol=0.34, atol=2e-12)


def test_without_a_swing_the_course_is_steady():
    converter, charge = SignedC2P.from_records(), torch.linspace(-5e-13, 5e-13, 7, dtype=torch.float64)
    torch.testing.assert_close(converter(charge, torch.zeros_like(charge)), converter(charge), rtol=0, atol=0)


def test_a_converter_without_records_or_a_wrong_shape_is_refused():
    name = HEAD.operation("scores").forms["pulsed"]
    charge = torch.full((3,), 3e-13, dtype=torch.float64)
    alone = ReLUC2P(find_model("gc28", "relu_c2p", name))
    with pytest.raises(DataError, match="not loaded from records, so the effect of q_swing is not known"):
        alone(charge, charge)
    with pytest.raises(ParameterError, match="they must broadcast"):
        ReLUC2P.from_records()(charge, torch.zeros(2, dtype=torch.float64))
    with pytest.raises(ParameterError, match="q_swing"):
        ReLUC2P.from_records()(charge, 3e-13)
