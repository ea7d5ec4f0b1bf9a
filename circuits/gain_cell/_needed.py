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
    "ekv_charge_pvt": by_law(
        {
            Law(temp=1, supply=1, cross=1, relative=True): "k_n",
            Law(temp=2, supply=2, cross=1): "vt_n vt_p",
            Law(temp=2, supply=1, cross=1): "n_n theta_p r_p",
            Law(temp=2, supply=1): "theta_n r_n",
            Law(temp=2, supply=2, cross=1, relative=True): "k_p",
            Law(temp=1, supply=1, cross=1): "n_p",
            Law(supply=1): "a0",
            Law(temp=1, supply=1): "a1 a3",
            Law(temp=1): "a2 a4",
        }
    ),
    "feed_through_pvt": by_law(
        {
            Law(temp=2): "f0",
            Law(temp=1, supply=2, cross=1): "f1",
            Law(temp=3): "f2",
            Law(temp=3, supply=2, cross=1): "f3",
        }
    ),
    "cell_energy_pvt": by_law(
        {
            Law(temp=1, supply=2, cross=1): "p0 p2",
            Law(temp=2, supply=2, cross=1): "p1 p4",
            Law(temp=1, supply=1, cross=1): "p3",
            Law(supply=1): "e0",
            Law(): "e1 e2",
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
            Law(temp=2, supply=2, cross=1): "a00 a01 a04 a05 a06 a27",
            Law(temp=3, supply=2, cross=1): "a02 a03",
            Law(temp=2, supply=1, cross=1): "a07 a08 a15 a16 a17 a24 a25 a26 a38",
            Law(temp=1, supply=1): "a10 a11",
            Law(temp=3): "a12 a32",
            Law(temp=2, supply=1): "a13 a14",
            Law(temp=1, supply=1, cross=1): "a18 a28 a33 a35 a37",
            Law(): "a20 a30 a31",
            Law(supply=2): "a21",
            Law(temp=2): "a22",
            Law(temp=2, supply=2): "a23",
            Law(temp=3, supply=1, cross=1): "a34 a36",
        }
    ),
    "idle_series_pvt": by_law(
        {
            Law(): "a00 a01",
            Law(temp=2): "a02 a04 a12 a20 a34",
            Law(temp=1): "a03",
            Law(temp=2, supply=1): "a05 a22",
            Law(temp=2, supply=1, cross=1): "a06 a08 a17 a26 a27 a31 a36 a37 a38",
            Law(temp=1, supply=1): "a07",
            Law(temp=3): "a10 a30",
            Law(temp=3, supply=1, cross=1): "a11 a16 a32",
            Law(temp=2, supply=2, cross=1): "a13 a18 a23 a28 a33 a35",
            Law(temp=3, supply=1): "a14",
            Law(temp=3, supply=2, cross=1): "a15 a21 a24 a25",
        }
    ),
    "edge_series_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1): "a00 a02 a04 a05",
            Law(temp=2, supply=1, cross=1): "a01 a11 a22 a25",
            Law(temp=3, supply=2, cross=1): "a03",
            Law(temp=3, supply=1, cross=1): "a10 a12 a13",
            Law(temp=2): "a14",
            Law(temp=1): "a15",
            Law(): "a20",
            Law(temp=2, supply=1): "a21 a23",
            Law(temp=1, supply=1): "a24",
        }
    ),
    "move_series_pvt": by_law(
        {
            Law(): "a00",
            Law(temp=1, supply=1, cross=1): "a01 a24",
            Law(temp=2): "a02 a21",
            Law(temp=2, supply=1, cross=1): "a03 a04 a05 a10 a12 a14 a15 a22 a23 a25",
            Law(temp=2, supply=2): "a11",
            Law(temp=2, supply=2, cross=1): "a13",
            Law(temp=2, supply=1): "a20",
        }
    ),
    "i_wlr_series_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1): "a00 a01 a02 a14 a16 a35",
            Law(temp=1, supply=2, cross=1): "a03 a07 a12 a20 a24 a26 a30 a31 a44",
            Law(temp=3, supply=2, cross=1): "a04 a05",
            Law(temp=2, supply=1, cross=1): "a06 a08 a11 a13 a18 a32",
            Law(temp=1, supply=1, cross=1): "a10 a15 a17 a21 a23 a25 a33 a37 a42",
            Law(supply=1): "a22 a41 a43 a47",
            Law(temp=1): "a27 a36",
            Law(temp=1, supply=2): "a28 a38 a46",
            Law(temp=3, supply=1, cross=1): "a34",
            Law(supply=2): "a40 a48",
            Law(): "a45",
        }
    ),
    "i_wlrb_series_pvt": by_law(
        {
            Law(temp=1, supply=2, cross=1): "a00 a10 a20 a21 a44 a46 a47",
            Law(temp=2, supply=2, cross=1): "a01 a04 a05 a06 a07 a23 a24 a25 a26 a27 a40 a42 a43",
            Law(temp=3, supply=2, cross=1): "a02 a03 a22 a45",
            Law(temp=2, supply=1, cross=1): "a08",
            Law(): "a11 a15 a17 a18 a30 a31 a32 a33 a34 a35 a36 a37 a38",
            Law(temp=1, supply=1, cross=1): "a12 a28 a48",
            Law(temp=1): "a13",
            Law(temp=1, supply=1): "a14",
            Law(supply=1): "a16",
            Law(temp=2, supply=1): "a41",
        }
    ),
}
