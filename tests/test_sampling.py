"""What is drawn: the same for the same seed, whatever is asked for and in whatever order; normal; of the right size."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gaincell_char import registry
from gaincell_char.errors import ParameterError
from gaincell_char.montecarlo import campaign, sampling
from gaincell_char.montecarlo.sampling import SAMPLERS, VARY, make_sampler


@pytest.mark.parametrize("kind", SAMPLERS)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**40), start=st.integers(0, 90), count=st.integers(1, 40), dimension=st.integers(1, 13))
def test_a_sample_does_not_depend_on_what_else_is_drawn(kind, seed, start, count, dimension):
    sampler = make_sampler(kind, seed, 32)
    whole = sampler.draw(0, 130, dimension)
    assert (sampler.draw(start, start + count, dimension) == whole[start : start + count]).all()
    assert (make_sampler(kind, seed, 32).draw(0, 130, dimension) == whole).all()
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("kind", SAMPLERS)
def test_draws_are_standard_normal_and_independent(kind):
    draws = make_sampler(kind, 5, 2048).draw(0, 2048, 6)
    assert (make_sampler(kind, 6, 2048).draw(0, 2048, 6) != draws).all()
    for column in draws.T:
        assert scipy.stats.kstest(column, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(draws.T) - np.eye(6)).max() < 0.08


def test_sobol_points_fill_space_better_than_chance():
    def error(kind):
        return np.mean([abs(make_sampler(kind, seed, 512).draw(0, 512, 8).mean()) for seed in range(20)])

    assert error("sobol") < error("random") / 5
    assert error("lhs") < error("random") / 5


def test_a_latin_hypercube_hits_every_stratum_once_in_each_block():
    draws = scipy.stats.norm.cdf(make_sampler("lhs", 1, 50).draw(0, 100, 3))
    for block in (draws[:50], draws[50:]):
        for column in block.T:
            assert sorted(np.floor(column * 50).astype(int)) == list(range(50))


@pytest.mark.parametrize(
    ("kind", "seed", "says"),
    [("sobel", 1, "no sampler 'sobel'; have sobol, lhs, random"), ("lhs", -1, "seed = -1 must be a whole number")],
)
def test_a_sampler_that_is_none_is_refused(kind, seed, says):
    with pytest.raises(ParameterError, match=says):
        make_sampler(kind, seed, 8)


@pytest.mark.parametrize("vary", VARY)
def test_process_is_the_dies_and_mismatch_the_devices(circuit, vary):
    for bench in circuit.benches:
        planned = campaign.plan_campaign(circuit.name, bench.name, vary=vary)
        process = [v.name for v in planned.variables if v.group == sampling.PROCESS]
        own = [v for v in planned.variables if v.group != sampling.PROCESS]
        technology = planned.plan.technology
        assert process == (list(technology.process) if vary != "mismatch" else [])
        assert bool(own) == (vary != "process")
        for variable in own:
            device = next(d for d in planned._devices[0] if d.path == variable.group)
            kind = variable.name.split(".")[-1]
            area = {
                "dvth": technology.mismatch.a_vt,
                "dmu": technology.mismatch.a_beta,
                "dcap": technology.mismatch.a_c,
            }
            size = device.values["c"] if kind == "dcap" else device.values["w"] * device.values["l"]
            assert variable.sigma == pytest.approx(area[kind] / math.sqrt(size))


def test_a_larger_device_matches_better():
    small, large = (
        campaign.plan_campaign("gain_cell", "dc", vary="mismatch", set_={"w_n": w, "v_store": 0.9})
        for w in (1e-7, 4e-7)
    )
    sigmas = [next(v.sigma for v in c.variables if v.name == "xcell.xn.dvth") for c in (small, large)]
    assert sigmas[0] == pytest.approx(2 * sigmas[1])


def test_a_swept_size_changes_the_mismatch_with_it():
    planned = campaign.plan_campaign(
        "gain_cell", "dc", vary="mismatch", set_={"v_store": 0.9}, sweep={"w_n": [1e-7, 4e-7]}
    )
    draws = planned.draws(4)
    shifts = []
    for point in (0, 1):
        targets, values = planned.rows(point, draws)
        shifts.append(values[:, targets.index("@m.xcell.xn.m1[delvto]")])
    assert shifts[0] == pytest.approx(2 * shifts[1])


def test_a_die_shifts_all_its_devices_alike():
    planned = campaign.plan_campaign("relu_c2p", "transfer", vary="process")
    targets, values = planned.rows(0, planned.draws(3))
    n_shift = [values[:, i] for i, t in enumerate(targets) if "[delvto]" in t and ".xn" in t]
    assert len(n_shift) > 5
    assert all((shift == n_shift[0]).all() for shift in n_shift)
    assert n_shift[0] == pytest.approx(planned.draws(3)[:, 0] * 0.015)


def test_dies_around_a_corner_are_refused():
    with pytest.raises(
        ParameterError, match="corner ff fixes the process; use process variation at tt, or --vary mismatch"
    ):
        campaign.plan_campaign("gain_cell", "dc", vary="both", corners=["ff"])
    planned = campaign.plan_campaign("gain_cell", "dc", vary="mismatch", corners=["ff"], set_={"v_store": 0.9})
    targets, values = planned.rows(0, planned.draws(64))
    corner = registry.load_technology().corner("ff")["process_vth_n"]
    assert values[:, targets.index("@m.xcell.xn.m1[delvto]")].mean() == pytest.approx(corner, abs=0.003)
