"""The shape of the code: who may import whom, who may start processes or print, how long things get."""

import ast
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gaincell_char
from gaincell_char import registry

# A package, or a module at the top, imports only from those above it.
ORDER = [
    "errors",
    "units",
    "storage",
    "declare",
    "spice",
    "technology",
    "sweeping",
    "fitting",
    "registry",
    "montecarlo",
    "torch",
    "validation",
    "workflows",
    "exporting",
    "reporting",
    "cli",
    "__main__",
]
PUBLIC_FACE = "__init__"
VERBS = ("sweep", "fit", "monte_carlo", "compare", "export", "report", "run")
LONGEST_FUNCTION, LONGEST_MODULE = 45, 350
MEDIAN_MODULE, P90_BODY = 130, 18
MOST_ARGUMENTS, MANY_ARGUMENTS, DENSEST = 8, 5, 2
MOST_MODULES_ON_TOP, MOST_PACKAGES = 5, 13
ROOT = Path(__file__).parents[1]
FILES = [f for top in ("gaincell_char", "circuits") for f in sorted((ROOT / top).rglob("*.*"))]
TEXTS = {str(f.relative_to(ROOT)): f.read_text() for f in FILES if f.suffix in (".py", ".j2")}
TREES = {file: ast.parse(text) for file, text in TEXTS.items() if file.endswith(".py")}


def _name(file: str) -> list[str]:
    """Dotted name as installed: ``gaincell_char``, layer, ..."""
    parts = file.removesuffix(".py").split("/")
    return parts if parts[0] == "gaincell_char" else ["gaincell_char", *parts]


def _imports() -> list[tuple[str, str, str]]:
    """Layer, place and dotted name of everything imported, wherever in a file that happens."""
    found = []
    for file, tree in TREES.items():
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)):
            home = _name(file)[: -node.level] if getattr(node, "level", 0) else []
            base = [*home, *filter(None, [getattr(node, "module", None)])]
            names = [".".join([*base, alias.name]) for alias in node.names]
            found += [(_name(file)[1], f"{file}:{node.lineno}", name) for name in names]
    return found


def _misused(*, imported: str = "$", said: str, by: tuple[str, ...]) -> list[str]:
    """Places outside the packages and modules `by` that import or say what matches."""

    def may(file: str) -> bool:
        name = ".".join(_name(file)[1:])
        return any(f"{name}.".startswith(f"{holder}.") for holder in by)

    wrong = [f"{at} imports {n}" for _, at, n in _imports() if not may(at.partition(":")[0]) and re.match(imported, n)]
    for file in (f for f in TEXTS if not may(f)):
        wrong += [f"{file}: {line.strip()}" for line in TEXTS[file].splitlines() if re.search(said, line)]
    return wrong


def test_imports_point_one_way():
    unknown = {_name(file)[1] for file in TREES} - {*ORDER, PUBLIC_FACE, "circuits"}
    assert not unknown, f"give them a place in ORDER: {', '.join(unknown)}"
    wrong = []
    for own, at, name in _imports():
        if own == PUBLIC_FACE:
            continue
        # A circuit is a declaration: it sees what comes before the first machinery.
        above = ORDER[: ORDER.index("spice" if own == "circuits" else own)]
        home, target, *_ = [*name.split("."), ""]
        if home == "gaincell_char" and target not in [*above, own, "__version__"]:
            wrong.append(f"{at} imports {target}; above {own} there are {', '.join(above)}")
    assert not wrong, "\n".join(wrong)


def test_no_circle_inside_a_package():
    """The modules of a package import each other in one direction, too."""
    graph = {}
    for file, tree in TREES.items():
        if file.count("/") == 2 and not file.endswith("__init__.py"):
            package = _name(file)[:2]
            for node in (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level == 1):
                modules = [node.module] if node.module else [alias.name for alias in node.names]
                graph.setdefault(tuple(_name(file)), set()).update((*package, m.split(".")[0]) for m in modules)
    TopologicalSorter(graph).prepare()


def test_the_top_contains_what_every_package_needs():
    assert len(modules_on_top()) <= MOST_MODULES_ON_TOP, modules_on_top()
    assert len(packages()) <= MOST_PACKAGES, packages()


def modules_on_top() -> list[str]:
    """Modules directly below ``gaincell_char/``."""
    return [file for file in TREES if re.fullmatch(r"gaincell_char/\w+\.py", file)]


def packages() -> set[str]:
    """Folders directly below ``gaincell_char/``."""
    return {file.split("/")[1] for file in TREES if file.startswith("gaincell_char/") and file.count("/") > 1}


