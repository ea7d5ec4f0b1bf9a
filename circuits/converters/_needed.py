"""Laws over conditions without the terms that no error needs; written by tools/needed_coefficients.py."""

from gaincell_char.declare.law import Law, by_law

NEEDED = {
    "relu_knee_pvt": by_law(
        {
            Law(temp=1, supply=2, relative=True, leak=True): "gain",
            Law(): "bend",
            Law(temp=2, supply=2, cross=1, relative=True): "t_0",
            Law(temp=1, supply=1, cross=1): "share",
            Law(temp=2, supply=1, cross=1, relative=True): "q_1",
            Law(temp=1, supply=1, cross=1, relative=True): "q_2",
            Law(temp=1, supply=1): "step",
            Law(temp=3, supply=2, cross=1): "q_dead",
            Law(temp=2, supply=1, relative=True): "t_sat",
        }
    ),
    "relu_knee_bias": by_law(
        {
            Law(temp=1, supply=2, relative=True, leak=True): "gain",
            Law(): "bend",
            Law(temp=3, supply=2, cross=1, relative=True): "t_0",
            Law(temp=1, supply=1, cross=1): "share",
            Law(temp=2, supply=1, relative=True): "q_1 q_2",
            Law(temp=2, supply=1): "step",
            Law(temp=3, supply=2, cross=1): "q_dead",
            Law(temp=1, relative=True): "t_sat",
        }
    ),
    "shared_source_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1, relative=True): "share",
        }
    ),
    "path_leak_pvt": by_law(
        {
            Law(leak=True): "k",
        }
    ),
    "signed_knee_pvt": by_law(
        {
            Law(temp=1, supply=2, cross=1, relative=True, leak=True): "gain_p gain_n",
            Law(leak=True): "bend_p bend_n",
            Law(temp=3, supply=2, cross=2, relative=True): "t_0_p t_0_n",
            Law(temp=2, supply=1, cross=1): "share_p share_n",
            Law(temp=2, supply=1, cross=1, relative=True): "q_1_p q_2_p q_1_n q_2_n t_sat",
            Law(temp=2, supply=1): "step_p step_n",
            Law(temp=3, supply=2, cross=1): "q_0",
        }
    ),
    "signed_knee_bias": by_law(
        {
            Law(temp=1, supply=2, cross=1, relative=True, leak=True): "gain_p gain_n",
            Law(leak=True): "bend_p bend_n",
            Law(temp=3, supply=1, cross=1, relative=True): "t_0_p",
            Law(temp=2, supply=1): "share_p",
            Law(temp=1, supply=2, cross=1, relative=True): "q_1_p",
            Law(temp=2, supply=2, relative=True): "q_2_p",
            Law(): "step_p",
            Law(temp=2, supply=2, cross=1, relative=True): "t_0_n",
            Law(temp=2, supply=1, cross=1): "share_n",
            Law(temp=1, supply=1, relative=True): "q_1_n",
            Law(temp=2, supply=1, relative=True): "q_2_n",
            Law(temp=2): "step_n",
            Law(temp=3, supply=2, cross=1): "q_0",
            Law(temp=1, relative=True): "t_sat",
        }
    ),
    "shared_source_and_sink_pvt": by_law(
        {
            Law(temp=2, supply=2, cross=1, relative=True): "share_p share_n",
        }
    ),
}
