"""Behavioural models of gain cells: current, charge, write, energy, and the cell on a bitline that moves.

A read transistor is five numbers: current factor k [A/V^2], threshold vt [V], slope factor n, mobility reduction theta
[1/V] and its third order r [1/V^3].  Over both inputs it is six: second order q [1/V^2] instead of the third, and
channel-length modulation lam [1/V].
"""

from collections.abc import Sequence
from dataclasses import replace

from gaincell_char.declare.array_math import Array, polynomial, softplus
from gaincell_char.declare.model import Change, Coefficient, CoefficientArray, Model, RandomModel, group, terms

Branch = Sequence[float]


def overdrives(v_g: Array, v_s: Array, v_d: Array, vt: float, n: float, ut: float) -> tuple[Array, Array]:
    """Overdrives [V] of source and drain, u_x = 2 ut log(1 + exp((vp - v_x)/(2 ut))), pinch-off vp = (v_g - vt)/n.

    The current of an EKV transistor is n k/2 (u_s^2 - u_d^2), terminals referred to its body; Enz, Krummenacher and
    Vittoz, Analog Integr. Circuits Signal Process. 8, 83 (1995).
    """
    vp = (v_g - vt) / n
    return 2 * ut * softplus((vp - v_s) / (2 * ut)), 2 * ut * softplus((vp - v_d) / (2 * ut))


def read_current(v_g: Array, v_d: Array, transistor: Branch, ut: float) -> Array:
    """Drain current [A] of a read transistor, source at its body: n k/2 (u_s^2 - u_d^2)/(1 + theta u_s + r u_s^3)."""
    k, vt, n, theta, r = transistor
    u_s, u_d = overdrives(v_g, 0.0, v_d, vt, n, ut)
    return n * k / 2 * (u_s * u_s - u_d * u_d) / (1 + u_s * (theta + r * u_s * u_s))


def cubic(v_store: Array, *, c: Sequence[float], v_ref: float) -> Array:
    """Bitline current [A], the published cubic: Leroux et al. 2025, Methods, eq. 4, at constant ``v_in``."""
    return polynomial(v_store - v_ref, c)


def ekv_np(v_store: Array, *, n: Branch, p: Branch, at: Sequence[float]) -> Array:
    """Bitline current [A] at full drive: n transistor at ``v_store`` less p transistor at ``vdd - v_store``."""
    vdd, v_bl, ut = at
    return read_current(v_store, v_bl, n, ut) - read_current(vdd - v_store, vdd - v_bl, p, ut)


def bivariate_cubic(v_store: Array, v_in: Array, *, c: Sequence[float], v_ref: float) -> Array:
    """Bitline current [A], the published form over both inputs: all terms up to third order.

    Leroux et al. 2025, Methods, eq. 4; the coefficients are in its order, c00, c01, ..., c30.
    """
    w = v_store - v_ref
    third = c[9] * w * w * w
    return polynomial(v_in, c[:4]) + w * polynomial(v_in, c[4:7]) + w * w * polynomial(v_in, c[7:9]) + third


def rail_current(v_g: Array, v_s: Array, v_d: Array, transistor: Branch, ut: float) -> Array:
    """Drain current [A]: n k/2 (u_s^2 - u_d^2) (1 + lam v_ds)/(1 + theta u_s + q u_s^2), u_x of `overdrives`."""
    k, vt, n, theta, q, lam = transistor
    u_s, u_d = overdrives(v_g, v_s, v_d, vt, n, ut)
    current = n * k / 2 * (u_s * u_s - u_d * u_d) * (1 + lam * (v_d - v_s))
    return current / (1 + theta * u_s + q * u_s * u_s)


def ekv_rails(v_store: Array, v_in: Array, *, n: Branch, p: Branch, at: Sequence[float]) -> Array:
    """Bitline current [A] with the word lines as sources: n from ``vdd - v_in``, p from ``v_in``."""
    vdd, v_bl, ut = at
    sunk = rail_current(v_store, vdd - v_in, v_bl, n, ut)
    return sunk - rail_current(vdd - v_store, vdd - v_in, vdd - v_bl, p, ut)


def cubic_charge(v_store: Array, t_pulse: Array, *, c: Sequence[float], v_ref: float) -> Array:
    """Charge [C] of one pulse, the published form: width times the cubic current."""
    return t_pulse * cubic(v_store, c=c, v_ref=v_ref)


