"""Backward elimination of the terms of laws over conditions, and the laws that it left in the declarations."""

import itertools
import math
import sys

import numpy as np
import pytest

from gaincell_char import registry
from gaincell_char.declare.law import Law, by_law
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.pvt import PvtModel, over_conditions
from gaincell_char.fitting.elimination import CONDITIONS, ROWS, eliminate, errors_with, linear_problem
from gaincell_char.fitting.points import Selection
from gaincell_char.fitting.solve import pose_problem

TEMPS, SUPPLIES, X = (-40.0, 27.0, 105.0, 125.0), (0.81, 0.9, 0.99), np.linspace(0, 1, 6)
WIDEST = {"gain": Law(temp=3, supply=2, cross=1), "offset": Law(temp=3, supply=2, cross=1)}


def _line(x, *, gain, offset):
    return gain * x + offset


def _nominal(*, linear):
    gain, offset = (Coefficient(unit="A", doc=name, start=start) for name, start in (("gain", 1.0), ("offset", 0.1)))
    arguments = {"gain": gain, "offset": offset}
    return Model(
        name="line", form="fitted", bench="b", function=_line, output="y", equation="y = gain x + offset",
        arguments=arguments, linear=linear,
    )  # fmt: skip


def _points(seed, output):
    temp, supply, x = (np.ravel(one) for one in np.meshgrid(TEMPS, SUPPLIES, X, indexing="ij"))
    noise = np.random.default_rng(seed).normal(scale=1e-3, size=x.size)
    inputs = {"x": x, "temp": temp, "vdd": supply}
    return Selection(inputs=inputs, output=output(x, temp - 27, supply - 0.9) + noise, conditions={"corner": "tt"})


def _problem(model, points, robust=0.0):
    problem = pose_problem(model, points, {})
    return problem, linear_problem(model, problem, problem.coefficients(problem.fit(robust)), robust)


def _left_out(model, points, widest):
    """Rms error at left-out points, by whole fits without them; where the points determine the widest model."""
    problem, linear = _problem(model, points)
    wide = _problem(widest, points)[1].jacobian
    found = {}
    for way in (CONDITIONS, ROWS):
        errors = []
        for block in linear.blocks:
            mask = block.mask
            if block.way == way and np.linalg.matrix_rank(wide[~mask], rtol=1e-10) == wide.shape[1]:
                part = problem.without(mask, {})
                values = part.coefficients(part.fit())
                inputs = points.part(mask).inputs.values()
                errors.append((model(*inputs, **values) - points.output[mask]) / points.full_range)
        found[way] = np.exp(np.mean([np.log(np.mean(error**2)) / 2 for error in errors]))
    return found


@pytest.mark.parametrize("seed", [0, 5, 6])
def test_terms_of_the_data_remain_and_others_go_and_the_errors_are_those_of_whole_fits(seed):
    model = over_conditions(_nominal(linear=True), WIDEST, supply="vdd")
    corners = [_points(seed, lambda x, dt, dv: (1 + 2e-3 * dt + 3 * dv) * x + 1e-5 * dt**2 * (1 + 0 * dv))]
    first, steps = eliminate([_problem(model, one)[1] for one in corners], WIDEST)
    left = {**WIDEST, **{step.coefficient: step.law for step in steps}}
    assert left["gain"].contains(Law(temp=1, supply=1))
    assert left["offset"].contains(Law(temp=2))
    assert len(steps) >= 4, "of the eight terms that fit nothing but noise"
    smaller = over_conditions(_nominal(linear=True), WIDEST, supply="vdd", needed={"line_pvt": left})
    assert first == pytest.approx(_left_out(model, corners[0], model), rel=1e-6)
    assert steps[-1].errors == pytest.approx(_left_out(smaller, corners[0], model), rel=1e-6)
    assert errors_with([_problem(model, one)[1] for one in corners], WIDEST, left) == pytest.approx(steps[-1].errors)
    errors = [math.prod(one.values()) for one in (first, *(step.errors for step in steps))]
    assert all(b <= 1.0001 * a for a, b in itertools.pairwise(errors)), "no step raises the error"


def test_every_corner_counts():
    """A term that one corner needs remains, although the other has none of it."""
    model = over_conditions(_nominal(linear=True), WIDEST, supply="vdd")
    without = _problem(model, _points(4, lambda x, dt, dv: x + 0 * dt * dv))[1]
    needs = _problem(model, _points(2, lambda x, dt, dv: (1 + 2 * dv) * x + 0 * dt))[1]
    _, alone = eliminate([without], WIDEST)
    _, both = eliminate([without, needs], WIDEST)
    assert {"gain": Law()}.items() <= {step.coefficient: step.law for step in alone}.items()
    assert {**WIDEST, **{step.coefficient: step.law for step in both}}["gain"].supply >= 1


@pytest.mark.parametrize(("size", "remains"), [(0.0, False), (0.3, True)])
def test_a_leakage_term_goes_as_a_whole(size, remains):
    law = {"gain": Law(leak=True)}
    model = over_conditions(_nominal(linear=False), law, supply="vdd")
    points = _points(3, lambda x, dt, dv: x + 0.1 + 0 * dv + size * np.exp(13 * (1 - 300.15 / (dt + 300.15))) * x / 10)
    values = {"gain": 1.0, "gain_a": 0.1 * size or 1e-4, "gain_av": 0.0, "gain_e": 13.0, "offset": 0.1, "vdd_0": 0.9}
    _, steps = eliminate([linear_problem(model, pose_problem(model, points, {"vdd": 0.9}), values, 0.0)], law)
    assert [step.law for step in steps] == ([] if remains else [Law()])


def test_a_product_needs_the_terms_of_both():
    assert set(Law(temp=1, supply=1, cross=1).simpler()) == {Law(temp=1, supply=1)}
    assert set(Law(temp=2, supply=2, cross=1).simpler()) == {
        Law(temp=2, supply=2), Law(temp=1, supply=2, cross=1), Law(temp=2, supply=1, cross=1),
    }  # fmt: skip
    assert set(Law(leak=True, relative=True).simpler()) == {Law(relative=True)}
    assert list(Law().simpler()) == []


def test_coefficients_are_grouped_by_their_law():
    assert by_law({Law(temp=1): "a b", Law(): "c"}) == {"a": Law(temp=1), "b": Law(temp=1), "c": Law()}


PVT = [
    pytest.param(model, id=f"{name}.{model.name}")
    for name in registry.circuit_names()
    for model in registry.load_circuit(name).models
    if isinstance(model, PvtModel)
]


@pytest.mark.parametrize("model", PVT)
def test_a_declared_law_has_no_term_that_was_not_tried(model):
    assert model.laws.keys() == model.widest.keys()
    assert [name for name, law in model.laws.items() if not model.widest[name].contains(law)] == []
    assert model.coefficients.keys() >= {f"{name}_{suffix}" for name, law in model.laws.items() for suffix in law.names}


def test_the_laws_that_remain_are_those_of_declared_models():
    for folder, circuits in (("gain_cell", ["gain_cell"]), ("converters", ["relu_c2p", "signed_c2p"])):
        models = {m.name for name in circuits for m in registry.load_circuit(name).models if isinstance(m, PvtModel)}
        [needed] = [module for name, module in sys.modules.items() if name.endswith(f"{folder}._needed")]
        assert needed.NEEDED.keys() == models
