"""Codes of the DAC in, pulses out: write, stored voltage over time, read and conversion as one chain."""

import numpy as np
import pytest
import torch

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.declare.bench import Tran
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.sweeping.run import simulate
from gaincell_char.torch import Decay, GainCellArray, ReLUC2P, Write, attention
from gaincell_char.validation import written

TENSOR = torch.rand(8, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
GENERATOR = torch.Generator().manual_seed(3)
Q_CODES = torch.randint(0, 16, (8, 4), generator=GENERATOR)
CODES = torch.randint(0, 8, (8, 4), generator=GENERATOR)


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_codes_are_levels_and_levels_are_moved_by_the_gate():
    write = Write.from_records()
    levels = write.voltage(torch.arange(8))
    assert levels.tolist() == pytest.approx(np.linspace(0, 0.9, 8).tolist())
    moved = write(torch.arange(8)) - levels
    assert torch.equal(write(levels), write(torch.arange(8)))
    assert 1e-3 < moved.abs().max() < 10e-3, "a few millivolts, some beyond the rails"
    low, high = write(levels)[[0, -1]].tolist()
    cell = gc.load_model(gc.load_record("gc28", "gain_cell.pulse"), "ekv_charge")
    assert cell.fit.valid_range["v_store"][0] <= low < 0
    assert 0.9 < high <= cell.fit.valid_range["v_store"][1]


def test_the_published_form_stores_the_levels_exactly():
    write = Write.from_records("paper")
    assert torch.equal(write(CODES), write.voltage(CODES))


def test_attention_takes_codes():
    write = Write.from_records()
    fractions = Q_CODES.double() / 15
    expected = attention(fractions, write(CODES), write(CODES))
    assert torch.equal(attention(Q_CODES, CODES, CODES), expected)
    levels = write.voltage(CODES)
    assert torch.equal(attention(fractions, levels, levels, from_dac=True), expected)
    stored = attention(fractions, levels, levels)
    assert not torch.allclose(stored, expected, atol=1e-4), "the feed-through is in it"


def test_quantised_levels_are_written_too():
    write = Write.from_records()
    near = (write.voltage(CODES) + 0.01 * (TENSOR - 0.5)).clamp(0.0, 0.9)
    expected = attention(TENSOR, CODES, CODES, quantize=True)
    assert torch.equal(attention(TENSOR, near, near, quantize=True, from_dac=True), expected)


def test_the_gradient_passes_the_write():
    v_dac = (0.9 * TENSOR).requires_grad_()
    attention(TENSOR, v_dac, v_dac, from_dac=True).sum().backward()
    assert v_dac.grad is not None
    assert v_dac.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "codes", "says"),
    [
        ("q", Q_CODES.clamp(1) + 1, "q has codes from 2 to 16; codes must be from 0 to 15"),
        ("k", CODES - 1, "k has codes from -1 to 6; codes must be from 0 to 7"),
        ("v", CODES + 8, "v has codes from 8 to 15; codes must be from 0 to 7"),
        ("q", Q_CODES > 3, "q is torch.bool; it must be float32"),
    ],
)
def test_wrong_codes_are_refused(name, codes, says):
    with pytest.raises(ParameterError, match=says):
        attention(**({"q": Q_CODES, "k": CODES, "v": CODES} | {name: codes}))


def test_a_chain_agrees_with_one_transient_of_everything(pool):
    """Cells written through their gates, kept, read into a converter: one flat deck, and the modules in a row."""
    codes, hold = torch.tensor([0, 7, 5, 2, 6, 7, 4, 7]), 2e-6
    t_pulse = torch.tensor([2.0, 15.0, 7.0, 11.0, 3.0, 9.0, 15.0, 12.0], dtype=torch.float64) * 1e-9
    measured, charge = one_transient(pool, codes, t_pulse, hold)
    array = GainCellArray(Write.from_records()(codes)[:, None])
    array.age(hold, Decay.from_records(schedule=None))
    assert float(array(t_pulse)[0]) == pytest.approx(charge, abs=0.3e-15)
    assert float(ReLUC2P.from_records()(array(t_pulse))[0]) == pytest.approx(measured, abs=7.5e-12)
    stored = GainCellArray(torch.linspace(0, 0.9, 8)[codes][:, None].double())
    assert abs(float(stored(t_pulse)[0]) - charge) > 1e-15, "without write and decay the charge is another"


