"""Converters of an array that share one bias, in SPICE and in the software model."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.errors import DataError
from gaincell_char.torch import ReLUC2P, SignedC2P
from gaincell_char.torch.shared_bias import SharedBias, sum_of_smaller
from gaincell_char.validation.array_netlist import ArrayCircuit

HEAD = registry.load_head("attention")
CONVERTERS = {"scores": ReLUC2P, "values": SignedC2P}
FULL = {"scores": 1.1e-12, "values": 0.55e-12}
N = 12


def charges(name):
    """Charges of all sizes, some that saturate, and of both signs."""
    return FULL[name] * np.random.default_rng(3).uniform(-1.1, 1.1, N)


def in_spice(pool, name, charge, *, shared_bias):
    circuit = ArrayCircuit(head=HEAD, operation=HEAD.operation(name), shared_bias=shared_bias)
    part = np.clip((circuit.times - circuit.t_on) / circuit["t_max"], 0, 1)
    [(_, outcome)] = pool.map([circuit.conversions(charge[:, None] * part)], lambda deck: deck, count=1)
    assert not outcome.reason, outcome.reason
    output = HEAD.operation(name).output
    return np.array([circuit.outputs(outcome.vectors, c)[0][output] for c in range(len(charge))])


@pytest.mark.parametrize("name", CONVERTERS)
def test_one_bias_changes_pulses_as_in_spice(pool, name):
    charge = charges(name)
    change = in_spice(pool, name, charge, shared_bias=True) - in_spice(pool, name, charge, shared_bias=False)
    model = CONVERTERS[name]
    given = torch.from_numpy(charge)
    predicted = model.from_records(shared_bias=True)(given) - model.from_records()(given)
    size = np.abs(change).max()
    assert size > 3e-12, "the effect is large enough to be tested"
    np.testing.assert_allclose(predicted.numpy(), change, atol=0.2 * size)


@pytest.mark.parametrize("name", CONVERTERS)
def test_equal_charges_lose_what_the_record_states(name):
    converter = CONVERTERS[name].from_records(shared_bias=True)
    operation = HEAD.operation(name)
    record = registry.find_record("gc28", f"{operation.converter}.{operation.shared.study}")
    model = registry.load_model(record, operation.shared.model)
    charge = torch.full((64,), 0.4 * FULL[name], dtype=torch.float64)
    alone = CONVERTERS[name].from_records()(charge - model(charge, torch.tensor(64.0, dtype=torch.float64)))
    torch.testing.assert_close(converter(charge), alone, atol=1e-14, rtol=0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_sum_of_the_smaller_is_that_over_all_pairs(values):
    x = torch.tensor([values, values[::-1]], dtype=torch.float64)
    pairs = torch.minimum(x[..., :, None], x[..., None, :]).sum(-1)
    torch.testing.assert_close(sum_of_smaller(x), pairs)


def test_the_charges_satisfy_the_equation_of_the_ramps():
    operation = HEAD.operation("scores")
    converter = ReLUC2P.from_records().model
    shared = SharedBias.from_records("gc28", operation, converter)
    charge = torch.linspace(-0.2, 1.0, 40, dtype=torch.float64) * shared.full[0]
    ramp = shared.charge(charge)
    share = shared._share(40, 1, shared.full[0])
    running = ramp.clamp(min=0.0)
    left = ramp + share * (sum_of_smaller(running) - running) - charge
    assert left[charge > 0].abs().max() < 1e-7 * shared.full[0]
    assert torch.equal(ramp[charge <= 0], charge[charge <= 0]), "without a pulse there is no ramp"


def test_one_converter_alone_and_silent_neighbours_change_nothing():
    one, many = SignedC2P.from_records(), SignedC2P.from_records(shared_bias=True)
    charge = torch.linspace(-0.5e-12, 0.5e-12, 9, dtype=torch.float64)
    assert torch.equal(many(charge[:, None]), one(charge[:, None]))
    beside = torch.stack([charge, torch.zeros_like(charge)], -1)
    torch.testing.assert_close(many(beside)[:, 0], one(charge), atol=1e-15, rtol=0)


def test_the_shared_bias_has_gradients_and_can_be_copied():
    converter = SignedC2P.from_records(shared_bias=True)
    again = copy.deepcopy(converter)
    charge = torch.linspace(-0.5e-12, 0.5e-12, 8, dtype=torch.float64).requires_grad_()
    assert torch.equal(again(charge), converter(charge))
    converter(charge)[0].backward()
    assert charge.grad[0] > 1e4, "the slope of a converter"
    assert 0 < charge.grad[1].abs() < 1e-2 * charge.grad[0], "a neighbour has a small effect"


def test_an_operation_without_the_model_is_refused():
    operation = replace(HEAD.operation("scores"), shared=None)
    with pytest.raises(DataError, match="scores: no model of a shared bias is declared; use shared_bias=False"):
        SharedBias.from_records("gc28", operation, ReLUC2P.from_records().model)
