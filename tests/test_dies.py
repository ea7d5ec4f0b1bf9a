"""Process of cells and converters on one die is drawn together, with the correlations of the technology."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.errors import DataError, ParameterError, TechnologyError
from gaincell_char.montecarlo import sampling
from gaincell_char.technology.correlations import correlation_matrix
from gaincell_char.technology.schema import parse_technology
from gaincell_char.torch import Decay, Dies, GainCellArray, ReLUC2P, SignedC2P

TECHNOLOGY = registry.load_technology()
PROCESS = list(TECHNOLOGY.process)
SIGMAS = np.array(list(TECHNOLOGY.process.values()))
# Independent standard normal numbers of three dies.
NUMBERS = np.random.default_rng(8).standard_normal((3, len(PROCESS)))


def dies(numbers=NUMBERS):
    return Dies(numbers={name: torch.from_numpy(numbers[:, i].copy()) for i, name in enumerate(PROCESS)})


def as_corners():
    """The technology whose corners are these dies."""
    values = NUMBERS @ TECHNOLOGY.mixing.T * SIGMAS
    corners = {f"d{i}": dict(zip(PROCESS, die.tolist(), strict=True)) for i, die in enumerate(values)}
    return TECHNOLOGY.model_copy(update={"corners": {"tt": {}, **corners}}), ["tt", *corners]


def in_spice(pool, circuit, bench, output, axes):
    technology, corners = as_corners()
    found = gc.sweep(circuit, bench, axes=axes, corners=corners, technology=technology, pool=pool)[output].squeeze()
    return found.transpose("corner", ...).to_numpy()


def test_cells_of_a_die_are_those_of_spice(pool):
    levels = [0.1, 0.3, 0.6, 0.8]
    charge = in_spice(pool, "gain_cell", "pulse", "q_bl", {"v_store": levels, "t_pulse": [10e-9]})
    array = GainCellArray(torch.tensor(levels, dtype=torch.float64).expand(3, 1, 4).clone())
    pulses = torch.full((3, 1, 1), 10e-9, dtype=torch.float64)
    typical = array(pulses)[:, 0]
    array.sample_mismatch(mismatch=False, dies=dies())
    found = (array(pulses)[:, 0] - typical).numpy()
    np.testing.assert_allclose(found, charge[1:] - charge[0], atol=0.06 * np.abs(charge[1:] - charge[0]).max())


@pytest.mark.parametrize(
    ("circuit", "output", "module", "charges", "share"),
    [
        ("relu_c2p", "t_pulse", ReLUC2P, [1e-13, 5e-13, 9e-13], 0.1),
        # Its 256 samples determine 15 products of process parameters beside a hundred devices.
        ("signed_c2p", "t_signed", SignedC2P, [-4e-13, -1e-13, 1e-13, 4e-13], 0.2),
    ],
)
def test_converters_of_the_same_die_are_those_of_spice(pool, circuit, output, module, charges, share):
    width = in_spice(pool, circuit, "transfer", output, {"q_in": charges})
    converter = module.from_records()
    given = torch.tensor(charges, dtype=torch.float64)
    typical = converter(given)
    converter.sample_mismatch((3, len(charges)), mismatch=False, dies=dies())
    found = (converter(given) - typical).detach().numpy()
    np.testing.assert_allclose(found, width[1:] - width[0], atol=share * np.abs(width[1:] - width[0]).max())


def test_leaks_of_a_die_are_shared():
    leaks = Decay.sample_leaks((3, 2, 2), mismatch=False, dies=dies())
    for factor in leaks.values():
        assert factor.shape == (3, 2, 2)
        assert torch.equal(factor, factor[:, :1, :1].expand(3, 2, 2))
        assert factor[:, 0, 0].unique().numel() == 3


def test_drawn_dies_have_the_covariance_of_the_record():
    drawn = Dies.sample((20000,), torch.Generator().manual_seed(1))
    fit = registry.load_random(registry.load_record("gc28", "gain_cell.pulse_both"), "random_charge").fit
    found = torch.cov(drawn.change(fit).T).numpy()
    expected = np.array(fit.covariance["process"])
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(found / scale, expected / scale, atol=0.03)


def test_a_seed_draws_the_same_dies():
    one, two = (Dies.sample((4,), torch.Generator().manual_seed(7)) for _ in range(2))
    assert all(torch.equal(one.numbers[name], two.numbers[name]) for name in PROCESS)


def test_process_parameters_are_correlated_and_the_rest_is_not():
    variables = tuple(
        sampling.Variable(name=name, group=sampling.PROCESS, sigma=sigma) for name, sigma in TECHNOLOGY.process.items()
    )
    draws = np.random.default_rng(3).standard_normal((50000, len(variables)))
    found = np.corrcoef(sampling._correlate(variables, TECHNOLOGY, draws).T)
    np.testing.assert_allclose(found, correlation_matrix(TECHNOLOGY.correlations, PROCESS), atol=0.02)


def test_wrong_dies_are_refused():
    array = GainCellArray(torch.full((2, 3, 4), 0.5))
    with pytest.raises(ParameterError, match=r"dies has shape \(3,\); the circuits are on dies of shape \(2,\)"):
        array.sample_mismatch(dies=dies())
    with pytest.raises(ParameterError, match="dies is of type float; it must be a Dies or None"):
        array.sample_mismatch(dies=1.0)
    few = Dies(numbers={"process_vth_n": torch.zeros(2)})
    with pytest.raises(DataError, match=r"random_charge depends on process_vth_n, .*; the dies have process_vth_n"):
        array.sample_mismatch(dies=few)
    with pytest.raises(ParameterError, match=r"shape is \(\); it must be"):
        ReLUC2P.from_records().sample_mismatch(())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("process_vth_n = { process_none = 0.5 }", "no process parameter process_none; .process. has process_c"),
        ("process_vth_n = { process_vth_n = 0.5 }", "process_vth_n with itself is always 1"),
        ("process_vth_n = { process_vth_p = 1.5 }", "process_vth_p: Input should be less than 1"),
        (
            "process_vth_n = { process_vth_p = 0.5 }\nprocess_vth_p = { process_vth_n = 0.5 }",
            "process_vth_n and process_vth_p are listed twice",
        ),
        (
            "process_vth_n = { process_vth_p = 0.9, process_mu_n = 0.9 }\nprocess_vth_p = { process_mu_n = -0.9 }",
            "contradict each other",
        ),
    ],
)
def test_wrong_correlations_are_refused(text, says):
    folder = Path(str(registry.files("gaincell_char.netlists"))) / "tech" / "gc28"
    toml = (folder / "technology.toml").read_text(encoding="utf-8")
    start, end = toml.index("[correlations]"), toml.index("# Pelgrom")
    with pytest.raises(TechnologyError, match=says):
        parse_technology(f"{toml[:start]}[correlations]\n{text}\n\n{toml[end:]}", lambda _: "", "made up")


def test_a_drawn_converter_can_be_pickled():
    converter = ReLUC2P.from_records()
    converter.sample_mismatch((2, 3), torch.Generator().manual_seed(1))
    charge = torch.full((2, 3), 4e-13, dtype=torch.float64)
    again = pickle.loads(pickle.dumps(converter))  # noqa: S301
    assert torch.equal(again(charge), converter(charge))
