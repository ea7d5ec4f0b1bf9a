"""The attention head of Leroux et al. 2025: word lines as rails, bitlines clamped."""

from . import _head

HEAD = _head.head("attention", "Attention head with word lines as rails", "gain_cell")
