"""Noise of the records in the software model: its size, and the options that choose it."""

import numpy as np
import pytest
import torch

from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.torch import Attention, GainCellArray, attention
from gaincell_char.torch.noise import InputNoise, ReadNoise
from gaincell_char.torch.state import load_array, save_array

T_MAX = 15e-9
RNG = np.random.default_rng(0)
V = torch.tensor(0.9 * RNG.random((16, 5)))
T = torch.tensor(T_MAX * RNG.random((3, 16)))
HEADS = {"attention": "gain_cell", "attention_switched": "gain_cell_switched"}


def spread(array, t_pulse, n=4000):
    """Standard deviation of many reads, and their mean less that without noise in units of its standard error."""
    noisy = array(t_pulse.expand(n, *t_pulse.shape), torch.Generator().manual_seed(3))
    sigma = noisy.std(0)
    quiet = GainCellArray(array.v_store, head=array.head)(t_pulse)
    return sigma, (noisy.mean(0) - quiet) / (sigma / n**0.5)


@pytest.mark.parametrize("head", HEADS)
def test_the_variance_of_a_column_is_the_sum_of_those_of_its_cells(head):
    model = registry.load_model(registry.load_record("gc28", f"{HEADS[head]}.noise"), "charge_noise")
    sigma, off = spread(GainCellArray(V, head=head, read_noise="record"), T)
    expected = sum(model(V.numpy()[None, row], T.numpy()[:, row, None]) ** 2 for row in range(16)) ** 0.5
    np.testing.assert_allclose(sigma, expected, rtol=0.07)
    assert off.abs().max() < 4.5


def test_the_three_terms_are_exact_for_any_width():
    model = registry.load_model(registry.load_record("gc28", "gain_cell.noise"), "charge_noise")
    noise, v = ReadNoise(), torch.linspace(0, 0.9, 7, dtype=torch.float64)
    for t in (1e-10, 1e-9, 7e-9, T_MAX):
        found = noise.deviation(torch.tensor([[t]], dtype=torch.float64), noise.weights(v[None]))
        np.testing.assert_allclose(found[0], model(v.numpy(), t), rtol=1e-6)


def test_a_column_without_pulses_has_no_noise():
    array = GainCellArray(V, read_noise="record")
    still = torch.zeros(16, dtype=torch.float64)
    assert torch.equal(array(still), GainCellArray(V)(still))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_small_types_have_the_same_noise(dtype):
    array = GainCellArray(V.to(dtype), read_noise="record")
    weights = array._noise.weights(V.to(dtype))
    exact = array._noise.deviation(T, array._noise.weights(V))
    found = array._noise.deviation(T.to(dtype), weights)
    assert found.dtype == dtype
    np.testing.assert_allclose(found.double(), exact, rtol=0.05)


def test_noise_of_a_generator_is_repeated_and_has_no_gradient():
    v = V.clone().requires_grad_()
    array = GainCellArray(v, read_noise="record")
    a, b = (array(T, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, array(T, torch.Generator().manual_seed(2)))
    [with_noise] = torch.autograd.grad(a.sum(), v)
    [without] = torch.autograd.grad(GainCellArray(v)(T).sum(), v)
    assert torch.equal(with_noise, without)


@pytest.mark.parametrize("read_noise", ["record", 2e-16])
def test_an_array_with_noise_is_saved_and_loaded(tmp_path, read_noise):
    array = GainCellArray(V, read_noise=read_noise)
    save_array(array, tmp_path / "a")
    again = load_array(tmp_path / "a")
    assert again.read_noise == read_noise
    seeds = (torch.Generator().manual_seed(1) for _ in range(2))
    assert torch.equal(array(T, next(seeds)), again(T, next(seeds)))


@pytest.mark.parametrize("value", ["records", "", -1e-15, None])
def test_another_noise_is_refused(value):
    with pytest.raises(ParameterError, match="read_noise"):
        GainCellArray(V, read_noise=value)
    with pytest.raises(ParameterError, match="read_noise"):
        Attention(read_noise=value)


def test_records_without_noise_are_refused():
    with pytest.raises(DataError, match=r"gain_cell\.noise"):
        Attention("paper", read_noise="record")
    with pytest.raises(DataError, match=r"gain_cell\.noise"):
        ReadNoise("paper")


@pytest.mark.parametrize(
    ("operation", "circuit", "current"), [("scores", "relu_c2p", 80e-6), ("values", "signed_c2p", 40e-6)]
)
def test_jitter_of_a_converter_becomes_a_charge_by_the_current_of_its_ramp(operation, circuit, current):
    model = registry.load_model(registry.load_record("gc28", f"{circuit}.noise"), "jitter")
    charge = torch.tensor([1e-13, 3e-13, 5e-13], dtype=torch.float64)
    found = InputNoise(operation).deviation(charge)
    # The mirrors of this process deliver 1 % less than the ideal current.
    np.testing.assert_allclose(found, current * model(charge.numpy()), rtol=0.03)


def inputs(tokens=24, dim=16):
    q = torch.tensor(RNG.random((tokens, dim)))
    k, v = (torch.tensor(0.9 * RNG.random((tokens, dim))) for _ in range(2))
    return q, k, v


def test_attention_with_noise_differs_by_the_noise_of_its_converters():
    q, k, v = inputs()
    torch.manual_seed(0)
    quiet = attention(q, k, v, return_intermediates=True)
    noisy = Attention(read_noise="record")
    runs = torch.stack([noisy.intermediates(q, k, v)["S"] for _ in range(150)])
    size = runs.std(0)[quiet["S"] != 0] * 1e-6 * T_MAX
    model = registry.load_model(registry.load_record("gc28", "relu_c2p.noise"), "jitter")
    assert 80e-6 * model(np.zeros(1))[0] * 0.9 < float(size.mean()) < 80e-6 * model(np.array([1e-12]))[0] * 1.5
    assert (runs.std(0)[quiet["S"] == 0] == 0).all()  # a token that a query does not see
    outputs = torch.stack([noisy(q, k, v) for _ in range(60)])
    own = registry.load_model(registry.load_record("gc28", "signed_c2p.noise"), "jitter")(np.zeros(1))[0] / T_MAX
    clear = quiet["output"].abs() > 0.05
    assert 0.8 * own < float(outputs.std(0)[clear].mean()) < 4 * own


def test_attention_takes_a_charge_as_noise_and_decays_with_it():
    q, k, v = inputs()
    module = Attention(read_noise=1e-15)
    runs = torch.stack([module.intermediates(q, k, v)["S"] for _ in range(150)])
    seen = runs[0] != 0
    np.testing.assert_allclose(runs.std(0)[seen].mean(), 1e-15 / (1e-6 * T_MAX), rtol=0.03)
    aged = Attention(read_noise="record", decay_per_token=1e-3, window=10, array_length=8, quantize=True)
    assert torch.isfinite(aged(q, k, v)).all()


@pytest.mark.slow
def test_attention_with_noise_compiles_in_one_graph():
    q, k, v = inputs(tokens=8, dim=4)
    module = Attention(read_noise="record")
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    assert compiled(q, k, v).shape == q.shape
    assert not torch.equal(compiled(q, k, v), compiled(q, k, v))
