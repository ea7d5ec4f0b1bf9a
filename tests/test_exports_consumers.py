"""Exports to other simulators, run by those where they are installed, and always held against our own evaluation."""

import importlib.util
import io
import json
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from gaincell_char import registry
from gaincell_char.exporting import export, export_files
from gaincell_char.torch import load_exported

ROOT = Path(__file__).parents[1]
CELLS = [
    ("gain_cell.dc", "ekv"),
    ("gain_cell.dc", "cubic"),
    ("gain_cell.dc", "ekv_2d"),
    ("gain_cell.pulse_both", "ekv_charge"),
    ("gain_cell_switched.dc", "switched_2d"),
]
each_cell = pytest.mark.parametrize(("name", "model"), CELLS)


def load_file(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- GainCellAttention -------------------------------------------------------------------------------


def term_by_term(c, x, v_store, x_max, offset):
    """The published form as its authors loop over it, in float64."""
    total, index = 0.0, 0
    for i in range(4):
        for j in range(4 - i):
            total = total + x * (v_store - offset) ** i * x_max**j * c[index]
            index += 1
    return total


def circuit_of(records, model=None):
    record = registry.load_record(records, "gain_cell.dc")
    return json.loads(export_files(record, "gaincellattention", model=model)["gaincell_circuit.json"])


def test_the_ten_published_coefficients_come_back_from_the_four_that_they_determine():
    published = load_file(ROOT / "tools" / "paper_records.py", "paper_records")
    circuit = circuit_of("paper")
    np.testing.assert_allclose(circuit["c"], published.C, rtol=1e-7)
    assert [circuit[k] for k in ("x_max", "offset", "a", "decay_factor")] == pytest.approx([0.9, 0.45, 19.3, 1.6e-4])
    assert [circuit["saturation_qk"], circuit["saturation_av"]] == pytest.approx([80.0, 40.0])
    levels = [circuit[f"quantization_levels_{k}"] for k in ("input", "weights", "output")]
    assert levels == [16, 8, 32]


@pytest.mark.parametrize("records", ["paper", "gc28"])
def test_the_published_form_computes_our_cubic(records):
    circuit = circuit_of(records)
    v_store = np.linspace(0, 0.9, 401)
    current = term_by_term(circuit["c"], 1.0, v_store, circuit["x_max"], circuit["offset"]) * 1e-6
    expected = registry.load_model(registry.load_record(records, "gain_cell.dc"), "cubic")(v_store)
    np.testing.assert_allclose(current, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_a_polynomial_of_both_voltages_keeps_its_ten_coefficients():
    circuit = circuit_of("gc28", "cubic_2d")
    record = registry.load_record("gc28", "gain_cell.dc")
    c = [circuit["c"][i] * 1e-6 for i in range(10)]
    v_store, v_in = np.linspace(0, 0.9, 41), 0.7
    current = term_by_term(c, 1.0, v_store, v_in, circuit["offset"])
    np.testing.assert_allclose(current, registry.load_model(record, "cubic_2d")(v_store, v_in), rtol=1e-9, atol=1e-15)


def _their_attention(tokens):
    """What the published DRAMAttention has of what the loader sets."""

    def scaler():
        return types.SimpleNamespace(
            a=torch.nn.Parameter(torch.ones(1)), b=torch.nn.Parameter(torch.zeros(1)), range_a=None
        )

    return types.SimpleNamespace(
        att_score_scaler=scaler(),
        weight_average_scaler=scaler(),
        k_scaler=scaler(),
        v_scaler=scaler(),
        mask=torch.ones(tokens, tokens).tril(),
        decay=types.SimpleNamespace(decay_mask=torch.zeros(tokens, tokens)),
    )


def _decayed_scores(c, x, y, mask):
    """The published form, each order of the stored voltage decayed by a power of the mask."""
    orders = [i for i in range(4) for _ in range(4 - i)]
    total = 0.0
    for order in range(4):
        own = [value if k == order else 0 for k, value in zip(orders, c, strict=True)]
        currents = term_by_term(own, x[..., None], y[:, None], 0.9, 0.45)
        total = total + currents.sum(-2) * mask**order
    return total


@pytest.fixture
def published_circuit(tmp_path):
    """What the exported loader makes of the published record."""
    export(registry.load_record("paper", "gain_cell.dc"), "gaincellattention", tmp_path)
    loader = load_file(tmp_path / "gaincell_circuit.py", "gaincell_circuit")
    return loader.Circuit.load(tmp_path / "gaincell_circuit.json")


def test_the_loader_puts_the_circuit_into_an_attention_module(published_circuit):
    attention = _their_attention(tokens=6)
    published_circuit.install(attention)
    scalers = [attention.att_score_scaler, attention.weight_average_scaler]
    assert [s.a.item() for s in scalers] == pytest.approx([1 / 80, 1 / 40])
    assert [s.range_a for s in scalers] == [[1 / 80, 1 / 80], [1 / 40, 1 / 40]]
    assert [s.b.item() for s in (attention.k_scaler, attention.v_scaler)] == pytest.approx([0.45, 0.45])
    levels = [getattr(attention, f"quantization_levels_{k}") for k in ("input", "weights", "output")]
    assert levels == [16, 8, 32]
    assert attention.weights_clamping_bounds == pytest.approx([0.0, 0.9])
    age = torch.arange(6)[:, None] - torch.arange(6)[None]
    torch.testing.assert_close(attention.decay.decay_mask.tril(), torch.exp(-1.6e-4 * age).tril())


def test_the_products_of_an_attention_module_are_the_published_ones_and_their_gradient_is_linear(published_circuit):
    attention = _their_attention(tokens=6)
    published_circuit.install(attention)
    torch.manual_seed(0)
    x = torch.rand(2, 5, 3, dtype=torch.float64, requires_grad=True)
    y = (0.9 * torch.rand(2, 3, 4, dtype=torch.float64)).requires_grad_()
    mask = torch.rand(5, 4, dtype=torch.float64)
    scores = attention.similarity(x, y, mask)
    expected = _decayed_scores(published_circuit.c, x.detach().numpy(), y.detach().numpy(), mask.numpy())
    np.testing.assert_allclose(scores.detach(), expected, rtol=1e-12)
    scores.sum().backward()
    np.testing.assert_allclose(y.grad, 19.3 * (x.detach().transpose(-1, -2) @ mask.expand(2, 5, 4)), rtol=1e-12)
    before = attention.weight_average(x, y, torch.ones(5, 3, dtype=torch.float64))
    np.testing.assert_allclose(before.detach(), attention.similarity(x, y, torch.ones(5, 4)).detach(), rtol=1e-12)


# --- CrossSim ----------------------------------------------------------------------------------------


class _Empty:
    """What CrossSim's EmptyDevice holds of a device's parameters, for where CrossSim is not installed."""

    def __init__(self, device_params, weight_error_params):
        self.device_params, self.weight_error_params = device_params, weight_error_params
        self.Gmin_norm, self.Grange_norm = device_params.Gmin_norm, device_params.Grange_norm


@pytest.fixture
def crosssim(monkeypatch):
    """CrossSim itself, or NumPy and an empty base class under its names."""
    if importlib.util.find_spec("simulator") is None:
        modules = {
            "simulator": types.ModuleType("simulator"),
            "simulator.devices": types.ModuleType("simulator.devices"),
            "simulator.backend": types.SimpleNamespace(ComputeBackend=lambda: np),
            "simulator.devices.idevice": types.SimpleNamespace(EmptyDevice=_Empty),
        }
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)

    def made(device, *, spreads=False, style=None):
        core = {} if style is None else {"core": types.SimpleNamespace(style=types.SimpleNamespace(name=style))}
        parameters = types.SimpleNamespace(
            Gmin_norm=0.1,
            Gmax_norm=1.0,
            Grange_norm=0.9,
            clip_conductance=False,
            cell_bits=0,
            time=0,
            programming_error=types.SimpleNamespace(enable=spreads, model="GainCell"),
            root=types.SimpleNamespace(**core),
        )
        return device(parameters, types.SimpleNamespace(magnitude=0.0))

    return made


@each_cell
def test_the_crosssim_device_gives_our_nominal_curve(name, model, crosssim, tmp_path):
    record = registry.load_record("gc28", name)
    export(record, "crosssim", tmp_path, model=model)
    module = load_file(tmp_path / "gaincell_crosssim.py", "gaincell_crosssim")
    device, fit, own = crosssim(module.GainCell), record.fit(model), registry.load_model(record, model)
    rng = np.random.default_rng(0)
    states, drive = rng.uniform(0.1, 1.0, (5, 7)), rng.uniform(0.1, 1.0, 7)
    v_store = states - 0.1
    if fit.inputs == ("v_store",):
        expected = drive * own(v_store)
    else:
        least, most = fit.valid_range[fit.inputs[1]] if fit.unit == "A" else (0.0, fit.valid_range[fit.inputs[1]][1])
        expected = own(v_store, np.broadcast_to(least + (most - least) * drive, v_store.shape))
    expected = expected / module.DATA["full"]
    np.testing.assert_allclose(device.nonlinear_current(states, drive[None]), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(device.nonlinear_current_sum(states, drive), expected.sum(1), rtol=1e-6, atol=1e-9)
    batch = np.stack([drive, drive / 2], axis=1)
    assert device.nonlinear_current_sum(states, batch).shape == (5, 2)
    np.testing.assert_allclose(device.nonlinear_current_sum(states, batch)[:, 0], expected.sum(1), rtol=1e-6, atol=1e-9)


def test_the_crosssim_device_spreads_and_drifts_as_the_records_say(crosssim, tmp_path):
    record = registry.load_record("gc28", "gain_cell.dc_mismatch")
    export(record, "crosssim", tmp_path)
    module = load_file(tmp_path / "gaincell_crosssim.py", "gaincell_crosssim")
    device = crosssim(module.GainCell)
    states = np.full(40000, 0.1 + 0.9 * 0.8)
    current = device.nonlinear_current(device.programming_error(states), np.ones(1)) * module.DATA["full"]
    sigma = registry.load_random(record, record.spread.random[0].model).sigma(np.array([0.72]))[0]
    assert current.std() == pytest.approx(sigma, rel=0.03)
    tau = registry.load_record("gc28", "capacitor_decay.decay").fit("exponential").coefficients["tau"].value
    left = device.v_store(device.drift_error(states, tau)) - 0.45
    np.testing.assert_allclose(left, (0.72 - 0.45) * np.exp(-1), rtol=1e-9)
    np.testing.assert_array_equal(device.drift_error(states, 0.0).round(12), states.round(12))
    # A core whose time is not 0 asks for the drift alone and expects the spread in it (CrossSim 3.2, device.py).
    spreading = crosssim(module.GainCell, spreads=True)
    aged = spreading.nonlinear_current(spreading.drift_error(states, 1e-9), np.ones(1)) * module.DATA["full"]
    assert aged.std() == pytest.approx(sigma, rel=0.03)


def test_weights_are_written_to_the_crosssim_device_so_that_products_are_linear(crosssim, tmp_path):
    export(registry.load_record("gc28", "gain_cell.dc"), "crosssim", tmp_path)
    module = load_file(tmp_path / "gaincell_crosssim.py", "gaincell_crosssim")
    device = crosssim(module.GainCell, style="BALANCED")
    weights = np.linspace(-1, 1, 41)
    written = module.to_write(weights)
    cells = [0.1 + 0.9 * np.clip(sign * written, 0, None) for sign in (1, -1)]
    positive, negative = (device.nonlinear_current(states, np.ones(1)) for states in cells)
    np.testing.assert_allclose((positive - negative) / module.SCALE, weights, atol=2e-5)
    with pytest.raises(ValueError, match=r"core.style = BALANCED, divide by SCALE"):
        crosssim(module.GainCell, style="OFFSET")


# --- aihwkit -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # aihwkit's own
@each_cell
def test_aihwkit_computes_with_the_cells_curve(name, model, tmp_path):
    pytest.importorskip("aihwkit", reason="aihwkit is not installed: pip install --no-deps aihwkit")
    from aihwkit.nn import AnalogLinear

    record = registry.load_record("gc28", name)
    export(record, "aihwkit", tmp_path, model=model)
    module = load_file(tmp_path / "gaincell_aihwkit.py", "gaincell_aihwkit")
    fit, own = record.fit(model), registry.load_model(record, model)
    weights = torch.linspace(-1, 1, 12).reshape(3, 4)
    v_store = 0.45 + 0.45 * weights.double().numpy()
    expected = (
        own(v_store, *(np.full_like(v_store, fit.valid_range[i][1]) for i in fit.inputs[1:])) / module.DATA["full"]
    )
    np.testing.assert_allclose(module.curve(weights.double().numpy()), expected, rtol=1e-12, atol=1e-14)
    module.DATA["sigma"]["relative"] = [0.0] * len(module.DATA["sigma"]["at"])
    config = module.configuration("scores")
    assert config.forward.out_bound == pytest.approx(module.DATA["limit"]["scores"])
    config.forward.out_res = config.forward.inp_res = -1
    layer = AnalogLinear(4, 3, bias=False, rpu_config=config)
    layer.set_weights(weights)
    layer.eval()
    layer.program_analog_weights()
    np.testing.assert_allclose(layer(torch.eye(4)).detach().numpy().T, expected, atol=2e-6)
    layer.drift_analog_weights(module.DATA["tau"])
    v_aged = 0.45 + (v_store - 0.45) * np.exp(-1)
    aged = own(v_aged, *(np.full_like(v_store, fit.valid_range[i][1]) for i in fit.inputs[1:])) / module.DATA["full"]
    np.testing.assert_allclose(layer(torch.eye(4)).detach().numpy().T, aged, atol=1e-5)


# --- NeuroSim ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "table", "header"),
    [
        ("gain_cell.pulse_both", "mem_states", "states,mean,std"),
        ("gain_cell.dc_mismatch", "mem_states", "states,mean,std"),
        ("relu_c2p.transfer_both", "output_noise", "output,mean,std"),
        ("signed_c2p.transfer_both", "output_noise", "output,mean,std"),
    ],
)
def test_neurosim_tables_hold_level_mean_and_sigma(name, table, header):
    record = registry.load_record("gc28", name)
    text = export_files(record, "neurosim")[f"{table}.csv"]
    assert text.splitlines()[0] == header
    data = pd.read_csv(io.StringIO(text))
    levels = data.iloc[:, 0].to_numpy()
    np.testing.assert_array_equal(levels, np.arange(levels.size))
    assert (data["mean"] >= 0).all() or record.circuit == "signed_c2p"
    assert (data["std"] >= 0).all()
    random = registry.load_random(record, record.spread.random[0].model)
    if table == "mem_states":
        drive = [np.full(8, random.fit.valid_range[i][1]) for i in random.fit.inputs[1:]]
        own = registry.load_model(record, random.nominal.model)(np.linspace(0, 0.9, 8), *drive)
        over = 0.9 * (drive[0][0] if drive else 1.0)
        np.testing.assert_allclose(np.diff(data["mean"]), np.diff(own) / over, rtol=1e-9)
    else:
        step = 15e-9 / 15
        middle = data[data.output == 8]
        published = registry.load_record("gc28", f"{record.circuit}.transfer")
        gain = next(f for f in published.fits if f.form == "published").coefficients["gain"].value
        charge = np.array([8 * step / gain])
        assert middle["mean"].item() * step == pytest.approx(
            registry.load_model(record, random.nominal.model)(charge)[0]
        )
        draw = random.draw(1, 4000, seed=1) if set(random.fit.covariance) == {"mismatch"} else random.draw(4000, 1, 1)
        assert np.std(random(charge[0], **draw)) / step == pytest.approx(middle["std"].item(), rel=0.05)


# --- torch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gain_cell.dc", "gain_cell.pulse", "capacitor_decay.decay", "signed_c2p.transfer"])
def test_a_model_comes_back_from_safetensors_to_the_last_bit(name, tmp_path):
    record = registry.load_record("gc28", name)
    export(record, "torch", tmp_path)
    assert not list(tmp_path.glob("*.pt"))
    for fit in record.fits:
        loaded = load_exported(tmp_path, fit.model, **fit.conditions)
        inputs = [torch.linspace(*fit.valid_range[i], 101, dtype=torch.float64) for i in fit.inputs]
        own = registry.load_model(record, fit.model, **fit.conditions)
        assert loaded.model.fit == fit
        torch.testing.assert_close(loaded(*inputs), own(*inputs), rtol=0, atol=0)


def test_a_folder_that_holds_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"exported model .*model\.json cannot be read: No such file"):
        load_exported(tmp_path, "ekv")
