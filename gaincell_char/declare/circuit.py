"""What a file in ``circuits/`` declares as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import ParameterError
from .bench import Bench
from .datasheet import Figure, Merit, MonteCarloBench, Study
from .macro_model import Macro
from .model import Model, RandomModel
from .parameters import Params, Value
from .pvt import PvtModel
from .record_merits import RecordCurves, RecordMerit

_ANY: Mapping[str, Value] = {}


@dataclass(frozen=True, kw_only=True)
class NoiseFloor:
    """Where the noise of what a bench measures is found: a model gives its standard deviation.

    Attributes
    ----------
    study, model : str
        Study of the circuit, and the noise model fitted in it.
    inputs : mapping of str to float or str
        Input of the noise model -> input of the models of the bench, or a number in its SI unit.
    per : float
        The noise is divided by this number: by a pulse width [s], if a charge belongs to a current.
    circuit : Circuit, optional
        Circuit of the study and of the noise model; by default the circuit that declares the floor.
    thermal : bool
        The noise is kT/C: its square is proportional to the absolute temperature, so it is known at every temperature.
    """

    study: str
    model: str
    inputs: Mapping[str, float | str]
    per: float = 1.0
    circuit: "Circuit | None" = None
    thermal: bool = False


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A circuit under test; ``name`` is also its file name in ``circuits/`` and ``netlists/``.

    Three fields have defaults, which None stands for.  ``studies``: every bench over its own sweep.  ``figures``: every
    output of a study, over the first input of its models, or the first dimension that is swept.  ``spreads`` (Monte
    Carlo): every bench over its own sweep.  ``noise_floors``: bench -> noise of its first output, which tables print
    beside the errors of its models.  ``former``: models of records of earlier versions, which are read and evaluated,
    but not fitted.  ``record_merits`` and ``record_curves``: what technologies are compared by.
    """

    name: str
    title: str
    params: Params
    benches: tuple[Bench, ...]
    models: tuple[Model, ...] = ()
    former: tuple[Model, ...] = ()
    studies: tuple[Study, ...] | None = None
    figures: tuple[Figure, ...] | None = None
    merits: tuple[Merit, ...] = ()
    spreads: tuple[MonteCarloBench, ...] | None = None
    macros: tuple[Macro, ...] = ()
    noise_floors: Mapping[str, NoiseFloor] = field(default_factory=dict)
    record_merits: tuple[RecordMerit, ...] = ()
    record_curves: tuple[RecordCurves, ...] = ()

    @cached_property
    def all_studies(self) -> tuple[Study, ...]:
        """What the main job sweeps: the declared studies, or one per bench."""
        if self.studies is not None:
            return self.studies
        return tuple(Study(bench=bench.name) for bench in self.benches)

    @cached_property
    def all_figures(self) -> tuple[Figure, ...]:
        """What the page draws: the declared pictures, or one per output of every study."""
        if self.figures is not None:
            return self.figures
        pairs = ((study, output) for study in self.all_studies for output in self.bench(study.bench).outputs)
        return tuple(self._figure(study, output.name) for study, output in pairs)

    @cached_property
    def all_spreads(self) -> tuple[MonteCarloBench, ...]:
        """What Monte Carlo measures: the declared benches, or every bench."""
        if self.spreads is not None:
            return self.spreads
        return tuple(_monte_carlo(bench) for bench in self.benches)

    def _figure(self, study: Study, output: str) -> Figure:
        bench = self.bench(study.bench)
        models = [model for model in self.models_of(study) if model.output == output]
        axes = [*models[0].inputs] if models else [*_inner(bench), *bench.sweep]
        doc = bench.output(output).doc
        return Figure(
            study=study.key,
            output=output,
            x=axes[0],
            group_by=axes[1] if len(axes) > 1 else "",
            title=f"{doc[0].upper()}{doc[1:]}",
            models=tuple(model.name for model in models),
        )

    def models_of(self, study: Study, values: Mapping[str, Value] = _ANY) -> tuple[Model, ...]:
        """Return the models to fit to a `study`: those it names, or all of its bench that belong to one condition.

        With the `values` of the parameters, a model that is declared for them replaces another one.
        """
        if study.models is not None:
            found = [self.model(name) for name in study.models]
        else:
            of_bench = [model for model in self.models if model.bench == study.bench]
            found = [model for model in of_bench if not (isinstance(model, PvtModel) or model.instead_of)]
        return tuple(self.stand_in(model, values) for model in found)

    def stand_in(self, model: Model, values: Mapping[str, Value]) -> Model:
        """Return the model that replaces a `model` in circuits with these `values` of parameters; itself if none does.

        A number among the values is in its SI unit.
        """
        others = (other for other in self.models if other.instead_of == model.name)
        return next((other for other in others if other.where.items() <= values.items()), model)

    def random_stand_in(self, bench: str, name: str, values: Mapping[str, Value]) -> str:
        """Return the name of the random model of a `bench` that replaces the one called `name`; `name` if none does.

        `values` are as of `stand_in`: the random model of a model that replaces another one replaces that of the other.
        """
        declared = self.spread(bench)
        usual = [model.nominal.name for model in (declared.models if declared else ()) if model.name == name]
        others = (other for other in self.random_models(bench, values) if other.nominal.instead_of in usual)
        return next((other.name for other in others), name)

    def random_models(self, bench: str, values: Mapping[str, Value]) -> tuple[RandomModel, ...]:
        """Return the random models of a `bench` that hold for circuits with these `values` of parameters.

        A number among the values is in its SI unit.
        """
        declared = self.spread(bench)
        models = declared.models if declared else ()
        return tuple(model for model in models if self.holds(model.nominal, values))

    def holds(self, model: Model, values: Mapping[str, Value]) -> bool:
        """Whether a `model` is the one for circuits with these `values` of parameters, as of `stand_in`."""
        usual = self.model(model.instead_of) if model.instead_of else model
        return self.stand_in(usual, values).name == model.name

    def study_of(self, model: Model) -> Study | None:
        """Return the first study to which a `model` is fitted, if there is one."""
        return next((study for study in self.all_studies if model in self.models_of(study)), None)

    def pvt_model(self, nominal: Model, kind: str = "supply") -> PvtModel | None:
        """Return the model over conditions of a `kind` whose model at one condition is `nominal`, if there is one."""
        found = (model for model in self.models if isinstance(model, PvtModel) and model.kind == kind)
        return next((model for model in found if model.nominal.name == nominal.name), None)

    def spread(self, bench: str) -> MonteCarloBench | None:
        """Return what Monte Carlo of a bench measures, if that is declared."""
        return next((spread for spread in self.all_spreads if spread.bench == bench), None)

    def noise_floor(self, model: str) -> NoiseFloor | None:
        """Return where the noise of the output of a `model` is found, if that is declared."""
        return self.noise_floors.get(self.model(model).bench)

    def bench(self, name: str) -> Bench:
        """Return the bench called `name`.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        for bench in self.benches:
            if bench.name == name:
                return bench
        have = ", ".join(bench.name for bench in self.benches)
        raise ParameterError(f"{self.name} has no bench {name!r}; have {have}")

    def model(self, name: str) -> Model:
        """Return the model called `name`, which may be a former one.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        for model in (*self.models, *self.former):
            if model.name == name:
                return model
        have = ", ".join(model.name for model in self.models)
        raise ParameterError(f"{self.name} has no model {name!r}; have {have}")


def _inner(bench: Bench) -> list[str]:
    return [bench.curve.name] if bench.curve else []


def _monte_carlo(bench: Bench) -> MonteCarloBench:
    """Every sample of a bench over its own sweep; the first output is drawn."""
    axes = [*_inner(bench), *bench.sweep]
    return MonteCarloBench(bench=bench.name, sweep=bench.sweep, x=axes[0], output=bench.outputs[0].name)
