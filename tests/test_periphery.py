"""Resistances around an array: row drivers, wires and supply, in SPICE and in the software model."""

import warnings

import numpy as np
import pytest
import torch

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.declare.periphery import Periphery
from gaincell_char.errors import DataError, ParameterError
from gaincell_char.torch import GainCellArray, load_array, save_array
from gaincell_char.torch.bitline import Bitline
from gaincell_char.torch.surroundings import SaggingCell, Wires, _sag, wire_charge
from gaincell_char.validation.array_netlist import ArrayCircuit
from gaincell_char.validation.whole_array import WholeArrayCircuit


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers in every order of the tests."""
    torch.manual_seed(0)


RNG = np.random.default_rng(5)
V_STORE = RNG.integers(0, 8, (6, 6)) / 7 * 0.9
T_PULSE = RNG.integers(0, 16, 6) / 15 * 15e-9
NONE = Periphery(r_driver=0.0, r_wire=0.0, r_supply=0.0)
# As strong as 64 cells are with the defaults.
STRONG = Periphery(r_driver=160.0, r_wire=150.0, r_supply=5.0)
EACH = {
    "driver": Periphery(r_driver=300.0, r_wire=0.0, r_supply=0.0),
    "wires": Periphery(r_driver=0.0, r_wire=200.0, r_supply=0.0),
    "supply": Periphery(r_driver=0.0, r_wire=0.0, r_supply=30.0),
    "all": STRONG,
}


def in_spice(pool, periphery, v_store=V_STORE, t_pulse=T_PULSE):
    head = registry.load_head("attention")
    circuit = WholeArrayCircuit(head=head, operation=head.operations[0], periphery=periphery)
    deck = circuit.array(v_store, t_pulse, range(v_store.shape[1]))
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    assert not outcome.reason, outcome.reason
    return circuit.charges(outcome.vectors, v_store.shape[1])


def in_torch(periphery, **options):
    array = GainCellArray(torch.from_numpy(V_STORE), periphery=periphery, **options)
    return array(torch.from_numpy(T_PULSE)).numpy()


@pytest.fixture(scope="module")
def ideal(pool):
    return in_spice(pool, NONE)


def test_without_resistance_the_array_is_the_ideal_one(pool, ideal):
    head = registry.load_head("attention")
    circuit = ArrayCircuit(head=head, operation=head.operations[0])
    decks = [circuit.row(V_STORE[r], T_PULSE[r]) for r in range(6) if T_PULSE[r] > 0]
    rows = [circuit.charges(outcome.vectors, 6) for _, outcome in pool.map(decks, lambda d: d, count=len(decks))]
    np.testing.assert_allclose(ideal, np.sum(rows, axis=0), atol=3e-17)
    np.testing.assert_allclose(in_torch(NONE), in_torch(None), atol=1e-21)


@pytest.mark.parametrize("name", EACH)
def test_the_effect_of_every_resistance_is_that_of_spice(pool, ideal, name):
    change = in_spice(pool, EACH[name]) - ideal
    predicted = in_torch(EACH[name]) - in_torch(None)
    size = np.abs(change).max()
    assert size > 1e-15, "the effect is large enough to be tested"
    np.testing.assert_allclose(predicted, change, atol=0.05 * size)


def test_a_clamp_with_a_resistance_has_a_periphery_too(pool):
    head = registry.load_head("attention")
    held = {"clamp": "resistor", "r_clamp": 2000.0}
    circuit = WholeArrayCircuit(head=head, operation=head.operations[0], periphery=STRONG, **held)
    deck = circuit.array(V_STORE, T_PULSE, range(6))
    [(_, outcome)] = pool.map([deck], lambda d: d, count=1)
    bitline = Bitline(kind="resistor", r_clamp=2000.0, slices=32)
    np.testing.assert_allclose(in_torch(STRONG, bitline=bitline), circuit.charges(outcome.vectors, 6), atol=0.4e-15)


def test_the_sag_of_a_row_is_that_of_its_ladder():
    """Theory: the nodal equations of a ladder that is driven at one end."""
    current, r_driver, r_wire, n = torch.rand(7, dtype=torch.float64) * 1e-5, 50.0, 3.0, 7
    segments = np.array([r_driver + r_wire, *[r_wire] * (n - 1)])
    conductance = np.zeros((n, n))
    for i, ohms in enumerate(segments):
        conductance[i, i] += 1 / ohms
        if i:
            conductance[i - 1, i - 1] += 1 / ohms
            conductance[i, i - 1] -= 1 / ohms
            conductance[i - 1, i] -= 1 / ohms
    periphery = Periphery(r_driver=r_driver, r_wire=r_wire, r_supply=0.0)
    np.testing.assert_allclose(_sag(periphery, current), np.linalg.solve(conductance, current.numpy()), rtol=1e-12)


def test_the_charge_of_a_wire_is_the_integral_over_time():
    """Theory: sum of small time steps, in each of which a pulse is on or off."""
    rows, columns = 5, 3
    current, active, idle = (torch.rand(rows, columns, dtype=torch.float64) * s for s in (1e-5, 1e-6, 1e-7))
    t_pulse, dt = torch.tensor([[0.0, 3.0, 7.0, 7.0, 15.0]], dtype=torch.float64) * 1e-9, 0.5e-9
    total = torch.zeros(columns, dtype=torch.float64)
    for step in range(30):
        on = (t_pulse[0] > (step + 0.5) * dt).double()[:, None]
        flowing = on * current
        # Segment j of the wire, below row j, carries the current of the rows above it.
        drop = 2.0 * flowing.cumsum(0).flip(0).cumsum(0).flip(0)
        total -= dt * ((on * active + (1 - on) * idle) * drop).sum(0)
    found = wire_charge(
        Periphery(r_driver=0.0, r_wire=2.0, r_supply=0.0), Wires(active=active, idle=idle), current, t_pulse
    )
    np.testing.assert_allclose(found[0], total, rtol=1e-9)


def test_a_batch_of_arrays_and_queries_is_the_arrays_one_by_one():
    v_store = torch.rand(3, 6, 4, dtype=torch.float64) * 0.9
    t_pulse = torch.rand(3, 5, 6, dtype=torch.float64) * 15e-9
    together = GainCellArray(v_store, periphery=STRONG)(t_pulse)
    alone = torch.stack([GainCellArray(v, periphery=STRONG)(t) for v, t in zip(v_store, t_pulse, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-24)


def test_gradients_are_those_of_differences():
    v_store = torch.from_numpy(V_STORE).clamp(0.05, 0.85).requires_grad_()

    def charge(v):
        return 1e15 * GainCellArray(v, periphery=STRONG)(torch.from_numpy(T_PULSE))

    assert torch.autograd.gradcheck(charge, (v_store,), eps=1e-5, atol=1e-3, rtol=1e-3)


def test_an_array_with_a_periphery_survives_the_disk(tmp_path):
    array = GainCellArray(torch.from_numpy(V_STORE), periphery=STRONG)
    save_array(array, tmp_path / "array")
    again = load_array(tmp_path / "array")
    assert again.periphery == STRONG
    assert torch.equal(again(torch.from_numpy(T_PULSE)), array(torch.from_numpy(T_PULSE)))


def test_a_comparison_with_a_finite_periphery_agrees(pool):
    found = gc.compare(tokens=8, dim=8, columns=3, periphery=STRONG, write=True, seed=4, pool=pool)
    assert (found.rows["status"] == "ok").all()
    best = found.summary[found.summary["form"] == "pulsed"]
    assert (best["rms_percent"].dropna() < 0.3).all()


def test_rows_that_carry_no_current_have_no_sag():
    v_store, t_pulse = torch.from_numpy(V_STORE), torch.from_numpy(T_PULSE)
    wired, ideal = (GainCellArray(v_store, head="attention_switched", periphery=p)(t_pulse) for p in (STRONG, None))
    assert 0 < (wired - ideal).abs().max() < 0.05 * ideal.abs().max(), "that of the bitlines is left"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Periphery(r_driver=-1.0), "r_driver = -1.0 must be a number of ohms from 0 to 1e"),
        (lambda: Periphery(r_wire="2"), "r_wire = '2' must be a number of ohms"),
        (lambda: GainCellArray(torch.ones(2, 2), periphery=2.0), "periphery is of type float"),
        (lambda: GainCellArray(torch.ones(2, 2), periphery=STRONG, gradient="surrogate"), "no surrogate gradient"),
        (lambda: gc.compare(periphery=STRONG, clamp="passive"), "a finite periphery needs a clamp"),
        (lambda: gc.compare(periphery=STRONG, r_wire=2.0), "r_wire has no effect here: the periphery specifies"),
        (lambda: gc.compare(periphery=STRONG, mismatch=True), "periphery and mismatch cannot be combined"),
    ],
)
def test_what_has_no_periphery_is_refused(make, says):
    with pytest.raises(ParameterError, match=says):
        make()


def test_records_without_sagging_word_lines_are_refused():
    with pytest.raises(DataError, match="gain_cell"):
        GainCellArray(torch.ones(2, 2), records="paper", periphery=STRONG)


def test_a_sag_beyond_the_fits_is_said():
    weak = Periphery(r_driver=3000.0, r_wire=0.0, r_supply=0.0)
    cells, pulses = torch.full((2, 8), 0.9, dtype=torch.float64), torch.full((2,), 5e-9, dtype=torch.float64)
    with pytest.warns(UserWarning, match="the sag of a word line has values from 0.* was fitted from 0 to 0.06"):
        GainCellArray(cells, periphery=weak)(pulses)
    with pytest.raises(ParameterError, match="the sag of a word line has values"):
        GainCellArray(cells, periphery=weak, outside="refuse")(pulses)


def test_a_sag_is_never_negative():
    """The fitted current of a transistor that is off may be slightly negative, which is no reason for a warning."""
    levels = torch.linspace(0, 0.9, 19, dtype=torch.float64)
    sagging, none = SaggingCell.from_records("gc28", "attention", "clamp"), torch.zeros_like(levels)
    off = torch.stack([one(levels, none, none) for one in (sagging.supply, sagging.ground)]).min(0)
    assert off.values.min() < 0, "there is a level with a negative current"
    cells = torch.full((2, 3), float(levels[off.values.argmin()]), dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GainCellArray(cells, periphery=STRONG)(torch.full((2,), 5e-9, dtype=torch.float64))
