"""Mutations of valid files, and what shows that reading one did more than it may."""

import contextlib
import copy
import json
import os
import re
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import strategies as st

from gaincell_char.storage import child

LONGEST_S = 10.0
ATTACKS = (
    '"""\nimport pathlib\npathlib.Path("{flag}").touch()\n"""',
    'x\nopen("{flag}", "w")',
    "x\\\nopen('{flag}', 'w')",
    "x\n.control\nshell touch {flag}\n.endc\n",
    "x\r.control\rshell touch {flag}\r.endc\r",
    "x\n*# shell touch {flag}\n",
    "x\u2028import os; os.system('touch {flag}')",
    "x\x85.control\x85shell touch {flag}\x85.endc",
    "x\x0b.control\x0bshell touch {flag}\x0b.endc",
    "`touch {flag}`",
    "$(touch {flag})",
    "x; shell touch {flag}",
    "rx>{victim}",
    "xn>{flag}",
    "rx<{secret}",
    ".include {secret}",
    ".lib {secret} tt",
    "../outside/secret.txt",
    "{secret}",
    "/etc/passwd",
    "-r{secret}",
    "__import__('os').system('touch {flag}')",
    "{{{{x.__class__}}}}",
    "<script>alert(1)</script>",
    '*/ $system("touch {flag}"); /*',
    "\0",
    "\x1b[2J",
    "A" * 5000,
    "\uff11\uff12",
    "é",
    "%s%n",
)
MILD = ("x", "tt", "27", "abc_1", "gain_cell", "v_store", "ekv", "", " ", "a.b-c+d", "1.5")
NUMBERS = (
    0,
    1,
    -1,
    2,
    0.5,
    -0.5,
    1e-300,
    1e300,
    -1e308,
    3.7e-9,
    float("inf"),
    float("nan"),
    2**63,
    10**400,
    True,
    27.0,
)
SHAPES: tuple[Any, ...] = (None, [], {}, [1, 2], {"a": 1}, [[]], [None], "deep")


# --- mutations ------------------------------------------------------------------------------------------------------


