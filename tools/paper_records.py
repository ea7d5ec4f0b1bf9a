"""Write fits/paper: the constants of the published software model, as records of gaincell.

    python tools/paper_records.py

Source: Leroux et al., Nat. Comput. Sci. 5, 813-824 (2025), Methods, and the code its authors published
(MIT licence).  Only published numbers are typed here; all others are computed.
"""

import argparse
from pathlib import Path

import numpy as np

from gaincell_char.fitting.fit import Estimate, Fit
from gaincell_char.fitting.record import Provenance, Record
from gaincell_char.registry import load_circuit

SOURCE = (
    "Leroux, Manea, Sudarshan, Finkbeiner, Siegel, Strachan, Neftci, Nat. Comput. Sci. 5, 813-824 (2025), "
    "doi 10.1038/s43588-025-00854-1, and the code published with it"
)
FITS = Path(__file__).parents[1] / "fits" / "paper"
VDD, T_MAX = 0.9, 15e-9
MICRO = 1e-6
# Ten coefficients C_ij [uA/V^(i+j)], i the power of v_store - 0.45 V, j that of v_in, i outer.
C = [
    0.17393044,
    0.15653739,
    0.14088365,
    0.12679529,
    5.51975209,
    4.96777688,
    4.4709992,
    -1.44776001,
    -1.30298401,
    46.05483778,
]
LINEAR_GAIN = 19.3  # uA/V, gain of the linear model and of the backward pass
S_SAT, A_SAT = 80.0, 40.0  # uA x T_max at which the first and the second converter saturate
LEVELS_OUTPUT = 32.0  # of the published software: steps of 2/31 from -1 to 1
DECAY_PER_TOKEN = 1.6e-4
TAU = 5e-3


def identifiable(c: list[float]) -> list[float]:
    """Collapse the ten coefficients at v_in = VDD, the only v_in at which they were fitted, to four [A/V^i]."""
    orders = [i for i in range(4) for _ in range(4 - i)]
    inputs = [j for i in range(4) for j in range(4 - i)]
    terms = np.array(c) * VDD ** np.array(inputs)
    return [MICRO * float(sum(t for t, o in zip(terms, orders, strict=True) if o == i)) for i in range(4)]


def published(
    circuit: str, model: str, values: dict[str, float], valid_range: dict[str, tuple[float, float]], **at: float | str
) -> Fit:
    """A fit with published coefficients, which were not fitted here."""
    declared = load_circuit(circuit).model(model)
    bench = load_circuit(circuit).bench(declared.bench)
    return Fit(
        model=model, form=declared.form, equation=declared.equation, inputs=declared.inputs, output=declared.output,
        unit=bench.output(declared.output).unit, conditions=at,
        coefficients={
            name: Estimate(value=values[name], stderr=None, unit=c.unit, doc=c.doc)
            for name, c in declared.coefficients.items()
        },
        covariance=[], valid_range=valid_range, full_range=_range(declared, values, valid_range),
        fitted=None, cross_validation=None, fresh=None,
    )  # fmt: skip


def _range(function, values, valid_range):  # type: ignore[no-untyped-def]
    grid = np.meshgrid(*(np.linspace(*span, 101) for span in valid_range.values()))
    return float(np.ptp(function(*grid, **values)))


def write(circuit: str, bench: str, parameters: dict[str, float | str], *fits: Fit) -> None:
    """Write one record."""
    record = Record(
        circuit=circuit, bench=bench, study=bench, technology="paper", parameters=parameters, fits=list(fits),
        provenance=Provenance(source=SOURCE),
    )  # fmt: skip
    FITS.mkdir(exist_ok=True)
    (FITS / f"{circuit}.{bench}.json").write_text(record.to_json(), encoding="utf-8")


def main() -> None:
    """Write every record."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    c0, c1, c2, c3 = identifiable(C)
    valid_range = {"v_store": (0.0, VDD)}
    cell = {"vdd": VDD, "v_in": VDD, "levels_store": 8.0, "levels_input": 16.0, "t_max": T_MAX}
    cubic = {"c0": c0, "c1": c1, "c2": c2, "c3": c3, "v_ref": VDD / 2}
    linear = {"c0": 0.0, "c1": MICRO * LINEAR_GAIN, "c2": 0.0, "c3": 0.0, "v_ref": VDD / 2}
    write(
        "gain_cell", "dc", cell,
        published("gain_cell", "cubic", cubic, valid_range, v_in=VDD),
        published("gain_cell", "cubic", linear, valid_range, v_in=VDD, variant="linear"),
    )  # fmt: skip
    write(
        "capacitor_decay", "decay", {"vdd": VDD, "decay_per_token": DECAY_PER_TOKEN},
        published("capacitor_decay", "exponential", {"tau": TAU, "v_ref": VDD / 2},
                  {"v_init": (0.0, VDD), "time": (0.0, 3 * TAU)}),
    )  # fmt: skip
    for circuit, model, sat, low, more in (
        ("relu_c2p", "hard_sigmoid", S_SAT, 0.0, {}),
        ("signed_c2p", "hard_tanh", A_SAT, -1.0, {"levels_output": LEVELS_OUTPUT}),
    ):
        full = MICRO * sat * T_MAX
        write(
            circuit, "transfer", {"vdd": VDD, "t_max": T_MAX, "q_sat": full, **more},
            published(circuit, model, {"gain": T_MAX / full, "t_max": T_MAX}, {"q_in": (low * full, full)}),
        )  # fmt: skip


if __name__ == "__main__":
    main()
