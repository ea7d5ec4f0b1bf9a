"""The attention head of Leroux et al. 2025: word lines as rails, bitlines clamped."""

from gaincell_char.declare.attention_head import Sag

from . import _head

HEAD = _head.head(
    "attention",
    "Attention head with word lines as rails",
    "gain_cell",
    Sag(study="sag", supply="i_wlr_series", ground="i_wlrb_series"),
)
