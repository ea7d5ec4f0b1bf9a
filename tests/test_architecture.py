"""The shape of the code: who may import whom, who may start processes or print, how long things get."""

import ast
import re
from pathlib import Path

from gaincell_char import registry

# A module imports only from those to its left; a folder counts as one module.
LAYERS = [
    "leave", "errors", "untrusted", "scratch", "child", "flat", "frames", "isolated", "si", "params", "formula",
    "macro", "circuit", "head", "statistics", "contributions", "spice_options", "technology_fields", "technology",
    "pdk", "cards", "netlist", "foundry", "expression", "devices", "stack", "sampling", "measure", "axes", "plan",
    "ngspice", "batch", "worker", "pool", "store", "readers", "identity", "manifest", "shards", "run", "selection",
    "fit", "spread", "steps", "record", "fitted", "registry", "fetch", "refit", "external", "job", "campaign",
    "finished", "mc", "circuit_contract", "contract", "replay", "tune", "check", "results", "random_models",
    "analysis", "array_deck", "comparison", "compare", "agreement", "torch", "export", "twins", "report", "cli",
    "__main__",
]  # fmt: skip
PUBLIC_FACE = "__init__"
LONGEST_FUNCTION, LONGEST_MODULE = 50, 350
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
    """Places outside the layers `by` that import or say what matches."""
    wrong = [f"{at} imports {n}" for own, at, n in _imports() if own not in by and re.match(imported, n)]
    for file in (f for f in TEXTS if _name(f)[1] not in by):
        wrong += [f"{file}: {line.strip()}" for line in TEXTS[file].splitlines() if re.search(said, line)]
    return wrong


def test_imports_point_one_way():
    strangers = {_name(file)[1] for file in TREES} - {*LAYERS, PUBLIC_FACE, "circuits"}
    assert not strangers, f"give them a place in LAYERS: {', '.join(strangers)}"
    wrong = []
    for own, at, name in _imports():
        if own == PUBLIC_FACE:
            continue
        # A circuit is a declaration: it sees what stands left of the first machinery.
        left = LAYERS[: LAYERS.index("technology" if own == "circuits" else own)]
        home, target, *_ = [*name.split("."), ""]
        if home == "gaincell_char" and target not in [*left, own, "__version__"]:
            wrong.append(f"{at} imports {target}; left of {own} there are {', '.join(left)}")
    assert not wrong, "\n".join(wrong)


def test_machinery_names_no_circuit_and_no_technology():
    """But for the examples in the command line's help, which can be pasted as they stand."""
    names = "|".join([*registry.circuit_names(), *registry.technology_names()])
    wrong = _misused(said=rf'^(?!DEFAULT_TECHNOLOGY = "\w+"$).*\b({names})\b', by=("circuits", "cli"))
    assert not wrong, "\n".join(["let registry find it instead:", *wrong])


def test_each_power_has_one_holder():
    starts = r"subprocess\b|multiprocessing(?!\.connection)|pty\b|concurrent\.futures\.Process"
    wrong = _misused(imported=r"PySpice\b", said=r"\bNgSpiceShared\b", by=("ngspice", "worker"))
    wrong += _misused(
        imported=starts, said=r"\bos\.(system|popen|fork|exec|spawn|posix_spawn)", by=("pool", "fetch", "isolated")
    )
    wrong += _misused(imported=r"(click|rich)\b", said=r"(?<![\w.])print\(|\bsys\.std(out|err)", by=("cli", "isolated"))
    wrong += _misused(imported=r"(torch|safetensors)\b", said=r"\bimport torch\b", by=("torch",))
    assert not wrong, "\n".join(
        ["ngspice alone uses PySpice; pool, fetch and isolated start processes; cli prints; torch is torch's:", *wrong]
    )


def test_functions_and_modules_stay_short():
    sizes = [(file, TEXTS[file].count("\n"), LONGEST_MODULE) for file in TREES]
    # In circuits/ the long functions are declarations, and length is no measure of those.
    for file in (f for f in TREES if f.startswith("gaincell_char/")):
        functions = [n for n in ast.walk(TREES[file]) if isinstance(n, ast.FunctionDef)]
        sizes += [(f"{file} {f.name}", f.end_lineno - f.lineno + 1, LONGEST_FUNCTION) for f in functions]
    wrong = [f"{what}: {lines} lines, the most is {most}" for what, lines, most in sizes if lines > most]
    assert not wrong, "\n".join(wrong)