def test_machinery_names_no_circuit_and_no_technology():
    """But for the examples in docstrings and in the command line's help, which can be pasted as they stand."""
    names = "|".join([*registry.circuit_names(), *registry.technology_names()])
    example = r" +(>>>|\.\.\.) "
    wrong = _misused(said=rf'^(?!DEFAULT_TECHNOLOGY = "\w+"$|{example}).*\b({names})\b', by=("circuits", "cli"))
    assert not wrong, "\n".join(["let registry find it instead:", *wrong])


def _names_of_circuits() -> set[str]:
    """Parameters, outputs and studies of all circuits, and heads: those that are no plain English words."""
    found = set(registry.head_names())
    for circuit in map(registry.load_circuit, registry.circuit_names()):
        found |= {
            *circuit.params,
            *(study.key for study in circuit.all_studies),
            *(model.name for model in circuit.models),
        }
        for bench in circuit.benches:
            found |= {*bench.params, *(output.name for output in bench.outputs)}
    return {name for name in found if "_" in name} | {"vdd"}


def _nodes_of_circuits() -> set[str]:
    ports = (registry.load_netlist(name).subcircuits[name].ports for name in map(_block, registry.circuit_names()))
    return {port for some in ports for port in some} - {"in", "out"}


def _block(circuit: str) -> str:
    """The subcircuit that a circuit's netlist is about: its own, or that of the circuit it shares."""
    blocks = registry.load_netlist(circuit).subcircuits
    return circuit if circuit in blocks else next(iter(blocks))


def test_what_comes_before_the_application_names_no_part_of_a_circuit():
    """Only `torch`, `validation` and what is built on them may know cells and converters."""
    names, nodes = "|".join(_names_of_circuits()), "|".join(_nodes_of_circuits())
    application = tuple(ORDER[ORDER.index("torch") :])
    wrong = _misused(said=rf"(?<![\w.])({names})(?!\w)|\b[vi]\(({nodes})\)", by=("circuits", *application))
    assert not wrong, "\n".join(["let the declaration say it:", *wrong])


def test_each_power_has_one_holder():
    starts = r"subprocess\b|multiprocessing(?!\.connection)|pty\b|concurrent\.futures\.Process"
    wrong = _misused(imported=r"PySpice\b", said=r"\bNgSpiceShared\b", by=("spice.ngspice", "spice.worker"))
    wrong += _misused(
        imported=starts,
        said=r"\bos\.(system|popen|fork|exec|spawn|posix_spawn)",
        by=("spice.preloaded", "spice.worker", "workflows.fetch_models", "storage.isolated", "technology.compiler"),
    )
    wrong += _misused(
        imported=r"(click|rich)\b", said=r"(?<![\w.])print\(|\bsys\.std(out|err)", by=("cli", "storage.isolated")
    )
    wrong += _misused(imported=r"(torch|safetensors)\b", said=r"\bimport torch\b", by=("torch",))
    assert not wrong, "\n".join(
        [
            "ngspice alone uses PySpice; preloaded, fetch and isolated start processes; cli prints; torch is torch's:",
            *wrong,
        ]
    )


def test_spice_text_is_split_into_cards_in_one_place():
    """Whoever joins continued lines reads SPICE; there is one reader."""
    assert spice_readers() == ["gaincell_char/spice/cards.py"]


def spice_readers() -> list[str]:
    """Modules that join lines which begin with a plus sign."""
    return [file for file, text in TEXTS.items() if re.search(r"""startswith\(["']\+["']\)|\\n\\?\+""", text)]


