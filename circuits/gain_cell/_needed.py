"""Laws over conditions without the terms that no error needs; written by tools/needed_coefficients.py."""

from gaincell_char.declare.law import Law, by_law

NEEDED = {
    "ekv_2d_pvt": by_law(
        {
            Law(temp=2, supply=1, relative=True): "k_n k_p",
            Law(temp=2, supply=1): "vt_n vt_p",
            Law(): "n_n q_n n_p q_p",
            Law(temp=1): "theta_n lam_n theta_p lam_p",
        }
    ),
    "softplus_charge_pvt": by_law(
        {
            Law(temp=2, supply=2, relative=True): "k_n",
            Law(temp=2, supply=2, cross=1): "vt_n vt_p",
            Law(proportional=True): "s_n s_p",
            Law(temp=2, supply=1, cross=1): "theta_n q_n theta_p",
            Law(temp=1, supply=2, cross=1, relative=True): "k_p",
            Law(temp=2, supply=1): "q_p",
            Law(temp=1): "a0 a4",
            Law(temp=1, supply=1): "a1 a2 a3",
        }
    ),
    "feed_through_pvt": by_law(
        {
            Law(): "f0 f2",
            Law(temp=1, supply=1): "f1 f3",
        }
    ),
    "cell_energy_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1): "p0 p2",
            Law(temp=2, supply=1, cross=1): "p1",
            Law(temp=1, supply=1, cross=1): "p3",
            Law(temp=3, supply=2, cross=1): "p4",
            Law(supply=1): "e0",
            Law(supply=2): "e1",
            Law(): "e2",
        }
    ),
    "driver_energy_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1): "p0 p1 p2 e0 e1",
            Law(temp=1, supply=1, cross=1): "p3 e2",
            Law(temp=3, supply=1, cross=1): "p4",
        }
    ),
    "active_series_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1): "a00 a01 a03 a24",
            Law(temp=3, supply=1, cross=1): "a02",
            Law(temp=2, supply=2): "a04 a06 a21 a23",
            Law(temp=3, supply=2, cross=1): "a05",
            Law(temp=2, supply=1, cross=1): "a07 a13 a15 a16 a18 a22",
            Law(temp=1, supply=2): "a08 a25",
            Law(temp=1, supply=1): "a10 a11",
            Law(temp=2): "a12 a26 a32 a36",
            Law(temp=3, supply=1): "a14",
            Law(temp=2, supply=1): "a17 a34",
            Law(temp=1): "a20 a28 a31 a38",
            Law(temp=3, supply=2): "a27",
            Law(): "a30 a37",
            Law(temp=3): "a33 a35",
        }
    ),
    "idle_series_pvt": by_law(
        {
            Law(): "a00 a03",
            Law(temp=1): "a01",
            Law(temp=2): "a02 a12 a38",
            Law(temp=2, supply=1, cross=1): "a04 a06 a08 a11 a17 a18 a22 a27 a37",
            Law(temp=2, supply=1): "a05 a36",
            Law(temp=1, supply=1): "a07",
            Law(temp=3): "a10",
            Law(temp=2, supply=2, cross=1): "a13 a25 a26 a28 a33 a35",
            Law(temp=3, supply=1, cross=1): "a14 a20 a21 a24 a31",
            Law(temp=3, supply=2, cross=1): "a15 a23",
            Law(temp=3, supply=2): "a16",
            Law(temp=3, supply=1): "a30 a32",
            Law(temp=1, supply=1, cross=1): "a34",
        }
    ),
    "edge_series_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1): "a00 a01",
            Law(temp=2, supply=1, cross=1): "a02 a04 a05 a21 a23",
            Law(temp=3, supply=2, cross=1): "a03",
            Law(temp=3, supply=1, cross=1): "a10 a11 a12 a13",
            Law(temp=1): "a14 a15",
            Law(temp=1, supply=2, cross=1): "a20",
            Law(temp=2, supply=2): "a22",
            Law(supply=2): "a24",
            Law(temp=2): "a25",
        }
    ),
    "move_series_pvt": by_law(
        {
            Law(): "a00 a01",
            Law(temp=2, supply=1, cross=1): "a02 a03 a05 a10 a12 a14 a15 a20 a22 a25",
            Law(temp=2): "a04",
            Law(temp=2, supply=2): "a11",
            Law(temp=2, supply=2, cross=1): "a13 a21 a23",
            Law(temp=1, supply=1, cross=1): "a24",
        }
    ),
    "i_wlr_series_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1): "a00 a02 a05 a32 a34",
            Law(temp=1, supply=2, cross=1): "a01 a07 a10 a38",
            Law(temp=3, supply=2, cross=1): "a03 a20",
            Law(temp=2, supply=1, cross=1): "a04 a06 a12 a13 a16 a35",
            Law(temp=2): "a08 a27 a41",
            Law(temp=1, supply=1, cross=1): "a11 a18 a24 a36",
            Law(temp=1, supply=2): "a14 a26",
            Law(temp=1, supply=1): "a15 a17 a21 a23 a30 a31",
            Law(supply=2): "a22",
            Law(): "a25 a28 a37 a45 a48",
            Law(temp=1): "a33 a44 a46",
            Law(temp=3): "a40 a42",
            Law(temp=2, supply=1): "a43",
            Law(supply=1): "a47",
        }
    ),
    "i_wlrb_series_pvt": by_law(
        {
            Law(temp=1, supply=2, cross=1): "a00 a20 a26 a45",
            Law(temp=2, supply=1, cross=1): "a01 a08",
            Law(temp=2, supply=2, cross=1): "a02 a05 a06 a07 a21 a22 a25 a47",
            Law(temp=3, supply=2, cross=1): "a03 a04 a23 a24",
            Law(temp=2, supply=1): "a10 a12 a14 a40 a41 a42 a44 a46 a48",
            Law(): "a11 a13 a15 a17 a18 a30 a31 a32 a33 a34 a35 a36 a37 a38",
            Law(supply=1): "a16",
            Law(temp=1, supply=1): "a27",
            Law(temp=1, supply=1, cross=1): "a28",
            Law(temp=2, supply=2): "a43",
        }
    ),
}
