"""The attention head of Leroux et al. 2025: word lines as rails, bitlines clamped."""

from .. import _heads

HEAD = _heads.head("attention", "Attention head with word lines as rails", "gain_cell")
