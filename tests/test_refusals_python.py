"""What Python code may hand over by mistake: refused in one sentence, before anything is simulated or computed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gaincell_char import registry
from gaincell_char.declare.bench import Op, Tran
from gaincell_char.errors import DataError, ParameterError, RequestError
from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.montecarlo.execute import run_campaign
from gaincell_char.montecarlo.results import collect, tabulate_draws
from gaincell_char.sweeping.run import characterize, simulate
from gaincell_char.torch import (
    Attention,
    Decay,
    GainCell,
    GainCellArray,
    ReLUC2P,
    SignedC2P,
    WriteSchedule,
    attention,
    load_array,
    load_exported,
    save_array,
)
from gaincell_char.torch.bitline import Bitline

NAN, INF = float("nan"), float("inf")
HUGE = 10**400
NET = "v1 a 0 1\nr1 a 0 1k"


def full(value, *shape, dtype=torch.float64):
    return torch.full(shape, value, dtype=dtype)


Q, K, V = full(0.5, 6, 4), full(0.3, 6, 4), full(0.6, 6, 4)
T = full(5e-9, 6)
NO_TENSORS = {
    "None": None, "a list": [0.5], "a number": 0.5, "an array of NumPy": np.full((6, 4), 0.5),
    "whole numbers": torch.ones(6, 4, dtype=torch.int64), "truth values": torch.ones(6, 4, dtype=torch.bool),
    "complex numbers": full(0.5 + 0.1j, 6, 4, dtype=torch.complex128),
    "eight bits": torch.full((6, 4), 0.5).to(torch.float8_e4m3fn),
}  # fmt: skip
NO_NUMBERS = {"None": None, "a list": [1], "a text": "nope", "true": True, "not a number": NAN, "a huge one": HUGE}


@pytest.fixture(scope="module")
def array():
    return GainCellArray(K)


@pytest.fixture(scope="module")
def campaign():
    return plan_campaign("gain_cell", "dc", vary="mismatch", sweep={"v_store": [0.5], "v_in": [0.45]})


@pytest.mark.parametrize("odd", NO_TENSORS.values(), ids=NO_TENSORS)
@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("q", lambda x: attention(x, K, V)),
        ("k", lambda x: attention(Q, x, V)),
        ("v", lambda x: attention(Q, K, x)),
        ("v_store", lambda x: GainCell.from_records("gc28")(x, T[:, None])),
        ("t_pulse", lambda x: GainCell.from_records("gc28")(K, x)),
        ("q_in", lambda x: ReLUC2P.from_records("gc28")(x)),
        ("v_store", lambda x: GainCellArray(x)),
        ("v_store", lambda x: GainCellArray(K).write(x)),
        ("t_pulse", lambda x: GainCellArray(K)(x)),
        ("r_lo", lambda x: GainCellArray(K).age(1e-4, Decay.from_records("gc28"), {"r_lo": x})),
    ],
)
def test_what_is_no_tensor_of_real_numbers_is_refused_by_name(name, use, odd):
    if name in ("q", "k", "v") and odd is NO_TENSORS["whole numbers"]:
        assert use(odd).shape == odd.shape, "these are codes"
        return
    with pytest.raises(ParameterError, match=rf"^{name} (is|has) .*; it must"):
        use(odd)


@pytest.mark.parametrize("odd", [NAN, INF, -INF])
@pytest.mark.parametrize(
    "use",
    [
        lambda x: GainCell.from_records("gc28", outside="extrapolate")(full(x, 3), full(1e-9, 3)),
        lambda x: GainCell.from_records("gc28", outside="extrapolate")(full(0.5, 3), full(x, 3)),
        lambda x: GainCell.from_records("gc28", "dc", outside="refuse")(full(0.5, 3), full(x, 3)),
        lambda x: ReLUC2P.from_records("gc28")(full(x, 3)),
        lambda x: SignedC2P.from_records("gc28")(full(x, 3)),
        lambda x: GainCellArray(full(x, 3, 2)),
        lambda x: GainCellArray(K).write(full(x, 6, 4)),
        lambda x: GainCellArray(K, outside="refuse")(full(x, 6)),
        lambda x: GainCellArray(K).age(full(x), Decay.from_records("gc28")),
        lambda x: GainCellArray(K).age(1e-4, Decay.from_records("gc28"), {"r_hi": full(x, 6, 4)}),
    ],
)
def test_numbers_that_are_not_finite_are_refused(use, odd):
    with pytest.raises(ParameterError, match=r"NaN|finite|inf"):
        use(odd)


@pytest.mark.parametrize("form", ["pulsed", "dc"])
def test_a_pulse_out_of_range_is_treated_as_outside_says(form):
    v, late = full(0.5, 1), full(1.0, 1)
    longest = full(15e-9, 1)
    with pytest.raises(ParameterError, match="t_pulse has values from 1 to 1, but"):
        GainCell.from_records("gc28", form, outside="refuse")(v, late)
    cell = GainCell.from_records("gc28", form)
    with pytest.warns(UserWarning, match="t_pulse has values from 1 to 1"):
        assert torch.equal(cell(v, late), cell(v, longest))
    free = GainCell.from_records("gc28", form, outside="extrapolate")
    assert free(v, late) > 1e6 * cell(v, longest)
    with pytest.raises(ParameterError, match="t_pulse has values from 1 to 1, but"):
        GainCellArray(K, outside="refuse")(full(1.0, 6))


def test_half_precision_gives_numbers_where_the_type_holds_them():
    q, k, v = (torch.linspace(0.1, 0.8, 240).reshape(30, 8).half() for _ in "qkv")
    wide = attention(q.float(), k.float(), v.float())
    found = attention(q, k, v)
    assert found.dtype == torch.float16
    assert torch.equal(found, wide.half())
    assert attention(q, k, v, return_intermediates=True)["output"].dtype == torch.float16


@pytest.mark.parametrize(
    "use",
    [
        lambda: GainCell.from_records("gc28")(K.half(), T[:, None].half()),
        lambda: ReLUC2P.from_records("gc28")(full(1e-12, 3).half()),
        lambda: GainCellArray(K.half()),
        lambda: GainCellArray(K).half()(T),
    ],
)
def test_half_precision_is_refused_where_it_cannot_hold_a_pulse_or_a_charge(use):
    with pytest.raises(ParameterError, match=r"is torch\.float16; it must be .*float32"):
        use()


@pytest.mark.parametrize("low", [torch.float16, torch.bfloat16])
def test_autocast_changes_nothing(low):
    q, k, v = (torch.linspace(0.1, 0.8, 240).reshape(30, 8) for _ in "qkv")
    array = GainCellArray(k)
    moving = GainCellArray(k, bitline=Bitline(kind="resistor"))
    t = torch.full((30,), 5e-9)
    calls = (lambda: attention(q, k, v), lambda: attention(q, k, v, decay_per_token=0.01), lambda: array(t),
             lambda: moving(t))  # fmt: skip
    alone = [call() for call in calls]
    with torch.autocast("cpu", low):
        assert all(torch.equal(call(), before) for call, before in zip(calls, alone, strict=True))


def test_a_converter_maps_over_a_batch_of_functions():
    relu, charge = ReLUC2P.from_records("gc28"), full(1e-13, 3)
    assert torch.equal(torch.func.vmap(relu)(charge), relu(charge))


@pytest.mark.slow
def test_autocast_compiles_in_one_graph():
    module = Attention()
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(Q, K, V), module(Q, K, V))


@pytest.mark.parametrize("rate", [5e-324, 1e-300, 1e-17, 1e-9])
def test_a_decay_too_small_to_matter_changes_nothing(rate):
    found = attention(Q, K, V, decay_per_token=rate)
    torch.testing.assert_close(found, attention(Q, K, V), rtol=0, atol=1e-6)


def test_a_window_and_an_array_longer_than_the_tokens_hide_nothing():
    assert torch.equal(attention(Q, K, V, window=10**30, array_length=10**30), attention(Q, K, V))


@pytest.mark.parametrize(
    ("says", "use"),
    [
        ("shape", lambda: attention(Q[:0], K[:0], V[:0])),
        ("float32", lambda: attention(Q, K.float(), V)),
        ("shape", lambda: attention(Q[0], K[0], V[0])),
        ("t_pulse", lambda: GainCellArray(K)(T.float())),
        ("t_pulse", lambda: GainCellArray(K)(full(1e-9))),
        ("t_pulse", lambda: GainCellArray(full(0.5, 3, 6, 4))(full(1e-9, 2, 1, 6))),
        ("t_pulse", lambda: GainCell.from_records("gc28")(K, full(1e-9, 5))),
        ("r_lo", lambda: GainCellArray(K).age(1e-4, Decay.from_records("gc28"), {"r_lo": full(1.0, 2, 6, 4)})),
        ("no leak x", lambda: GainCellArray(K).age(1e-4, Decay.from_records("gc28"), {"x": full(1.0, 6, 4)})),
        ("schedule", lambda: Decay.from_records("gc28", schedule="idle")),
        ("t_write", lambda: WriteSchedule(t_write=1e-6)),
        ("shape", lambda: Decay.sample_leaks((3,))),
        ("time", lambda: GainCellArray(K).age(full(1e-4, 2, 6, 4), Decay.from_records("gc28"))),
        ("decay", lambda: GainCellArray(K).age(1e-4, None)),
        ("q_swing", lambda: ReLUC2P.from_records("gc28")(T, 3e-13)),
        ("form", lambda: attention(Q, K, V, form=["dc"])),
        ("form", lambda: GainCell.from_records("gc28", ["dc"])),
    ],
)
def test_tensors_that_do_not_go_together_are_refused(says, use):
    with pytest.raises(ParameterError, match=says):
        use()


@pytest.mark.parametrize("odd", [*NO_NUMBERS.values(), -1.0])
@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("decay_per_token", lambda x: Attention(decay_per_token=x)),
        ("read_noise", lambda x: GainCellArray(K, read_noise=x)),
        ("r_clamp", lambda x: Bitline(kind="resistor", r_clamp=x)),
        ("c_bl", lambda x: Bitline(kind="passive", c_bl=x)),
        ("slices", lambda x: Bitline(slices=x)),
        ("time", lambda x: GainCellArray(K).age(x, Decay.from_records("gc28"))),
        ("t_token", lambda x: WriteSchedule(t_token=x)),
        ("tile", lambda x: WriteSchedule(tile=x)),
    ],
)
def test_odd_numbers_are_refused_by_name(name, use, odd):
    with pytest.raises(ParameterError, match=rf"^{name} = .* must be a (finite|whole) number"):
        use(odd)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("time", lambda: GainCellArray(K).age(INF, Decay.from_records("gc28"))),
        ("time", lambda: GainCellArray(K).age(full(-1.0), Decay.from_records("gc28"))),
        ("r_lo", lambda: GainCellArray(K).age(1e-4, Decay.from_records("gc28"), {"r_lo": full(-1.0, 6, 4)})),
        ("tile", lambda: WriteSchedule(tile=2000)),
        ("r_clamp", lambda: Bitline(kind="resistor", r_clamp=1e300)),
        ("slices", lambda: Bitline(slices=1.5)),
        ("slices", lambda: Bitline(slices=10**9)),
        ("read_noise", lambda: GainCellArray(K, read_noise=INF)),
        ("window", lambda: attention(Q, K, V, window=True)),
        ("window", lambda: attention(Q, K, V, window=1.0)),
        ("array_length", lambda: attention(Q, K, V, array_length="2")),
        ("window", lambda: attention(Q, K, V, window=-(10**5000))),
        ("quantize", lambda: attention(Q, K, V, quantize="nope")),
        ("quantize", lambda: attention(Q, K, V, quantize=1)),
        ("surrogate_gain", lambda: GainCell(GainCell.from_records("gc28").model, surrogate_gain=NAN)),
    ],
)
def test_options_of_the_modules_are_refused_by_name(name, use):
    attention(Q, K, V, window=1, quantize=True)
    with pytest.raises(ParameterError, match=rf"^{name}\b"):
        use()


@pytest.mark.parametrize("r_clamp", [0.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_clamp_that_is_accepted_gives_numbers(r_clamp, dtype):
    array = GainCellArray(K.to(dtype), bitline=Bitline(kind="resistor", r_clamp=r_clamp))
    assert array(T.to(dtype)).isfinite().all()


@pytest.mark.parametrize("use", [load_array, lambda x: load_exported(x, "ekv_charge")])
def test_a_zero_byte_in_the_name_of_a_folder_that_is_read(use):
    with pytest.raises(DataError, match=r"a\\x00b"):
        use("a\0b")


def test_a_zero_byte_in_the_name_of_a_folder_that_is_written(array):
    with pytest.raises(RequestError, match=r"a\\x00b"):
        save_array(array, "a\0b")


def test_a_link_to_itself_is_no_folder(tmp_path):
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(DataError, match="cannot be read"):
        load_array(tmp_path / "a")


def test_a_link_to_itself_in_a_folder(tmp_path, array):
    (tmp_path / "records").symlink_to("records")
    with pytest.raises(RequestError, match="records"):
        save_array(array, tmp_path)


def bench(**request):
    return registry.plan_bench("gain_cell", "dc", **request)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        *(("corners", {"corners": x}) for x in (None, 1, "tt", b"tt", [None], [["tt"]], [1])),
        *(("temps", {"temps": x}) for x in (None, 27.0, "27", b"x", [None], ["27"], [True], [NAN], [1j], [[27.0]])),
        *(("sweep", {"sweep": x}) for x in (1, "v_in", ["v_in"])),
        *(("v_in", {"sweep": {"v_in": x}}) for x in (None, 0.5, "0.5", [None], [True], [[0.5]], [1j])),
        *(("set_", {"set_": x}) for x in (1, "v_in", ["v_in"])),
        *(("v_in", {"set_": {"v_in": x}}) for x in (None, [0.5], True, 1j)),
        *(("options", {"options": x}) for x in (1, "reltol", ["reltol"])),
        *(("reltol", {"options": {"reltol": x}}) for x in (None, [1e-3], True)),
        *(("technology", {"technology": x}) for x in (None, 1, b"gc28", ["gc28"])),
    ],
)
def test_a_grid_of_the_wrong_kind_is_refused_by_name(name, request_):
    with pytest.raises(ParameterError, match=name):
        bench(**request_)
    with pytest.raises(ParameterError, match=name):
        plan_campaign("gain_cell", "dc", vary="mismatch", **request_)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        *(("seed", {"seed": x}) for x in (1.5, None, True, "1", [], -1, HUGE)),
        *(("block", {"block": x}) for x in (None, NAN, [], 1.5, 0, -5, True)),
        *(("sampler", {"sampler": x}) for x in (None, [], "nope")),
        *(("vary", {"vary": x}) for x in (None, [], "nope")),
        *(("steps", {"steps": x}) for x in (1, "fast", {})),
    ],
)
def test_a_campaign_of_the_wrong_kind_is_refused_by_name(name, request_):
    with pytest.raises(ParameterError, match=name):
        plan_campaign("gain_cell", "dc", **{"vary": "mismatch", **request_})


@pytest.mark.parametrize("n", [*NO_NUMBERS.values(), 1.5, 0, -1, 10**12])
def test_a_number_of_samples_that_makes_no_sense(campaign, tmp_path, n):
    for use in (lambda: run_campaign(campaign, n, tmp_path), lambda: collect(campaign, tmp_path, n),
                lambda: tabulate_draws(campaign, n)):  # fmt: skip
        with pytest.raises(ParameterError, match=r"^n = "):
            use()


@pytest.mark.parametrize("part", [(), {}, None, 1, "12", (1,), (1, 2, 3), (1.5, 2), (True, True), (0, 1), (3, 2)])
def test_a_part_that_makes_no_sense(campaign, tmp_path, part):
    with pytest.raises(RequestError, match=r"^(part|shard)\b"):
        run_campaign(campaign, 2, tmp_path, part=part)


@pytest.mark.parametrize("timeout_s", [NAN, "60", 0.0, True])
def test_a_timeout_that_makes_no_sense(campaign, tmp_path, timeout_s):
    with pytest.raises(ParameterError, match="timeout"):
        run_campaign(campaign, 2, tmp_path, timeout_s=timeout_s)
    with pytest.raises(ParameterError, match="timeout"):
        simulate(NET, Op(), ["v(a)"], timeout_s=timeout_s)


@pytest.mark.parametrize("folder", [None, 3, b"x", ["x"]])
def test_a_folder_that_is_no_path(campaign, folder):
    with pytest.raises(ParameterError, match=r"^folder"):
        run_campaign(campaign, 2, folder)
    with pytest.raises(ParameterError, match=r"^folder"):
        collect(campaign, folder, 2)


@pytest.mark.ngspice
def test_a_folder_may_be_a_text(campaign, tmp_path, pool):
    assert run_campaign(campaign, 2, f"{tmp_path}/a", pool=pool).n == 2
    assert len(collect(campaign, f"{tmp_path}/a", np.int64(2))) == 2


@pytest.mark.parametrize("only", [1, "00", [()], [(0,)], [(0, 0, 0, 99)], [(0, 0, 0, -1)], [(0, 0, 0, 0.5)], [None]])
def test_points_that_are_not_in_the_grid(only):
    with pytest.raises(ParameterError, match=r"^only"):
        characterize(bench(sweep={"v_store": [0.5], "v_in": [0.45]}), only=only)


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        *(("analysis", {"analysis": x}) for x in (None, "op", 1, Op)),
        *(("stop", {"analysis": Tran(stop=x, max_step=1e-9)}) for x in (None, "1n", NAN, 0.0, -1.0)),
        ("max_step", {"analysis": Tran(stop=1e-6, max_step=NAN)}),
        ("start_step", {"analysis": Tran(stop=1e-6, max_step=1e-9, start_step=-1.0)}),
        *(("save", {"save": x}) for x in (None, 1, "v(a)", [None])),
        *(("params", {"params": x}) for x in (1, ["a"], {"a": None}, {"a": True}, {"a": NAN})),
        *(("options", {"options": x}) for x in (1, ["gmin"], {"gmin": None})),
        *(("temp", {"temp": x}) for x in (None, "27", True, NAN, -500.0)),
    ],
)
def test_a_simulation_of_the_wrong_kind_is_refused_by_name(name, request_):
    with pytest.raises(ParameterError, match=name):
        simulate(NET, **{"analysis": Op(), "save": ["v(a)"], **request_})


@pytest.mark.parametrize("timeout_s", [1.0, NAN, "60"])
def test_a_pool_has_its_own_timeout(campaign, tmp_path, timeout_s):
    pool = SimpleNamespace(timeout_s=60.0)
    with pytest.raises(ParameterError, match="timeout"):
        simulate(NET, Op(), ["v(a)"], pool=pool, timeout_s=timeout_s)
    with pytest.raises(ParameterError, match="timeout"):
        run_campaign(campaign, 2, tmp_path, pool=pool, timeout_s=timeout_s)
    with pytest.raises(ParameterError, match="pool is of type SimpleNamespace; it must be a Pool or an executor"):
        run_campaign(campaign, 2, tmp_path, pool=pool)
