"""Noise of every gain cell: charge of one read, and stored voltage after a write.

The current of a cell has a white and a flicker part.  The charge of a pulse is its integral over the pulse, so its
variance is that of the mean current, times the square of the width; there is no second sample that would remove the
flicker noise, which is counted from ``f_low`` on.
"""

from collections.abc import Sequence
from dataclasses import replace

from gaincell_char.declare.array_math import Array, namespace, polynomial, softplus
from gaincell_char.declare.bench import Bench, Measure, Noise, Numbers, Output, Waveforms
from gaincell_char.declare.circuit import Circuit, NoiseFloor
from gaincell_char.declare.datasheet import Figure, Study
from gaincell_char.declare.model import Coefficient, CoefficientArray, Model, group, terms
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.spectra import averaged, integral, spectrum
from gaincell_char.declare.sweep_values import listed

from ._benches import T_MAX, stored
from ._models import V_REF, VDD

Side = Sequence[float]
_CURRENT, _STORED, _PLAUSIBLE = "v(current)", "v(st_w)", {"C": 1e-12, "V": 1.0}


def noise(cell: str) -> Bench:
    """Noise of the current of an active cell at a held ``v_store``, and of the storage node of a cell that is written.

    A resistor takes the place of the write gate: the noise of a capacitor is kT/C whatever settles it, and that of a
    transistor model without current is less exact than that.
    """
    return Bench(
        name="noise",
        doc="noise of the charge of one read, and of a write",
        stimulus=f"""
        vdd vdd 0 {{vdd}}
        vwlr wlr 0 {{v_in}}
        vwlrb wlrb 0 {{vdd-v_in}}
        vwbl wbl 0 {{v_wbl}}
        vst st 0 {{v_store}} ac 1
        vbl bl 0 {{v_bl}}
        hbl current 0 vbl 1e6
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        vidle idle 0 {{v_idle}}
        vidleb idleb 0 {{vdd-v_idle}}
        vw w 0 {{v_store}} ac 1
        rw w st_w 1meg
        xw bl idle idleb wbl 0 vdd st_w vdd 0 {cell}
        """,
        params=Params(
            v_store=number("vdd", "V", "stored voltage", low=-0.5, high=6.0),
            t_pulse=number(T_MAX, "s", "width of the input pulse", low=60e-12, high=1e-6),
            v_in=number("vdd", "V", "read word line wlr (wlrb is its complement)", low=0, high=6.0),
            v_bl=number("vdd/2", "V", "bitline", low=-0.5, high=6.0),
            f_low=number(1.0, "1/s", "frequency from which noise is counted", low=1e-6, high=1e9),
        ),
        sweep={"v_store": stored(10), "t_pulse": listed(0.25e-9, 2e-9, T_MAX)},
        analysis=Noise(nodes={_CURRENT: "vst", _STORED: "vw"}, start="f_low", stop=1e11, points=5),
        save=(),
        outputs=(
            _out("q_noise", "C", "rms noise of the charge of a pulse", _charge),
            _out("v_noise", "V", "rms noise of v_store after a write", _stored),
        ),
        options={"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9},
    )


def _out(name: str, unit: str, doc: str, measure: Measure) -> Output:
    return Output(name=name, unit=unit, doc=doc, measure=measure, plausible_max=_PLAUSIBLE[unit])


def _charge(w: Waveforms, p: Numbers) -> float:
    current = spectrum(w, _CURRENT) * 1e-12 * averaged(w["frequency"], p["t_pulse"])
    return float(p["t_pulse"] * integral(w["frequency"], current) ** 0.5)


def _stored(w: Waveforms, _: Numbers) -> float:
    return float(integral(w["frequency"], spectrum(w, _STORED)) ** 0.5)


def charge_noise(v_store: Array, t_pulse: Array, *, n: Side, p: Side, vdd: float, t_ref: float, f_low: float) -> Array:
    """Rms noise [C] of the charge of one pulse: a white and a flicker part of each read transistor.

    White noise is proportional to the overdrive u of the transistor, and flicker noise to its square, both with the
    mobility reduction 1/(1 + theta u).
    """
    (white_n, flicker_n), (white_p, flicker_p) = _side(v_store, n), _side(vdd - v_store, p)
    xp, x = namespace(v_store, t_pulse), t_pulse / t_ref
    slow = x * x * xp.log(1 / (3.141592653589793 * f_low * t_pulse))
    return xp.sqrt(x * (white_n + white_p) + slow * (flicker_n + flicker_p))


def _side(v: Array, side: Side) -> tuple[Array, Array]:
    """Variances [C^2] of a transistor in a pulse of the reference width: white, and flicker for each e of time."""
    white, flicker, vt, s, theta = side
    u = s * softplus((v - vt) / s)
    u = u / (1 + theta * u)
    return white * white * u, flicker * flicker * u * u


def write_noise(v_store: Array, *, c: Array, v_ref: float, kt: float) -> Array:
    """Rms noise [V] of the stored voltage after a write: that of the capacitance of the storage node."""
    return namespace(v_store).sqrt(kt / polynomial(v_store - v_ref, c))


def _transistor(side: str) -> CoefficientArray:
    who = f"{side} transistor"
    return group(
        f"_{side}",
        a=Coefficient(unit="C", doc=f"{who}: white noise at u = 1 V", start=2e-17, low=0.0),
        b=Coefficient(unit="C/V", doc=f"{who}: flicker noise by overdrive", start=1e-17, low=0.0),
        vt=Coefficient(unit="V", doc=f"{who}: threshold", start="0.4*vdd", low=-1.0, high=2.0),
        s=Coefficient(unit="V", doc=f"{who}: width of moderate inversion", start=0.06, low=0.005, high=1.0),
        theta=Coefficient(unit="1/V", doc=f"{who}: mobility reduction", start=0.5, low=-1.0, high=50.0),
    )


_C = terms("c", "F", 1e-15, 5)
_STORE = Coefficient(unit="F", doc="capacitance of the storage node at v_ref", start="c_store", low=1e-18)
MODELS = (
    Model(
        name="charge_noise",
        form="fitted",
        bench="noise",
        function=charge_noise,
        output="q_noise",
        equation="q_noise = sqrt(x (W_n + W_p) + x^2 log(1/(pi f_low t_pulse)) (F_n + F_p)), x = t_pulse/t_ref, "
        "W = a^2 u/(1 + theta u)/(1 V), F = b^2 (u/(1 + theta u))^2, u = s log(1 + exp((v - vt)/s)), "
        "v = v_store or vdd - v_store",
        arguments={
            "n": _transistor("n"),
            "p": _transistor("p"),
            "vdd": VDD,
            "t_ref": Coefficient(unit="s", doc="width at which a and b are stated", start=1e-9, fixed=True),
            "f_low": Coefficient(unit="1/s", doc="frequency from which noise is counted", start="f_low", fixed=True),
        },
    ),
    Model(
        name="write_noise",
        form="fitted",
        bench="noise",
        function=write_noise,
        output="v_noise",
        equation="v_noise = sqrt(kt/(c0 + c1 w + ... + c4 w^4)), w = v_store - v_ref",
        arguments={
            "c": CoefficientArray(parts={**_C.parts, "c0": _STORE}, shape=_C.shape),
            "v_ref": V_REF,
            # Boltzmann's constant in joules per kelvin: SI.
            "kt": Coefficient(unit="J", doc="k T", start="1.380649e-23*(temp+273.15)", fixed=True),
        },
        held_at={"t_pulse": T_MAX},
    ),
)
STUDY = Study(bench="noise")
FIGURES = tuple(
    Figure(study="noise", output=output, x="v_store", group_by=by, title=title, models=(model,), at=at)
    for output, by, title, model, at in (
        ("q_noise", "t_pulse", "Noise of the charge per pulse", "charge_noise", {}),
        ("v_noise", "", "Noise of the stored voltage after a write", "write_noise", {"t_pulse": T_MAX}),
    )
)
_OF_WRITE = NoiseFloor(study="noise", model="write_noise", inputs={"v_store": "v_dac"}, thermal=True)
_OF_CHARGE = NoiseFloor(study="noise", model="charge_noise", inputs={"v_store": "v_store", "t_pulse": "t_pulse"})
# The mean current of the longest pulse, at full input.
_OF_CURRENT = replace(_OF_CHARGE, inputs={"v_store": "v_store", "t_pulse": T_MAX}, per=T_MAX)


def with_noise(circuit: Circuit) -> Circuit:
    """A gain cell with the bench of its noise, its models, and the floors of the other benches."""
    return replace(
        circuit,
        benches=(*circuit.benches, noise(circuit.name)),
        models=(*circuit.models, *MODELS),
        studies=(*circuit.all_studies, STUDY),
        figures=(*circuit.all_figures, *FIGURES),
        noise_floors={"dc": _OF_CURRENT, "pulse": _OF_CHARGE, "write": _OF_WRITE},
    )
