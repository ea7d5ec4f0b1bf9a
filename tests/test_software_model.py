"""The PyTorch modules: the same numbers as NumPy, the published model, gradients, arrays, state on disk."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.torch import (
    Attention,
    Decay,
    GainCell,
    GainCellArray,
    ReLUC2P,
    SignedC2P,
    attention,
    load_array,
    save_array,
)
from gaincell_char.torch.bitline import Bitline

T_MAX = 15e-9
FITS = [
    (tech, name, fit.model, index)
    for tech in registry.record_sets()
    for name in registry.record_names(tech)
    for index, fit in enumerate(registry.load_record(tech, name).fits)
]
# The ten published coefficients, i the power of v - 0.45 V, j that of v_in = 0.9 V; in uA.
PUBLISHED = [
    [0.17393044, 0.15653739, 0.14088365, 0.12679529], [5.51975209, 4.96777688, 4.4709992],
    [-1.44776001, -1.30298401], [46.05483778],
]  # fmt: skip


def tensors(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(3))
    return q, 0.9 * k, 0.9 * v


def published(q, k, v, rate=0.0, on="weight"):
    """The published model term by term, in float64 and NumPy, without any of our code."""
    q, k, v = (np.asarray(x, dtype=float) for x in (q, k, v))
    c = [sum(x * 0.9**j for j, x in enumerate(row)) for row in PUBLISHED]
    tokens = q.shape[-2]
    age = np.arange(tokens)[:, None] - np.arange(tokens)
    decay = np.exp(-rate * np.maximum(age, 0))
    power = [i if on == "weight" else 1 for i in range(4)]
    s = sum(c[i] * decay ** power[i] * (q @ np.swapaxes((k - 0.45) ** i, -1, -2)) for i in range(4)) * (age >= 0)
    phi = np.clip(s / 80, 0, 1)
    a = sum(c[i] * ((phi * decay ** power[i]) @ (v - 0.45) ** i) for i in range(4))
    return {"S": s, "phi_S": phi, "output": np.clip(a / 40, -1, 1)}


@pytest.mark.parametrize(("tech", "name", "model", "index"), FITS)
def test_torch_and_numpy_say_the_same(tech, name, model, index):
    record = registry.load_record(tech, name)
    fit = record.fits[index]
    function = registry.load_circuit(record.circuit).model(model)
    rng = np.random.default_rng(0)
    inputs = [rng.uniform(*fit.valid_range[i], 500) for i in fit.inputs]
    ours = function(*inputs, **fit.values())
    theirs = function(*map(torch.from_numpy, inputs), **fit.values()).numpy()
    # Eighteen steps one after the other grow the differences of rounding.
    tolerance = 1e-11 if model in ("four_leaks", "oxide_decay") else 1e-12
    np.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance * np.abs(ours).max())


@pytest.mark.parametrize("on", ["weight", "output"])
@pytest.mark.parametrize("rate", [0.0, 1.6e-4, 0.03, 2.0])
def test_the_paper_s_records_are_the_published_model(rate, on):
    q, k, v = tensors(2, 3, 150, 16)
    ours = attention(q, k, v, records="paper", decay_per_token=rate, decay_on=on, return_intermediates=True)
    for name, theirs in published(q, k, v, rate, on).items():
        np.testing.assert_allclose(ours[name].numpy(), theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())


def test_the_published_model_in_single_precision():
    q, k, v = tensors(4, 150, 64, dtype=torch.float32)
    ours = attention(q, k, v, records="paper", return_intermediates=True)
    for name, theirs in published(q, k, v).items():
        np.testing.assert_allclose(ours[name].numpy(), theirs, rtol=0, atol=2e-6 * np.abs(theirs).max())


def test_an_output_needs_no_intermediates():
    q, k, v = tensors(200, 8)
    assert torch.equal(attention(q, k, v), attention(q, k, v, return_intermediates=True)["output"])


def test_tokens_see_the_past_only():
    q, k, v = tensors(140, 16)
    before = attention(q, k, v, records="gc28")
    k2, v2 = k.clone(), v.clone()
    k2[100:], v2[100:] = 0.1, 0.8
    after = attention(q, k2, v2, records="gc28")
    assert torch.equal(before[:100], after[:100])
    assert not torch.equal(before[100:], after[100:])


def test_a_window_forgets():
    q, k, v = tensors(140, 16)
    found = attention(q, k, v, records="paper", window=10, return_intermediates=True)
    age = torch.arange(140)[:, None] - torch.arange(140)
    assert (found["phi_S"][(age < 0) | (age >= 10)] == 0).all()
    alone = attention(q[121:131], k[121:131], v[121:131], records="paper")
    torch.testing.assert_close(found["output"][130], alone[-1])


def test_arrays_are_converted_one_by_one():
    q, k, v = tensors(150, 64, seed=3)
    whole = attention(q, k, 0.8 + 0 * v, records="paper", return_intermediates=True)
    tiled = attention(q, k, 0.8 + 0 * v, records="paper", array_length=64)
    assert whole["output"].max() == 1
    phi = whole["phi_S"].numpy()
    c = [sum(x * 0.9**j for j, x in enumerate(row)) for row in PUBLISHED]
    current = sum(c[i] * 0.35**i for i in range(4))
    tiles = [np.clip(phi[:, s : s + 64].sum(-1) * current / 40, -1, 1) for s in (0, 64, 128)]
    np.testing.assert_allclose(tiled[:, 0].numpy(), np.sum(tiles, axis=0), atol=1e-12)


def test_quantising_rounds_to_the_levels():
    q, k, v = tensors(40, 64)
    found = attention(q, k, v, records="paper", quantize=True)
    rounded = attention(
        torch.round(15 * q) / 15,
        torch.round(k / 0.9 * 7) * 0.9 / 7,
        torch.round(v / 0.9 * 7) * 0.9 / 7,
        records="paper",
    )
    torch.testing.assert_close(found, 2 / 31 * torch.round(rounded * 31 / 2))
    q.requires_grad_()
    attention(q, k, v, records="paper", quantize=True).sum().backward()
    assert q.grad.abs().max() > 0


@pytest.mark.parametrize("records", ["paper", "gc28"])
def test_decay_of_stored_voltages_is_that_of_each_token(records):
    """Against one query at a time, whose keys and values have decayed to their own levels."""
    q, k, v = tensors(30, 8)
    rate = 0.02
    found = attention(q, k, v, records=records, decay_per_token=rate)
    for query in (0, 7, 29):
        age = torch.arange(query, -1, -1, dtype=torch.float64)[:, None]
        k2, v2 = (0.45 + (x[: query + 1] - 0.45) * torch.exp(-rate * age) for x in (k, v))
        alone = attention(q[: query + 1], k2, v2, records=records)[-1]
        torch.testing.assert_close(found[query], alone, rtol=0, atol=1e-5)


def test_the_surrogate_s_gradient_is_the_linear_model_s():
    q, k, v = (x.requires_grad_() for x in tensors(20, 8))
    weight = torch.randn(20, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad((attention(q, k, v, records="paper", gradient="surrogate") * weight).sum(), (q, k, v))
    true = published(q.detach(), k.detach(), v.detach())
    phi = torch.from_numpy(true["phi_S"])
    inside = (phi > 0) & (phi < 1)
    mask = torch.ones(20, 20, dtype=torch.float64).tril()
    through = weight * (torch.from_numpy(true["output"]).abs() < 1) / 40
    d_phi = 19.3 * through @ (v.detach() - 0.45).T
    d_s = d_phi * inside * mask / 80
    theirs = (
        19.3 * d_s @ (k.detach() - 0.45), 19.3 * d_s.T @ q.detach(), 19.3 * phi.T @ through,
    )  # fmt: skip
    for ours, expected in zip(found, theirs, strict=True):
        torch.testing.assert_close(ours, expected)


def test_the_surrogate_says_the_same_forward():
    q, k, v = tensors(150, 8)
    for options in ({}, {"decay_per_token": 0.01}, {"array_length": 64}):
        true = attention(q, k, v, **options)
        torch.testing.assert_close(attention(q, k, v, gradient="surrogate", **options), true)


@pytest.mark.parametrize("form", ["cubic", "dc", "pulsed"])
def test_gradients_are_those_of_the_models(form):
    cell = GainCell.from_records("gc28", form)
    v = torch.linspace(0.05, 0.85, 7, dtype=torch.float64, requires_grad=True)
    t = torch.linspace(1, 14, 7, dtype=torch.float64, requires_grad=True)

    def charge(v, t):
        return 1e12 * cell(v, 1e-9 * t)

    assert torch.autograd.gradcheck(charge, (v, t))
    for converter in (ReLUC2P.from_records("gc28", form), SignedC2P.from_records("gc28", form)):
        q = torch.tensor([0.1, 0.2, 0.5], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda q, c=converter: 1e9 * c(1e-12 * q), (q,))


def test_decay_is_differentiable_and_moves_towards_equilibrium():
    decay = Decay.from_records("gc28")
    v = torch.tensor([0.1, 0.2, 0.8], dtype=torch.float64, requires_grad=True)
    late = decay(v, torch.tensor(5e-3, dtype=torch.float64))
    assert (late - 0.45).abs().max() < 0.45
    assert torch.autograd.gradcheck(lambda v: decay(v, torch.tensor(1e-3, dtype=torch.float64)), (v,))
    assert abs(float(Decay.from_records("paper")(torch.tensor(0.9), torch.tensor(5e-3))) - 0.6155) < 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_every_precision_and_every_batch(dtype):
    q, k, v = tensors(2, 3, 70, 16, dtype=dtype)
    many = attention(q, k, v)
    assert many.dtype == dtype
    assert many.isfinite().all()
    torch.testing.assert_close(many[1, 2], attention(q[1, 2], k[1, 2], v[1, 2]), rtol=0, atol=0.05)
    exact = attention(*(x.double() for x in (q, k, v)))
    assert (many.double() - exact).abs().mean() < {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 0.02}[
        dtype
    ]


@pytest.mark.parametrize("options", [{}, {"decay_per_token": 1e-3}, {"records": "paper", "gradient": "surrogate"}])
@pytest.mark.slow
def test_it_compiles_in_one_graph(options):
    q, k, v = tensors(140, 8)
    module = Attention(**options)
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(q, k, v), module(q, k, v))


@pytest.mark.slow
def test_an_array_compiles_in_one_graph():
    v = tensors(8, 3)[1]
    t = T_MAX * tensors(5, 8, seed=1)[0]
    for bitline in (Bitline(), Bitline(kind="resistor")):
        array = GainCellArray(v, bitline=bitline)
        torch._dynamo.reset()
        torch.testing.assert_close(torch.compile(array, fullgraph=True, backend="eager")(t), array(t))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 0.9), st.floats(0.0, 1.0), st.sampled_from(["cubic", "dc", "pulsed"]))
def test_a_cell_and_an_array_of_one_agree(v_store, share, form):
    v, t = torch.tensor([[v_store]], dtype=torch.float64), torch.tensor([share * T_MAX], dtype=torch.float64)
    alone = GainCell.from_records("gc28", form)(v[0], t)
    torch.testing.assert_close(GainCellArray(v, form=form)(t), alone, rtol=1e-9, atol=1e-24)
    if share == 0:
        assert alone == 0


def test_a_good_clamp_is_an_ideal_one_and_a_bad_one_compresses():
    v = torch.full((64, 1), 0.85, dtype=torch.float64)
    t = torch.full((64,), 7e-9, dtype=torch.float64)
    ideal = GainCellArray(v)(t)
    torch.testing.assert_close(
        GainCellArray(v, bitline=Bitline(kind="resistor", r_clamp=0.0))(t), ideal, rtol=1e-6, atol=0
    )
    torch.testing.assert_close(
        GainCellArray(v, bitline=Bitline(kind="passive", c_bl=1e-6))(t), ideal, rtol=1e-4, atol=0
    )
    charges = [float(GainCellArray(v, bitline=Bitline(kind="resistor", r_clamp=r))(t)) for r in (30.0, 100.0, 200.0)]
    assert float(ideal) > charges[0] > charges[1] > charges[2] > 0


def test_more_slices_change_little():
    v, t = tensors(64, 4)[1], T_MAX * tensors(1, 64, seed=2)[0][0]
    few, many = (
        GainCellArray(v, head="attention_switched", bitline=Bitline(kind="passive", slices=n))(t) for n in (8, 64)
    )
    assert (few - many).abs().max() < 3e-3 * 1.2e-12


def test_mismatch_is_that_of_the_record():
    v = torch.full((40, 50), 0.85, dtype=torch.float64)
    array = GainCellArray(v)
    typical = array.currents()[0]
    array.sample_mismatch(torch.Generator().manual_seed(1))
    record = registry.load_record("gc28", "gain_cell.pulse_both")
    random = registry.load_random(record, "random_charge")
    drawn = random.draw(1, 20000, 1, parts=("mismatch",))
    theirs = np.std(random(np.full(20000, 0.85), np.full(20000, T_MAX), **{n: x[0] for n, x in drawn.items()})) / T_MAX
    assert float((array.currents()[0] - typical).std()) == pytest.approx(theirs, rel=0.06)


def test_a_die_is_shared_and_seeds_repeat():
    v = torch.full((6, 4, 5), 0.85, dtype=torch.float64)
    arrays = [GainCellArray(v) for _ in range(3)]
    for array, seed in zip(arrays, (1, 1, 2), strict=True):
        array.sample_mismatch(torch.Generator().manual_seed(seed), process=True, mismatch=False)
    first, again, other = (array.currents()[0] for array in arrays)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first.std(dim=(-1, -2)) < 1e-12).all()
    assert first[:, 0, 0].std() > 1e-7


def test_leaks_are_log_normal_with_the_record_s_spread():
    fit = registry.load_random(registry.load_record("gc28", "capacitor_decay.leak_both"), "random_leaks").fit
    leaks = Decay.sample_leaks((200, 100), torch.Generator().manual_seed(1))
    assert fit.coefficients[0].name == "x_lo"
    for index, factor in enumerate((leaks["r_lo"], leaks["r_hi"])):
        assert float(factor.log().std()) == pytest.approx(fit.covariance["mismatch"][index][index] ** 0.5, rel=0.03)
        assert float(factor.median()) == pytest.approx(1, abs=0.02)
    dies = Decay.sample_leaks((5, 3, 2), torch.Generator().manual_seed(1), process=True, mismatch=False)["r_hi"]
    assert (dies.std(dim=(-1, -2)) < 1e-12).all()
    assert dies[:, 0, 0].std() > 0.1


def test_a_leak_three_times_as_large_empties_a_cell_three_times_as_fast():
    decay = Decay.from_records("gc28", schedule=None)
    v, time = torch.tensor([0.9], dtype=torch.float64), torch.tensor([1e-6], dtype=torch.float64)
    plain, fast = decay(v, time), decay(v, time, {"r_hi": torch.tensor([3.0], dtype=torch.float64)})
    leaks = registry.load_model(
        registry.load_record("gc28", "capacitor_decay.decay"), "four_leaks", temp=27.0
    ).fit.values()
    others = leaks["r_at_vdd"] + (v - leaks["v_eq"]) / leaks["tau"]
    lost = (v - fast - (v - plain)) / time
    at_idle = leaks["r_hi"] * np.exp(leaks["d_hi"] * 0.45)
    assert float(lost) == pytest.approx(2 * at_idle, rel=0.1)
    assert float(others) < leaks["r_hi"]


def test_reads_are_noisy_when_asked():
    v, t = tensors(8, 3)[1], T_MAX * tensors(1000, 8, seed=1)[0]
    quiet, noisy = GainCellArray(v), GainCellArray(v, read_noise=1e-15)
    error = noisy(t, torch.Generator().manual_seed(1)) - quiet(t)
    assert float(error.std()) == pytest.approx(1e-15, rel=0.05)
    assert torch.equal(noisy(t, torch.Generator().manual_seed(1)) - quiet(t), error)


@pytest.mark.parametrize("bitline", [Bitline(), Bitline(kind="resistor", r_clamp=100.0)])
def test_an_array_survives_the_disk(tmp_path, bitline):
    array = GainCellArray(tensors(8, 3)[1], bitline=bitline)
    array.sample_mismatch(torch.Generator().manual_seed(3))
    array.age(1e-4, Decay.from_records("gc28"))
    save_array(array, tmp_path / "array")
    files = {p.name for p in (tmp_path / "array").iterdir()}
    assert files == {"state.safetensors", "array.json", "records"}
    t = T_MAX * tensors(5, 8, seed=1)[0]
    assert torch.equal(load_array(tmp_path / "array")(t), array(t))


def test_a_damaged_or_foreign_array_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"array .*array\.json cannot be read: No such file"):
        load_array(tmp_path)
    save_array(GainCellArray(tensors(4, 2)[1]), tmp_path)
    about = tmp_path / "array.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "schema_version": 9}))
    with pytest.raises(DataError, match="schema version 9; this package reads version 1"):
        load_array(tmp_path)


def test_a_record_of_another_version_is_refused(tmp_path):
    for name in registry.record_names("gc28"):
        text = registry.load_record("gc28", name).to_json()
        (tmp_path / f"{name}.json").write_text(text.replace('"schema_version": 2', '"schema_version": 3'))
    with pytest.raises(DataError, match="schema version 3; this package reads versions 1 and 2"):
        GainCell.from_records(tmp_path, "pulsed")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"q": (9, 8)}, r"q, k and v have shapes \(9, 8\), \(10, 8\) and \(10, 8\); they must have the same shape"),
        (
            {"q": 1.5, "outside": "refuse"},
            "q has values from 1.5 to 1.5, but a fraction of the longest pulse must be from 0 to 1",
        ),
        ({"q": float("nan")}, "q contains NaN"),
        ({"k": float("nan")}, "v_store contains NaN"),
        ({"decay_on": "both"}, "decay_on = 'both'; choose weight, output"),
        ({"decay_per_token": -1.0}, r"decay_per_token = -1\.0 must be a finite number of at least 0"),
        ({"window": 0}, "window = 0 must be a whole number of at least 1"),
        ({"form": "quintic"}, "no form 'quintic'; have cubic, dc, pulsed"),
        ({"head": "nothing"}, "no head 'nothing'; have attention"),
        (
            {"records": "nowhere"},
            "no records 'nowhere'; have gc28, gf180mcu, ihp-sg13g2, osfet, paper, sky130, or give a folder",
        ),
        ({"gradient": "none"}, "gradient = 'none'; choose true, surrogate"),
        ({"outside": "ignore"}, "outside = 'ignore'; choose clamp, refuse, extrapolate"),
        (
            {"k": 1.2, "outside": "refuse"},
            "v_store has values from 1.2 to 1.2, but ekv_charge was fitted from -0.01 to 0.91",
        ),
    ],
)
def test_bad_input_is_refused_in_words(change, says):
    given_ = dict(zip("qkv", tensors(10, 8), strict=True))
    for name in "qkv":
        if name in change:
            value = change.pop(name)
            shape, fill = (value, 0.5) if isinstance(value, tuple) else ((10, 8), value)
            given_[name] = torch.full(shape, fill, dtype=torch.float64)
    with pytest.raises((ParameterError, DataError), match=says):
        attention(**given_, **change)


def test_voltages_outside_are_clamped_and_said_once():
    cell = GainCell.from_records("gc28")
    v, t = torch.tensor([1.1, 0.2], dtype=torch.float64), torch.tensor(5e-9, dtype=torch.float64)
    with pytest.warns(
        UserWarning,
        match=r"v_store has values from 0.2 to 1.1, but .* values outside are clamped \(this warning is given once\)",
    ):
        first = cell(v, t)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(cell(v, t), first)
        torch.testing.assert_close(first, cell(v.clamp(0.0, 0.9), t))
    with pytest.raises(ParameterError, match="NaN"):
        cell(torch.tensor([float("nan")]), t)


def test_array_refuses_what_does_not_fit():
    array = GainCellArray(tensors(8, 3)[1])
    with pytest.raises(ParameterError, match=r"t_pulse has shape \(5, 7\); an array of 8 rows needs shape \(..., 8\)"):
        array(torch.zeros(5, 7, dtype=torch.float64))
    with pytest.raises(ParameterError, match=r"it must have shape \(..., rows, columns\)"):
        GainCellArray(torch.zeros(3))
    with pytest.raises(DataError, match="has no random model"):
        GainCellArray(tensors(8, 3)[1], form="dc").sample_mismatch()


def test_without_torch_the_message_says_what_to_install():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from gaincell_char.errors import GaincellError\n"
        "try:\n    import gaincell_char.torch\nexcept GaincellError as error:\n    print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'gaincell-char[torch]'" in found.stdout
