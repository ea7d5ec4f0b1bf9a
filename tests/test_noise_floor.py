"""The noise of an output, beside which tables print the error of its model."""

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.fitting.noise_floor import compute_noise_floor

T_MAX = 15e-9
BENCHES = {"dc": "A", "pulse": "C", "write": "V", "transfer": "s"}


def floor(name, model, **where):
    circuit = registry.load_circuit(name.partition(".")[0])
    noise = registry.load_record("gc28", f"{circuit.name}.noise").fits
    return compute_noise_floor(circuit, registry.load_record("gc28", name).fit(model, **where), noise)


def test_the_floor_of_a_current_is_that_of_the_mean_over_the_longest_pulse():
    noise = registry.load_model(registry.load_record("gc28", "gain_cell.noise"), "charge_noise")
    values = noise(np.linspace(-0.01, 0.91, 33), T_MAX) / T_MAX
    assert floor("gain_cell.dc", "softplus") == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-12)
    assert floor("gain_cell.dc", "ekv_2d") == pytest.approx(floor("gain_cell.dc", "softplus"), rel=1e-12)


def test_the_floor_of_a_charge_is_its_mean_over_both_inputs():
    noise = registry.load_model(registry.load_record("gc28", "gain_cell.noise"), "charge_noise")
    values = noise(np.linspace(-0.01, 0.91, 33)[:, None], np.linspace(0.25e-9, T_MAX, 33))
    assert floor("gain_cell.pulse", "softplus_charge") == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-12)


def test_the_floor_of_a_converter_is_its_jitter():
    noise = registry.load_model(registry.load_record("gc28", "relu_c2p.noise"), "jitter")
    found = floor("relu_c2p.transfer", "relu_knee")
    assert noise(np.zeros(1))[0] < found < noise(np.array([1.4e-12]))[0]


def test_there_is_none_without_a_declaration_or_at_other_conditions():
    assert floor("gain_cell.energy", "cell_energy") is None
    assert floor("gain_cell.dc_corners", "softplus", corner="tt", temp=27.0) is not None
    assert floor("gain_cell.dc_corners", "softplus", corner="tt", temp=125.0) is None
    assert floor("gain_cell.dc_corners", "softplus", corner="ss", temp=27.0) is None


@pytest.mark.parametrize("name", registry.circuit_names())
def test_every_model_of_a_current_a_charge_a_voltage_or_a_pulse_has_a_floor(name):
    circuit = registry.load_circuit(name)
    for model in circuit.models:
        assert (model.bench in circuit.noise_floors) == (model.bench in BENCHES), model.name
