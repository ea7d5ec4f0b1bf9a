"""Request of a Monte Carlo campaign -> its plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import registry
from ..declare.bench import Grid
from ..declare.parameters import Values
from ..errors import ParameterError, RequestError
from ..montecarlo import campaign, sampling
from ..montecarlo.campaign import Campaign
from ..spice.netlist import Netlist
from ..spice.netlist_files import read_netlist_file
from ..storage import manifest
from ..sweeping.arguments import check_count, check_number, check_word
from ..sweeping.step_control import StepControlSurvey, Steps
from ..technology.schema import Technology

_ACCURACY = 5e-4


@dataclass(frozen=True, kw_only=True)
class SamplingRequest:
    """Request of a campaign and of a number of samples.

    Attributes
    ----------
    samples : int
        Number of samples.
    folder : Path, optional
        Folder of the campaign; an existing campaign determines the size of its Latin hypercubes.
    axes : mapping of str to Grid
        Swept quantities, in SI units.
    temps : sequence of float
        Temperatures [degC].
    fixed : mapping of str to float or str
        Parameters that are not swept, in SI units.
    accuracy : float, optional
        Largest error of the step control, as a fraction of full scale; 0.0005 by default, if it was measured.
    """

    circuit: str
    bench: str
    samples: int
    folder: Path | None
    axes: Mapping[str, Grid]
    corners: Sequence[str]
    temps: Sequence[float]
    fixed: Values
    options: Mapping[str, float] | None
    accuracy: float | None
    technology: str | Path | Technology
    netlist: Path | Netlist | str | None
    vary: str
    sampler: str
    seed: int

    def plan(self) -> Campaign:
        """Check the request and plan its campaign.

        Raises
        ------
        ParameterError
            If a name is unknown, or a value has the wrong type or is out of range.
        RequestError
            If a file cannot be read, or `accuracy` is given but no step control was measured.
        NetlistError
            If a quantity that varies cannot be changed by ngspice in place.
        """
        registry.load_circuit(self.circuit).bench(self.bench)
        if not isinstance(self.technology, str | Path | Technology):
            raise ParameterError(f"technology is of type {type(self.technology).__name__}; it must be a name or a path")
        technology = str(self.technology) if isinstance(self.technology, Path) else self.technology
        return campaign.plan_campaign(
            self.circuit,
            self.bench,
            vary=check_word("vary", self.vary),
            sampler=check_word("sampler", self.sampler),
            seed=self.seed,
            block=self._block(),
            technology=technology,
            netlist=read_netlist_file(self.netlist) if isinstance(self.netlist, Path) else self.netlist,
            sweep=self.axes,
            corners=self.corners,
            temps=self.temps,
            set_=self.fixed,
            options=self.options,
            steps=self._steps(technology),
        )

    def _block(self) -> int:
        """Samples of one Latin hypercube: the number of the first call, so that later calls can add more."""
        if self.folder is not None and (self.folder / manifest.MANIFEST).exists():
            return campaign.block_of(manifest.read_manifest(self.folder).request, str(self.folder))
        return min(max(check_count("n", self.samples), 1), sampling.MOST_BLOCK)

    def _steps(self, technology: str | Technology) -> Steps:
        accuracy = None if self.accuracy is None else check_number("accuracy", self.accuracy, 0.0, 1.0)
        measured = self._measured(technology)
        if measured is None and accuracy is not None:
            name = technology.name if isinstance(technology, Technology) else technology
            raise RequestError(
                f"no step-control measurement exists for {self.circuit}.{self.bench} in {name}; "
                "run gaincell tune, or omit --accuracy"
            )
        if measured is None:
            return Steps()
        return measured.choose(_ACCURACY if accuracy is None else accuracy).steps

    def _measured(self, technology: str | Technology) -> StepControlSurvey | None:
        """Step-control measurement of this bench, if it was made with the same files of the technology."""
        if not isinstance(technology, Technology):
            return registry.load_steps(technology, self.circuit, self.bench)
        found = registry.load_steps(technology.name, self.circuit, self.bench)
        return found if found and found.technology_digest == technology.digest else None
