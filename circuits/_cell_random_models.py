"""Random models of gain cells: gain and shift of each branch."""

from gaincell_char.declare.array_math import Array, polynomial
from gaincell_char.declare.model import Coefficient, RandomModel

from ._cell_models import branch


def random_np(
    v_store: Array,
    *,
    gain_n: float,
    shift_n: float,
    gain_p: float,
    shift_p: float,
    k_n: float,
    vt_n: float,
    s_n: float,
    theta_n: float,
    q_n: float,
    k_p: float,
    vt_p: float,
    s_p: float,
    theta_p: float,
    q_p: float,
    vdd: float,
) -> Array:
    """Bitline current [A] of one cell: each branch of `softplus_np` with a gain and a shift of its own."""
    n = branch(v_store - shift_n, k_n, vt_n, s_n, theta_n, q_n)
    return (1 + gain_n) * n - (1 + gain_p) * branch(vdd - v_store - shift_p, k_p, vt_p, s_p, theta_p, q_p)


def random_charge(
    v_store: Array,
    t_pulse: Array,
    *,
    gain_n: float,
    shift_n: float,
    gain_p: float,
    shift_p: float,
    k_n: float,
    vt_n: float,
    s_n: float,
    theta_n: float,
    q_n: float,
    k_p: float,
    vt_p: float,
    s_p: float,
    theta_p: float,
    q_p: float,
    a0: float,
    a1: float,
    a2: float,
    a3: float,
    a4: float,
    a5: float,
    vdd: float,
    v_ref: float,
) -> Array:
    """Charge [C] of one pulse into one cell: its own effective current, the edges of the typical one."""
    i_eff = random_np(
        v_store,
        gain_n=gain_n,
        shift_n=shift_n,
        gain_p=gain_p,
        shift_p=shift_p,
        k_n=k_n,
        vt_n=vt_n,
        s_n=s_n,
        theta_n=theta_n,
        q_n=q_n,
        k_p=k_p,
        vt_p=vt_p,
        s_p=s_p,
        theta_p=theta_p,
        q_p=q_p,
        vdd=vdd,
    )
    return t_pulse * i_eff + polynomial(v_store - v_ref, (a0, a1, a2, a3, a4, a5))


def _random(side: str, sign: str) -> dict[str, Coefficient]:
    who = f"{side} branch, which carries {sign} current"
    return {
        f"gain_{side}": Coefficient(unit="1", doc=f"{who}: relative change of current", start=0.0, scale=1e-3),
        f"shift_{side}": Coefficient(unit="V", doc=f"{who}: shift of its threshold", start=0.0, scale=1e-4),
    }


_RANDOM = {**_random("n", "positive"), **_random("p", "negative")}
RANDOM_CELL = RandomModel(
    name="random_cell",
    nominal="softplus",
    function=random_np,
    inputs=("v_store",),
    output="i_bl",
    equation="i_bl = (1 + gain_n) N(v_store - shift_n) - (1 + gain_p) P(vdd - v_store - shift_p), N and P of softplus",
    random=_RANDOM,
)
RANDOM_CHARGE = RandomModel(
    name="random_charge",
    nominal="softplus_charge",
    function=random_charge,
    inputs=("v_store", "t_pulse"),
    output="q_bl",
    equation="q_bl = t_pulse I_eff + Q0(v_store), I_eff as random_cell, Q0 of softplus_charge",
    random=_RANDOM,
)