def _functions() -> list[tuple[str, ast.FunctionDef]]:
    # In circuits/ the long functions are declarations, and length is no measure of those.
    return [
        (file, node)
        for file, tree in TREES.items()
        if file.startswith("gaincell_char/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]


def test_functions_and_modules_stay_short():
    sizes = [(file, TEXTS[file].count("\n"), LONGEST_MODULE) for file in TREES]
    sizes += [(f"{file} {f.name}", _measured_lines(file, f), LONGEST_FUNCTION) for file, f in _functions()]
    wrong = [f"{what}: {lines} lines, the most is {most}" for what, lines, most in sizes if lines > most]
    assert not wrong, "\n".join(wrong)


def _measured_lines(file: str, function: ast.FunctionDef) -> int:
    """Lines of a function; of a verb those of its body: its signature and its docstring are the command's options."""
    return _body_lines(function) if _is_verb(file, function) else _lines(function)


def _is_verb(file: str, function: ast.FunctionDef) -> bool:
    """Whether ``gc.NAME`` does what the command ``gaincell NAME`` does."""
    home = gaincell_char._HOMES.get(function.name, "")
    return function.name in VERBS and file in (
        f"gaincell_char/{home.replace('.', '/')}.py",
        f"gaincell_char/{home}/__init__.py",
    )


def test_most_functions_and_modules_are_much_shorter():
    assert median_module() < MEDIAN_MODULE
    assert p90_body() <= P90_BODY


def median_module() -> float:
    """Lines of half of the modules."""
    return statistics.median(TEXTS[file].count("\n") for file in TREES if file.startswith("gaincell_char/"))


def p90_body() -> int:
    """Lines of nine tenths of the functions, without docstring."""
    bodies = sorted(_body_lines(function) for _, function in _functions())
    return bodies[int(0.9 * len(bodies))]


def longest_function() -> int:
    """Lines of the longest function, without docstring; of a verb those of its body."""
    return max(_measured_lines(file, function) for file, function in _functions())


def _lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring: a complete one is no reason to split a function."""
    whole = function.end_lineno - function.lineno + 1
    docstring = function.body[0] if ast.get_docstring(function) else None
    return whole - (docstring.end_lineno - docstring.lineno + 1 if docstring else 0)


def _body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function below its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_take_few_arguments():
    """A command takes what its options say, and so does a verb; a few more public functions take more than eight."""
    many = with_many_arguments()
    assert len(many) <= MANY_ARGUMENTS, "\n".join(many)


def with_many_arguments() -> list[str]:
    """Functions with more than eight parameters, but for commands and verbs."""
    many = []
    for file, function in _functions():
        if any(isinstance(d, ast.Name) and d.id == "overload" for d in function.decorator_list):
            continue
        given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        count = len([argument for argument in given if argument.arg not in ("self", "cls")])
        if count > MOST_ARGUMENTS and not (file.startswith("gaincell_char/cli/") or _is_verb(file, function)):
            many.append(f"{file} {function.name}: {count}")
    return many


def test_statements_are_not_dense():
    """At most two comprehensions or conditional expressions in one statement."""
    dense = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.IfExp)
    wrong = []
    for file, tree in TREES.items():
        for statement in (node for node in ast.walk(tree) if isinstance(node, ast.stmt)):
            count = sum(isinstance(node, dense) for node in _own_expressions(statement))
            if count > DENSEST:
                wrong.append(f"{file}:{statement.lineno}: {count} in one statement")
    assert not wrong, "\n".join(wrong)


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Everything in a statement but the statements inside of it."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from ast.walk(child)


def test_formatting_is_skipped_nowhere():
    assert not unformatted(), unformatted()


def unformatted() -> list[str]:
    """Modules in which formatting is switched off somewhere."""
    return [file for file, text in TEXTS.items() if file.endswith(".py") and "# fmt:" in text]


def test_no_two_classes_and_no_two_modules_have_one_name():
    found = Counter(node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert not {name for name, count in found.items() if count > 1}
    modules = Counter(map(_module_name, (f for f in TREES if "/targets/" not in f and not f.endswith("__init__.py"))))
    assert not {name for name, count in modules.items() if count > 1}


def _module_name(file: str) -> str:
    """Name of a module; the parts of a circuit's family have the same names in every family."""
    *_, folder, name = _name(file)
    return f"{folder}.{name}" if name.startswith("_") and file.startswith("circuits/") else name


@pytest.mark.parametrize("package", sorted(set(ORDER) - {"errors", "units", "registry", "__main__"}))
def test_each_package_says_what_comes_in_what_goes_out_and_where_to_start(package):
    text = ast.get_docstring(TREES[f"gaincell_char/{package}/__init__.py"])
    assert re.search(r"Input: |comes? in|takes", text)
    assert re.search(r"Output: |goes? out|come out", text)
    assert "Start with" in text


HEAVY = ("torch", "matplotlib", "jinja2", "distributed", "sympy", "scipy.stats", "scipy.optimize", "scipy.interpolate")


@pytest.mark.parametrize("load", ["gaincell_char.cli", "circuits of every family"])
def test_the_command_line_and_the_circuits_load_without_what_only_some_commands_need(load):
    imported = "import gaincell_char.cli"
    if load != "gaincell_char.cli":
        imported = "from gaincell_char import registry; [*map(registry.load_circuit, registry.circuit_names())]"
    code = f"import sys; {imported}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