def ekv_charge(v_store: Array, t_pulse: Array, *, n: Branch, p: Branch, a: Branch, at: Branch, v_ref: float) -> Array:
    """Charge [C] of one pulse: width times an effective current, plus the charge of the two edges."""
    return t_pulse * ekv_np(v_store, n=n, p=p, at=at) + polynomial(v_store - v_ref, a)


def feed_through(v_dac: Array, *, f: Sequence[float], v_ref: float) -> Array:
    """Stored voltage [V] after a write: the DAC level plus the feed-through of the closing gate."""
    return v_dac + polynomial(v_dac - v_ref, f)


def energy(v_store: Array, t_pulse: Array, *, p: Sequence[float], e: Sequence[float], v_ref: float) -> Array:
    """Energy [J] of one pulse: width times power, plus the energy of the two edges."""
    w = v_store - v_ref
    return t_pulse * polynomial(w, p) + polynomial(w, e)


def bitline_series(v_store: Array, dv_bl: Array, *, a: Sequence[Sequence[float]], v_ref: float) -> Array:
    """Current [A] or charge [C] of one cell: a power series in the bitline's move, each term one in v_store."""
    return polynomial(dv_bl, [polynomial(v_store - v_ref, row) for row in a])


V_REF = Coefficient(unit="V", doc="middle of the stored voltages", start="vdd/2", fixed=True)
VDD = Coefficient(unit="V", doc="supply", start="vdd", fixed=True)
V_BL = Coefficient(unit="V", doc="bitline", start="vdd/2", fixed=True)
# k/q in volts per kelvin times the absolute temperature: CODATA 2018.
UT = Coefficient(unit="V", doc="thermal voltage", start="8.617333e-5*(temp+273.15)", fixed=True)
FULL_DRIVE = {"v_in": "vdd", "v_bl": "vdd/2"}


def _transistor(side: str, k: float, **more: Coefficient) -> CoefficientArray:
    """Coefficients of one transistor: ``k`` is where the optimiser begins, ``more`` belongs to the current."""
    who = f"{side} transistor"
    return group(
        f"_{side}",
        k=Coefficient(unit="A/V^2", doc=f"{who}: current factor", start=k, low=0.0),
        vt=Coefficient(unit="V", doc=f"{who}: threshold", start="0.4*vdd", low=-1.0, high=2.0),
        n=Coefficient(unit="1", doc=f"{who}: slope factor", start=1.1, low=0.5, high=6.0),
        theta=Coefficient(unit="1/V", doc=f"{who}: mobility reduction", start=0.3, low=-3.0, high=30.0),
        **{name: replace(one, doc=f"{who}: {one.doc}") for name, one in more.items()},
    )


