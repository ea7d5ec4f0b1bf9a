"""Converters at another bias current."""

import numpy as np
import pytest
import torch

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.torch import ReLUC2P, SignedC2P

CHARGES = {
    "relu_c2p": [0.05e-12, 0.31e-12, 0.64e-12, 0.9e-12],
    "signed_c2p": [-0.45e-12, -0.1e-12, 0.04e-12, 0.3e-12, 0.45e-12],
}
CONVERTERS = {"relu_c2p": ReLUC2P, "signed_c2p": SignedC2P}


@pytest.mark.parametrize("name", CONVERTERS)
@pytest.mark.parametrize(("temp", "i_bias"), [(27.0, 9.6e-6), (60.0, 10.4e-6)])
def test_a_converter_at_another_bias_is_that_of_spice(pool, name, temp, i_bias):
    charge = np.array(CHARGES[name])
    at = {"q_in": charge.tolist(), "i_bias": [i_bias]}
    plan = registry.plan_bench(name, "transfer", sweep=at, temps=(temp,), own_sweep=False)
    found = gc.characterize(plan, pool=pool).dataset
    spice = found["t_pulse" if name == "relu_c2p" else "t_signed"].to_numpy().ravel()
    given = torch.from_numpy(charge)
    there = CONVERTERS[name].from_records(gc.records_at(temp=temp, i_bias=i_bias))(given).numpy()
    as_designed = CONVERTERS[name].from_records(gc.records_at(temp=temp))(given).numpy()
    assert np.abs(as_designed - spice).max() > 300e-12, "4 % of the bias is 4 % of the pulse"
    np.testing.assert_allclose(there, spice, atol=10e-12)


def test_the_record_names_its_bias_and_cells_do_not_depend_on_it():
    where = gc.records_at(i_bias=10.5e-6)
    record = registry.find_record(where, "relu_c2p.transfer")
    assert record.parameters["i_bias"] == 10.5e-6
    assert record.fit("relu_knee").conditions["i_bias"] == 10.5e-6
    assert str(where.condition) == "corner tt, 27 degC, bias 10.5 uA"
    cell = registry.find_record(where, "gain_cell.pulse").fit("ekv_charge")
    assert cell.values() == registry.find_record(gc.records_at(), "gain_cell.pulse").fit("ekv_charge").values()


def test_at_the_bias_of_the_records_nothing_changes():
    with_bias = registry.find_record(gc.records_at(temp=60.0, i_bias=10e-6), "signed_c2p.transfer").fit("signed_knee")
    without = registry.find_record(gc.records_at(temp=60.0), "signed_c2p.transfer").fit("signed_knee")
    assert with_bias.values() == pytest.approx(without.values(), rel=1e-12, abs=0)


def test_a_bias_outside_the_fits_and_a_model_without_one_are_refused():
    with pytest.raises(
        ParameterError, match=r"i_bias = 1.2e-05 is outside 9e-06 to 1.1e-05, over which relu_knee_bias"
    ):
        ReLUC2P.from_records(gc.records_at(i_bias=12e-6))
    with pytest.raises(
        DataError, match=r"record relu_c2p.noise: no model is known at corner tt, 27 degC, bias 10.5 uA"
    ):
        registry.find_record(gc.records_at(i_bias=10.5e-6), "relu_c2p.noise")
    with pytest.raises(ParameterError, match="i_bias"):
        gc.records_at(i_bias="10u")