def one_transient(pool, codes, t_pulse, hold):
    """Width of the output pulse [s] and charge [C] of a column of cells in one transient, from the write on."""
    netlist = registry.load_netlist("gain_cell") + registry.load_netlist("relu_c2p")
    given = {
        **registry.load_circuit("relu_c2p").params.resolve({}),
        **registry.load_circuit("gain_cell").params.resolve({}),
    }
    start = 12e-9 + hold
    t_on, t_conv = start + 6e-9, start + 22e-9
    lines = [
        "* codes in, pulses out",
        registry.load_technology().library("tt").text,
        netlist.text,
        "vdd vdd 0 0.9",
        "vpre vpre 0 0.45",
        "vwe we 0 pwl(0 0 1n 0 1.05n 0.9 11n 0.9 11.05n 0)",
        "vweb web 0 pwl(0 0.9 1n 0.9 1.05n 0 11n 0 11.05n 0.9)",
        f"vrst rst 0 pwl(0 0.9 {start + 5e-9!r} 0.9 {start + 5.05e-9!r} 0)",
        "erstb rstb 0 vdd rst 1",
        f"vaz az 0 pwl(0 0.9 {start + 4.8e-9!r} 0.9 {start + 4.85e-9!r} 0)",
        "eazb azb 0 vdd az 1",
        f"vconv conv 0 pwl(0 0 {t_conv!r} 0 {t_conv + 50e-12!r} 0.9 {t_conv + 15e-9!r} 0.9 {t_conv + 15.05e-9!r} 0)",
        "xbias vbp vbn vdd 0 bias",
        "xc bl out rst rstb az azb conv vbp vpre vdd 0 relu_c2p",
        "vclamp cbl 0 0.45",
        "fc bl 0 vclamp -1",
        "cbl bl 0 25f",
        "fq 0 q vclamp -1",
        "cq q 0 1p",
        "rq q 0 1e15",
    ]
    for i, (code, t) in enumerate(zip(codes.tolist(), t_pulse.tolist(), strict=True)):
        v_dac, edges = code * 0.9 / 7, [t_on, t_on + 50e-12, t_on + t, t_on + t + 50e-12]
        times = " ".join(f"{time!r} {{{level}}}" for time, level in zip(edges, ("a", "b", "b", "a"), strict=True))
        for node, a, b in (("wlr", 0.45, 0.9), ("wlrb", 0.45, 0.0)):
            lines.append(f"v{node}{i} {node}{i} 0 pwl(0 {a} {times.replace('{a}', str(a)).replace('{b}', str(b))})")
        lines.append(f"vwbl{i} wbl{i} 0 pwl(0 0.45 0.5n 0.45 0.55n {v_dac!r} 12n {v_dac!r} 12.05n 0.45)")
        lines.append(f"xcell{i} cbl wlr{i} wlrb{i} wbl{i} we web st{i} vdd 0 gain_cell")
    flavours = {name: value for name, value in given.items() if isinstance(value, str)}
    text = "\n".join(lines)
    for name, value in flavours.items():
        text = text.replace(f"{{{name}}}", value)
    process = dict.fromkeys(registry.load_technology().process, 0.0)
    waves = simulate(
        text,
        Tran(stop=t_conv + 16e-9, max_step=1e-9),
        ["v(out)", "v(q)"],
        params={**{k: v for k, v in given.items() if not isinstance(v, str)}, **process, "t_max": 15e-9},
        options={"gmin": 1e-18, "reltol": 1e-5, "abstol": 1e-12, "vntol": 1e-7, "chgtol": 1e-17, "trtol": 1},
        pool=pool,
    )
    above = waves["v(out)"] - 0.45
    (turns,) = np.nonzero(np.diff(above > 0))
    crossings = [
        np.interp(0.0, sorted(above[i : i + 2]), waves["time"][i : i + 2][:: 1 if above[i] < above[i + 1] else -1])
        for i in turns
    ]
    before, after = np.interp([t_on - 0.5e-9, t_conv], waves["time"], waves["v(q)"])
    return float(crossings[1] - crossings[0]), float(after - before) * 1e-12


def test_a_comparison_of_codes_agrees(pool):
    found = gc.compare(tokens=16, dim=16, columns=4, write=True, hold=1e-6, seed=2, pool=pool)
    best = found.summary[found.summary["form"] == "pulsed"]
    assert (found.rows["status"] == "ok").all()
    assert (best["rms_percent"].dropna() < 0.05).all()


def test_a_write_needs_a_model_at_the_condition():
    with pytest.raises(DataError, match=r"decay.*ss"):
        gc.compare(tokens=4, dim=4, write=True, hold=1e-6, corner="ss", operations=["scores"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hold": 1e-6}, "hold has no effect here: it needs a write"),
        ({"write": True, "hold": -1.0}, "hold = -1"),
        ({"write": True, "mismatch": True}, "write and mismatch cannot be combined"),
        ({"write": 1}, "write"),
    ],
)
def test_what_cannot_be_written_is_refused(options, says):
    with pytest.raises(ParameterError, match=says):
        gc.compare(tokens=4, dim=4, **options)


def test_quantised_attention_needs_no_model_of_the_write(tmp_path):
    for name in ("gain_cell.dc", "relu_c2p.transfer", "signed_c2p.transfer"):
        (tmp_path / f"{name}.json").write_text(registry.load_record("gc28", name).to_json())
    levels = Write.from_records("paper").voltage(CODES)
    assert attention(TENSOR, levels, levels, records=tmp_path, quantize=True).shape == TENSOR.shape
    with pytest.raises(DataError, match=r"gain_cell\.write"):
        attention(TENSOR, CODES, CODES, records=tmp_path)


def test_the_write_is_simulated_once(pool, monkeypatch):
    calls = []
    plain = written.simulate_storage
    monkeypatch.setattr(written, "simulate_storage", lambda *given: calls.append(1) or plain(*given))
    gc.compare(tokens=4, dim=4, columns=1, write=True, pool=pool)
    assert calls == [1]
