"""Every public function, method and class explains itself: shapes, units, parameters and errors.

Public is what has no leading underscore and stands at the top of a module of ``gaincell_char`` or in a public class
there.  Properties, overloads, dunder methods and nested functions are left out.  The rules, each read from the source:

docstring
    There is one.
shape and unit of arrays
    A parameter, a returned value or a field of a class that is annotated as an array (`ARRAYS`) has an entry of its
    own, in "Parameters", "Returns", "Yields" or "Attributes", that states its shape and its unit; what has no entry
    of its own takes both from the text before the first section.  Shapes are written as in `SHAPE`, units as in `UNIT`.
errors
    If the body raises a class of ``gaincell_char.errors``, the section "Raises" lists it or one of its base classes,
    or the text contains "raise `X`" or "Raise `X`".
parameters
    A function with more than two parameters names each of them: as an entry of "Parameters", or in backticks in the
    text.

The docstring of a command is the help that a user reads, and its parameters are options with a help of their own: only
the first rule applies to it.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from gaincell_char import errors

ROOT = Path(__file__).parents[1]
MODULES = {str(f.relative_to(ROOT)): ast.parse(f.read_text()) for f in sorted((ROOT / "gaincell_char").rglob("*.py"))}

ARRAYS = {"Array", "ArrayLike", "Counts", "DataArray", "Floats", "Mask", "NDArray", "Tensor", "ndarray"}
SHAPE = re.compile(
    r"shapes? (\(|of\b)|(same|one|any) shape|scalar|elementwise|broadcast|dimension|one-dimensional", re.I
)
UNIT = re.compile(r"\[[^\]\d][^\]]*\]|\[1/|SI units?|\bunits? of\b|same unit|dimensionless|boolean|\bmask\b", re.I)
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.M)
MANY_PARAMETERS = 2

ERRORS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """A public function or class, with its docstring."""

    name: str
    node: Function | ast.ClassDef

    @cached_property
    def text(self) -> str:
        return ast.get_docstring(self.node) or ""

    @cached_property
    def sections(self) -> dict[str, str]:
        """Name of a section -> its text; the text before the first has the name ""."""
        parts = SECTION.split(self.text)
        return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}

    def entry(self, section: str, name: str) -> str:
        """Entry of a section, with the lines below it; "" if it has none of this name."""
        lines = rf"^(?:[\w*]+, )*\**{name}\b[^\n]*\n?(?:(?: [^\n]*)?\n?)*?(?=^\S|\Z)"
        found = re.search(lines, self.sections.get(section, ""), re.M)
        return found[0] if found else ""

    @cached_property
    def parameters(self) -> dict[str, ast.expr | None]:
        """Name -> annotation, without ``self`` and ``cls``; those of a class are its fields."""
        if isinstance(self.node, ast.ClassDef):
            fields = (n for n in self.node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name))
            return {field.target.id: field.annotation for field in fields}
        given = self.node.args
        some = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
        return {one.arg: one.annotation for one in some if one.arg not in ("self", "cls")}

    @cached_property
    def decorators(self) -> set[str]:
        """Last words of the names of the decorators."""
        called = [d.func if isinstance(d, ast.Call) else d for d in self.node.decorator_list]
        return {d.attr if isinstance(d, ast.Attribute) else d.id for d in called}

    @property
    def is_command(self) -> bool:
        return bool(self.decorators & {"command", "group"})


def definitions(module: str) -> Iterator[Definition]:
    yield from _public(MODULES[module].body, "")


def _public(body: list[ast.stmt], prefix: str) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _public([*node.body, *node.orelse], prefix)
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        found = Definition(f"{prefix}{node.name}", node)
        if not found.decorators & {"property", "cached_property", "overload", "setter"}:
            yield found
        if isinstance(node, ast.ClassDef):
            yield from _public(node.body, f"{found.name}.")


def faults(module: str) -> list[str]:
    """What the docstrings of a module lack."""
    found = []
    for definition in definitions(module):
        lacking = ["no docstring"] if not definition.text else []
        if definition.text and not definition.is_command:
            lacking += [*_unsaid_arrays(definition), *_unsaid_errors(definition), *_unsaid_parameters(definition)]
        found += [f"{module}:{definition.node.lineno} {definition.name}: {what}" for what in lacking]
    return found


def count_definitions() -> tuple[int, int]:
    """Number of public definitions, and of those whose docstrings lack something."""
    public = sum(1 for module in MODULES for _ in definitions(module))
    lacking = {fault.rsplit(": ", 1)[0] for module in MODULES for fault in faults(module)}
    return public, len(lacking)


def _unsaid_arrays(definition: Definition) -> Iterator[str]:
    for name, annotation in definition.parameters.items():
        section = "Attributes" if isinstance(definition.node, ast.ClassDef) else "Parameters"
        if _is_array(annotation) and not name.startswith("_"):
            yield from _unsaid(name, definition.entry(section, name) or definition.sections[""])
    if isinstance(definition.node, Function) and _is_array(definition.node.returns):
        sections = definition.sections
        yield from _unsaid("returned array", sections.get("Returns") or sections.get("Yields") or sections[""])


def _unsaid(what: str, text: str) -> Iterator[str]:
    if not SHAPE.search(text):
        yield f"shape of {what}"
    if not UNIT.search(text):
        yield f"unit of {what}"


def _is_array(annotation: ast.expr | None) -> bool:
    """Whether an array is meant, alone, in a union or in a container, and not a function of one."""
    if annotation is None:
        return False
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _is_array(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.Subscript) and _last_name(annotation.value) in ("Callable", "Literal", "type"):
        return False
    return _last_name(annotation) in ARRAYS or any(
        _is_array(child) for child in ast.iter_child_nodes(annotation) if isinstance(child, ast.expr)
    )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _unsaid_errors(definition: Definition) -> Iterator[str]:
    if isinstance(definition.node, ast.ClassDef):
        return
    listed = {
        *re.findall(r"\w+", " ".join(re.findall(r"^\w.*$", definition.sections.get("Raises", ""), re.M))),
        *re.findall(r"[Rr]aises? `(\w+)`", definition.text),
    }
    for name in _raised(definition.node):
        if not listed & {base.__name__ for base in ERRORS[name].__mro__ if base.__name__ in ERRORS}:
            yield f"raises {name}"


def _raised(node: ast.AST) -> set[str]:
    """Classes of this package that a body raises, without those of the functions nested in it."""
    found: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(child, ast.Raise) and child.exc is not None:
            raised = child.exc.func if isinstance(child.exc, ast.Call) else child.exc
            found |= {_last_name(raised)} & ERRORS.keys()
        found |= _raised(child)
    return found


def _unsaid_parameters(definition: Definition) -> Iterator[str]:
    if isinstance(definition.node, ast.ClassDef) or len(definition.parameters) <= MANY_PARAMETERS:
        return
    for name in definition.parameters:
        said = definition.entry("Parameters", name) or f"`{name}`" in definition.text
        if not said and not name.startswith("_"):
            yield f"parameter {name}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_docstrings_of_public_functions_are_complete(module):
    found = faults(module)
    assert not found, "\n".join(found)


def _lacking(source: str) -> list[str]:
    [node] = ast.parse(source).body
    definition = Definition(node.name, node)
    return [*_unsaid_arrays(definition), *_unsaid_errors(definition), *_unsaid_parameters(definition)]


def test_an_array_without_shape_or_unit_is_found():
    assert _lacking('def f(v: Floats) -> Tensor:\n    """Current [A]."""') == ["shape of v", "shape of returned array"]
    assert _lacking('def f(v: "list[Floats] | None"):\n    """Sum of shape (n,)."""') == ["unit of v"]
    assert not _lacking(
        'def f(v: Floats):\n    """Square.\n\n    Parameters\n    ----\n    v : ndarray, scalar\n        [V]\n    """'
    )
    assert not _lacking('def f(v: Callable[[Floats], Floats]):\n    """Call it."""')


def test_an_entry_of_its_own_is_read_alone():
    entries = "a : ndarray, shape (n,)\n        The b of it.\n    b : int\n        What a is."
    source = f'def f(a: Floats, b: Floats):\n    """Sum [V].\n\n    Parameters\n    ----\n    {entries}\n    """'
    assert _lacking(source) == ["unit of a", "shape of b", "unit of b"]


def test_a_raised_error_must_be_listed():
    body = '\n    if x:\n        raise DataError("no")'
    assert _lacking(f'def f(x):\n    """Square."""{body}') == ["raises DataError"]
    assert not _lacking(f'def f(x):\n    """Square, or raise `RequestError`."""{body}')
    assert not _lacking(
        f'def f(x):\n    """Square.\n\n    Raises\n    ----\n    DataError\n        Never.\n    """{body}'
    )
    assert _lacking(f'def f(x):\n    """Square.\n\n    Raises\n    ----\n    FitError\n        Never.\n    """{body}')


def test_each_of_many_parameters_must_be_named():
    assert _lacking('def f(a, b, c):\n    """Sum of `a` and b.\n\n    Parameters\n    ----\n    c : int\n    """') == [
        "parameter b"
    ]
    assert not _lacking('def f(a, b):\n    """Sum."""')


def test_a_class_states_the_shapes_of_its_fields():
    entry = "x : ndarray, shape (n,)\n        Voltage{}."
    source = f'class A:\n    """A thing.\n\n    Attributes\n    ----\n    {entry}\n    """\n    x: Floats'
    assert _lacking(source.format("")) == ["unit of x"]
    assert not _lacking(source.format(" [V]"))
