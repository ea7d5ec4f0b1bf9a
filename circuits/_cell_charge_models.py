"""Models of what a pulse moves in a gain cell: charge, the write, energy."""

from gaincell_char.declare.array_math import Array, polynomial
from gaincell_char.declare.model import Model

from ._cell_models import (
    V_REF,
    VDD,
    branch_coefficients,
    cubic,
    cubic_coefficients,
    polynomial_coefficients,
    powers,
    softplus_np,
)


def cubic_charge(v_store: Array, t_pulse: Array, *, c0: float, c1: float, c2: float, c3: float, v_ref: float) -> Array:
    """Charge [C] of one pulse, the published form: width times the cubic current."""
    return t_pulse * cubic(v_store, c0=c0, c1=c1, c2=c2, c3=c3, v_ref=v_ref)


def softplus_charge(
    v_store: Array,
    t_pulse: Array,
    *,
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
    """Charge [C] of one pulse: width times an effective current, plus the charge of the two edges."""
    i_eff = softplus_np(
        v_store,
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


def feed_through(v_dac: Array, *, f0: float, f1: float, f2: float, f3: float, v_ref: float) -> Array:
    """Stored voltage [V] after a write: the DAC level plus what the closing gate adds."""
    return v_dac + polynomial(v_dac - v_ref, (f0, f1, f2, f3))


def energy(
    v_store: Array,
    t_pulse: Array,
    *,
    p0: float,
    p1: float,
    p2: float,
    p3: float,
    p4: float,
    e0: float,
    e1: float,
    e2: float,
    v_ref: float,
) -> Array:
    """Energy [J] of one pulse: width times power, plus the energy of the two edges."""
    w = v_store - v_ref
    return t_pulse * polynomial(w, (p0, p1, p2, p3, p4)) + polynomial(w, (e0, e1, e2))


CUBIC_CHARGE = Model(
    name="cubic_charge",
    form="published",
    bench="pulse",
    function=cubic_charge,
    inputs=("v_store", "t_pulse"),
    output="q_bl",
    equation="q_bl = t_pulse (c0 + c1 w + c2 w^2 + c3 w^3), w = v_store - v_ref",
    coefficients=cubic_coefficients("A", 1e-5),
    linear=True,
)
SOFTPLUS_CHARGE = Model(
    name="softplus_charge",
    form="fitted",
    bench="pulse",
    function=softplus_charge,
    inputs=("v_store", "t_pulse"),
    output="q_bl",
    equation="q_bl = t_pulse I_eff(v_store) + Q0(v_store), I_eff as softplus, Q0 = sum a_i w^i",
    coefficients={
        **branch_coefficients("n", 5e-5),
        **branch_coefficients("p", 8e-5),
        **polynomial_coefficients("C", 1e-15, powers("a", 6)),
        "vdd": VDD,
        "v_ref": V_REF,
    },
)
PULSE = (CUBIC_CHARGE, SOFTPLUS_CHARGE)
FEED_THROUGH = Model(
    name="feed_through",
    form="fitted",
    bench="write",
    function=feed_through,
    inputs=("v_dac",),
    output="v_store",
    equation="v_store = v_dac + f0 + f1 w + f2 w^2 + f3 w^3, w = v_dac - v_ref",
    coefficients={**polynomial_coefficients("V", 1e-3, powers("f", 4)), "v_ref": V_REF},
    linear=True,
)


def _energy_model(name: str, output: str) -> Model:
    return Model(
        name=name,
        form="fitted",
        bench="energy",
        function=energy,
        inputs=("v_store", "t_pulse"),
        output=output,
        equation=f"{output} = t_pulse (p0 + ... + p4 w^4) + e0 + e1 w + e2 w^2, w = v_store - v_ref",
        coefficients={
            **polynomial_coefficients("W", 1e-6, powers("p", 5)),
            **polynomial_coefficients("J", 1e-15, powers("e", 3)),
            "v_ref": V_REF,
        },
        linear=True,
    )


ENERGY = (_energy_model("cell_energy", "e_cell"), _energy_model("driver_energy", "e_driver"))