def paths(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON tree."""
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in children:
        yield (*at, key)
        yield from paths(value, (*at, key))


def _deep() -> Any:
    found: Any = 1
    for _ in range(50):
        found = [found]
    return found


def _get(tree: Any, path: Sequence[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@st.composite
def trees(draw: st.DrawFn, base: Any) -> Any:
    """A JSON tree with one to three changes: numbers that move a little, or anything in any place."""
    tree = copy.deepcopy(base)
    mild = draw(st.integers(0, 9)) < 5
    for _ in range(draw(st.integers(1, 3))):
        places = list(paths(tree))
        if mild:
            places = [path for path in places if _is_number(_get(tree, path))] or places
        if not places:
            break
        path = draw(st.sampled_from(places))
        holder, key = _get(tree, path[:-1]), path[-1]
        if mild and _is_number(holder[key]):
            holder[key] = holder[key] * draw(st.floats(0.8, 1.2))
        else:
            _change(draw, holder, key)
    return tree


def _change(draw: st.DrawFn, holder: Any, key: Any) -> None:
    old = holder[key]
    kind = draw(st.sampled_from(("word", "attack", "attack", "number", "shape", "drop", "add", "rename")))
    if kind in ("word", "attack"):
        holder[key] = draw(st.sampled_from(MILD if kind == "word" else ATTACKS))
    elif kind == "number":
        holder[key] = draw(st.sampled_from(NUMBERS))
    elif kind == "shape":
        shape = draw(st.sampled_from(SHAPES))
        holder[key] = _deep() if shape == "deep" else copy.deepcopy(shape)
    elif kind == "drop":
        del holder[key]
    elif isinstance(holder, dict):
        name = draw(st.sampled_from((*ATTACKS, *MILD)))
        if kind == "rename":
            del holder[key]
        holder[name] = old if kind == "rename" else draw(st.sampled_from(NUMBERS))
    else:
        holder.append(copy.deepcopy(old))


@st.composite
def texts(draw: st.DrawFn, base: str, inserts: Sequence[str] = ()) -> str:
    """A text with one to three changed lines or words."""
    lines = base.split("\n")
    mild = draw(st.integers(0, 9)) < 4
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        if mild:
            lines[at] = _nudged(draw, lines[at])
            continue
        kind = draw(st.sampled_from(("blank", "word", "attack", "drop", "twice", "insert", "cut", "join", "swap")))
        if kind == "word":
            words = lines[at].split(" ")
            which = draw(st.integers(0, len(words) - 1))
            words[which] = draw(st.sampled_from([*MILD, *(str(n) for n in NUMBERS if n != 10**400), *inserts]))
            lines[at] = " ".join(words)
        elif kind == "blank":
            lines[at] = f"  {lines[at]}  "
        elif kind == "attack":
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(st.sampled_from(ATTACKS)) + lines[at][cut:]
        elif kind == "drop":
            del lines[at]
            lines = lines or [""]
        elif kind == "twice":
            lines.insert(at, lines[at])
        elif kind == "insert":
            lines.insert(at, draw(st.sampled_from((*inserts, *ATTACKS, "", "* a comment"))))
        elif kind == "cut":
            lines = lines[: at + 1]
        elif kind == "join" and at + 1 < len(lines):
            lines[at : at + 2] = [lines[at] + lines[at + 1]]
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


def _nudged(draw: st.DrawFn, line: str) -> str:
    """A line of which one number moves a little; one without numbers gets blanks around it."""
    numbers = list(re.finditer(r"(?<![\w.])\d+(?:\.\d+)?", line))
    if not numbers:
        return f"{line}  "
    number = draw(st.sampled_from(numbers))
    value = round(float(number[0]) * draw(st.floats(0.9, 1.1)), 6)
    return f"{line[: number.start()]}{value:g}{line[number.end() :]}"


@st.composite
def data(draw: st.DrawFn, base: bytes) -> bytes:
    """Bytes with one to three flipped, cut out, doubled or inserted."""
    found = bytearray(base)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        length = draw(st.sampled_from((1, 1, 4, 64)))
        kind = draw(st.sampled_from(("flip", "flip", "cut", "double", "insert", "truncate")))
        if kind == "flip" and found:
            found[at] ^= draw(st.integers(1, 255))
        elif kind == "cut":
            del found[at : at + length]
        elif kind == "double":
            found[at:at] = found[at : at + length]
        elif kind == "insert":
            found[at:at] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "truncate":
            del found[at:]
    return bytes(found)


def dumped(tree: Any) -> str:
    """A tree as JSON, with NaN and infinities as Python writes them."""
    return json.dumps(tree)


# --- what shows more than reading -----------------------------------------------------------------------------------

_ARMED: list["Trap"] = []
_WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod")
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.forkpty", "socket.connect", "webbrowser.open")
_READABLE = [
    *{sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}, sys.prefix, sys.base_prefix,
    str(Path(__file__).parents[1]), "/proc", "/sys", "/dev/null", "/dev/urandom", "/usr/lib", "/usr/share", "/lib",
]  # fmt: skip


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    for trap in _ARMED:
        trap.hear(event, arguments)


sys.addaudithook(_listen)


class Trap:
    """A folder to read from, and beside it what no reader may touch.

    Python's audit events show every file that is opened and every process that is started; files beside the folder show
    what a C library or a child process does.
    """

    def __init__(self, root: Path, *readable: Path) -> None:
        self.inside, self.outside = root / "inside", root / "outside"
        self.inside.mkdir(parents=True)
        self.outside.mkdir()
        self.flag = self.outside / "flag"
        for name in ("secret", "victim"):
            (self.outside / f"{name}.txt").write_text(f"* {name} 7f3a\n")
        self.readable = [*_READABLE, *map(str, readable)]
        self.caught: list[str] = []
        self._scratch = os.path.realpath(tempfile.gettempdir())

    def fill(self, text: str) -> str:
        """An attack that names this trap's files."""
        places = {name: str(self.outside / f"{name}.txt") for name in ("secret", "victim")}
        for name, place in {**places, "flag": str(self.flag)}.items():
            text = text.replace(f"{{{name}}}", place)
        return text

    def filled(self, tree: Any) -> Any:
        """A tree of which every text is filled."""
        if isinstance(tree, dict):
            return {self.fill(str(k)): self.filled(v) for k, v in tree.items()}
        if isinstance(tree, list):
            return [self.filled(v) for v in tree]
        return self.fill(tree) if isinstance(tree, str) else tree

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note what is not allowed; an exception in here would be swallowed by some callers."""
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, flags = os.fsdecode(arguments[0]), arguments[2]
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            if not self._may(path, writes=writes):
                self.caught.append(f"{'wrote' if writes else 'read'} {path}")
        elif event in _WRITES and arguments[-1] == -1:  # below a folder that is open already, it was looked at before
            for path in arguments[1:2] if event == "os.symlink" else arguments[: 2 if event == "os.rename" else 1]:
                if isinstance(path, str | bytes | Path) and not self._may(os.fsdecode(path), writes=True):
                    self.caught.append(f"{event} {os.fsdecode(path)}")
        elif event in _RUNS or (event == "subprocess.Popen" and child._RUN not in arguments[1]):
            self.caught.append(f"{event} {arguments[:2]}")

    def _may(self, path: str, *, writes: bool) -> bool:
        real = os.path.realpath(path)
        if real.startswith((str(self.inside.resolve()), f"{self._scratch}/.gaincell-", "/dev/null")):
            return True
        return not writes and any(real.startswith(root) for root in self.readable)

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """While this lasts, nothing outside may be touched and no more than ten seconds may pass."""
        before = _snapshot(self.outside)
        _ARMED.append(self)
        try:
            with limited():
                yield
        finally:
            _ARMED.remove(self)
        assert not self.caught, self.caught
        assert _snapshot(self.outside) == before


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextlib.contextmanager
def limited(seconds: float = LONGEST_S) -> Iterator[None]:
    """Raise `TimeoutError` in the main thread after some seconds."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not finished after {seconds:g} s")

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
