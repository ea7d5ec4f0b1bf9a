"""How long the write bitline of a cell is busy with other tokens while the cell keeps its voltage."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ParameterError
from ..sweeping.arguments import check_count, check_number

MOST_TOKENS = 2**40
"""Largest number of tokens of a tile or a window."""
_LONGEST = 1e3


@dataclass(frozen=True, kw_only=True)
class WriteSchedule:
    """Tokens are written one after another into the tiles of a ring, each over the write bitlines of its own tile.

    While its tile is written, a cell's write bitline is at a level of the DAC for ``t_write`` of every ``t_token``.
    While the other tiles of the window are written, it is idle.  A cell is assumed to be the first of its tile.

    Attributes
    ----------
    t_token : float
        Time per token [s]: 65 ns for one head; Leroux et al. 2025.
    t_write : float
        Time of a write [s], at most ``t_token``.
    tile : int
        Tokens of a tile, from 1 to the window: 64 in Leroux et al. 2025.
    window : int
        Tokens of all tiles together, after which the tile is written again: 1024 in Leroux et al. 2025.
    levels : int
        Levels of the DAC from 0 to the supply, all equally frequent; from 2 to 65536.

    Raises
    ------
    ParameterError
        If a number is not of this type or out of range.
    """

    t_token: float = 65e-9
    t_write: float = 10e-9
    tile: int = 64
    window: int = 1024
    levels: int = 8

    def __post_init__(self) -> None:
        check_number("t_token", self.t_token, 1e-12, _LONGEST)
        check_number("t_write", self.t_write, 0.0, _LONGEST)
        if self.t_write > self.t_token:
            raise ParameterError(f"t_write = {self.t_write:g} s is longer than t_token = {self.t_token:g} s")
        check_count("window", self.window, 1, MOST_TOKENS)
        check_count("tile", self.tile, 1, self.window)
        check_count("levels", self.levels, 2, 65536)

    def busy_time(self, time: Tensor) -> Tensor:
        """Part of a `time` since the write [s] in which the own tile is written [s], elementwise."""
        ring, tile = self.window * self.t_token, self.tile * self.t_token
        turns = torch.floor(time / ring)
        return turns * tile + torch.clamp(time - turns * ring, max=tile)

    def bitline(self, low: float, high: float, like: Tensor) -> tuple[Tensor, Tensor]:
        """Voltages of the write bitline while the tile is written, and their shares of the time.

        Parameters
        ----------
        low, high : float
            Lowest and highest level of the DAC [V]; the idle level is half way between them.
        like : Tensor, any shape, in any SI unit
            A tensor of the type and device of the result.

        Returns
        -------
        v_wbl : Tensor, shape (levels + 1,)
            Idle level, then the levels of the DAC [V].
        shares : Tensor, shape (levels + 1,)
            Their shares of the time, dimensionless.
        """
        data = torch.linspace(low, high, self.levels, dtype=like.dtype, device=like.device)
        duty = self.t_write / self.t_token
        idle = data.new_full((1,), (low + high) / 2)
        busy = data.new_full((self.levels,), duty / self.levels)
        return torch.cat([idle, data]), torch.cat([data.new_full((1,), 1 - duty), busy])