_R = Coefficient(unit="1/V^3", doc="third-order mobility reduction", start=0.1, low=-10.0, high=50.0)
_Q = Coefficient(unit="1/V^2", doc="second-order mobility reduction", start=0.1, low=-2.0, high=20.0)
_LAM = Coefficient(unit="1/V", doc="channel-length modulation", start=0.2, low=-2.0, high=5.0)
_K = {"n": 6e-5, "p": 1e-4}
READ = {side: _transistor(side, k, r=_R) for side, k in _K.items()}
_RAILS = {side: _transistor(side, k, q=_Q, lam=_LAM) for side, k in _K.items()}
AT_BITLINE = {"at": CoefficientArray(parts={"vdd": VDD, "v_bl": V_BL, "ut": UT}, shape=(3,))}
CUBIC = Model(
    name="cubic",
    form="published",
    bench="dc",
    function=cubic,
    output="i_bl",
    equation="i_bl = c0 + c1 w + c2 w^2 + c3 w^3, w = v_store - v_ref",
    arguments={"c": terms("c", "A", 1e-5, 4), "v_ref": V_REF},
    held_at=FULL_DRIVE,
    linear=True,
)
EKV = Model(
    name="ekv",
    form="fitted",
    bench="dc",
    function=ekv_np,
    output="i_bl",
    equation="i_bl = N(v_store, v_bl) - P(vdd - v_store, vdd - v_bl), N(v, v_d) = n k/2 (u(0)^2 - u(v_d)^2)"
    "/(1 + theta u(0) + r u(0)^3), u(x) = 2 ut log(1 + exp(((v - vt)/n - x)/(2 ut)))",
    arguments={**READ, **AT_BITLINE},
    held_at=FULL_DRIVE,
)
CUBIC_2D = Model(
    name="cubic_2d",
    form="published",
    bench="dc",
    function=bivariate_cubic,
    output="i_bl",
    equation="i_bl = sum_ij c_ij w^i v_in^j, i + j <= 3, w = v_store - v_ref",
    arguments={"c": terms("c", "A", 1e-5, [(i, j) for i in range(4) for j in range(4 - i)]), "v_ref": V_REF},
    held_at={"v_bl": "vdd/2"},
    linear=True,
)
EKV_2D = Model(
    name="ekv_2d",
    form="fitted",
    bench="dc",
    function=ekv_rails,
    output="i_bl",
    equation="i_bl = N - P, EKV transistors with the word lines as sources",
    arguments={**_RAILS, **AT_BITLINE},
    held_at={"v_bl": "vdd/2"},
)
CUBIC_CHARGE = Model(
    name="cubic_charge",
    form="published",
    bench="pulse",
    function=cubic_charge,
    output="q_bl",
    equation="q_bl = t_pulse (c0 + c1 w + c2 w^2 + c3 w^3), w = v_store - v_ref",
    arguments={"c": terms("c", "A", 1e-5, 4), "v_ref": V_REF},
    linear=True,
)
EKV_CHARGE = Model(
    name="ekv_charge",
    form="fitted",
    bench="pulse",
    function=ekv_charge,
    output="q_bl",
    equation="q_bl = t_pulse I_eff(v_store) + Q0(v_store), I_eff as ekv, Q0 = sum a_i w^i",
    arguments={**READ, "a": terms("a", "C", 1e-15, 6), **AT_BITLINE, "v_ref": V_REF},
)
FEED_THROUGH = Model(
    name="feed_through",
    form="fitted",
    bench="write",
    function=feed_through,
    output="v_store",
    equation="v_store = v_dac + f0 + f1 w + f2 w^2 + f3 w^3, w = v_dac - v_ref",
    arguments={"f": terms("f", "V", 1e-3, 4), "v_ref": V_REF},
    linear=True,
)


def _energy_model(name: str, output: str) -> Model:
    return Model(
        name=name,
        form="fitted",
        bench="energy",
        function=energy,
        output=output,
        equation=f"{output} = t_pulse (p0 + ... + p4 w^4) + e0 + e1 w + e2 w^2, w = v_store - v_ref",
        arguments={"p": terms("p", "W", 1e-6, 5), "e": terms("e", "J", 1e-15, 3), "v_ref": V_REF},
        linear=True,
    )


def _series(name: str, output: str, unit: str, scale: float, shape: tuple[int, int]) -> Model:
    moves, powers = shape
    return Model(
        name=name,
        form="fitted",
        bench="bitline",
        function=bitline_series,
        output=output,
        equation=f"{output} = sum_mk a_mk w^k dv_bl^m, m <= {moves - 1}, k <= {powers - 1}, w = v_store - v_ref",
        arguments={"a": terms("a", unit, scale, shape=shape), "v_ref": V_REF},
        linear=True,
    )


SHARED = (
    CUBIC_CHARGE,
    EKV_CHARGE,
    FEED_THROUGH,
    _energy_model("cell_energy", "e_cell"),
    _energy_model("driver_energy", "e_driver"),
    _series("active_series", "i_on", "A", 1e-5, (4, 9)),
    _series("idle_series", "i_off", "A", 1e-6, (4, 9)),
    _series("edge_series", "q_edge", "C", 1e-15, (3, 6)),
    _series("move_series", "q_move", "C", 1e-15, (3, 6)),
)
"""Models that every gain cell has, whatever drives its word lines."""


def _random(side: str, sign: str) -> dict[str, Change]:
    who = f"{side} transistor, which carries {sign} current"
    gain = Change(of=f"k_{side}", unit="1", doc=f"{who}: relative change of current", scale=1e-3, relative=True)
    return {f"gain_{side}": gain, f"shift_{side}": Change(of=f"vt_{side}", unit="V", doc=f"{who}: shift", scale=1e-4)}


_RANDOM = {**_random("n", "positive"), **_random("p", "negative")}
RANDOM_CELL = RandomModel(name="random_cell", nominal=EKV, random=_RANDOM)
RANDOM_CHARGE = RandomModel(name="random_charge", nominal=EKV_CHARGE, random=_RANDOM)
