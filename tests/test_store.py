"""What goes to disk comes back, to the last bit, and no crash leaves half a file."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from gaincell_char.errors import DataError, RequestError, StorageError
from gaincell_char.storage import tables
from gaincell_char.storage.flat import flatten_dataset

TIMES = [1e-9, 1 / 3e6, 2.0]
REASON = 'no result after 60 s, "tran" # vector v(x)\nis missing; nan'


@pytest.fixture
def dataset():
    """Two conditions, a word and a number swept, one curve, one output without it, one failed and one missing point."""
    shape = (2, 1, 2, 3)
    rng = np.random.default_rng(7)
    status = np.full(shape, "ok", dtype=object)
    status[0, 0, 1, 2], status[1, 0, 0, 0] = "failed", "not run"
    reason = np.where(status == "failed", REASON, "").astype(object)
    curve = np.where((status == "ok")[..., None], rng.normal(size=(*shape, 3)) * 1e-15, np.nan)
    dims = ("corner", "temp", "write_flavour", "v_store")
    return xr.Dataset(
        {
            "v_out": ((*dims, "time"), curve, {"units": "V", "long_name": "a curve"}),
            "i_leak": (dims, np.where(status == "ok", rng.normal(size=shape), np.nan), {"units": "A"}),
            "status": (dims, status, {"long_name": "ok, failed or not run"}),
            "reason": (dims, reason, {"long_name": "why"}),
        },
        {
            "corner": ("corner", np.array(["tt", "ss"], dtype=object)),
            "temp": ("temp", [27.0], {"units": "degC"}),
            "write_flavour": ("write_flavour", np.array(["svt", "uhvt"], dtype=object)),
            "v_store": ("v_store", [0.0, 0.1 + 0.2, 0.9], {"units": "V"}),
            "time": ("time", TIMES, {"units": "s"}),
        },
        {"circuit": "toy", "bench": "decay", "parameters": '{"vdd": 0.9}', "n_points": 12, "n_failed": 1},
    )


@pytest.mark.parametrize("ending", tables.FORMATS)
def test_tables_come_back_exactly(dataset, ending, tmp_path):
    path = tmp_path / f"data{ending}"
    assert tables.write_dataset(dataset, path) == path
    table = tables.read_table(path)
    assert_frame_equal(table.frame, flatten_dataset(dataset), check_exact=True, check_dtype=False)
    assert table.attrs == dataset.attrs
    assert table.dims == ("corner", "temp", "write_flavour", "v_store", "time")


def test_netcdf_keeps_shape_units_and_meaning(dataset, tmp_path):
    tables.write_dataset(dataset, tmp_path / "data.nc")
    with xr.open_dataset(tmp_path / "data.nc", engine="h5netcdf") as back:
        xr.testing.assert_identical(
            back.load().drop_vars(("status", "reason")), dataset.drop_vars(("status", "reason"))
        )
        assert back.reason.values.tolist() == dataset.reason.values.tolist()


def test_a_flat_table_has_one_row_per_point_and_the_names_of_the_bench(dataset):
    frame = flatten_dataset(dataset)
    assert list(frame) == [
        "write_flavour", "v_store", "time", "v_out", "i_leak", "corner", "temp", "status", "reason",
    ]  # fmt: skip
    assert len(frame) == dataset.v_out.size
    for row in frame.sample(10, random_state=0).itertuples():
        where = {name: getattr(row, name) for name in dataset.i_leak.dims}
        point = dataset.sel(where)
        np.testing.assert_array_equal(row.v_out, point.v_out.sel(time=row.time))
        np.testing.assert_array_equal(row.i_leak, point.i_leak)
        assert (row.status, row.reason) == (point.status.item(), point.reason.item())


@pytest.mark.parametrize("ending", tables.FORMATS)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20, unique=True))
@settings(max_examples=25 if os.environ.get("GAINCELL_TESTS") == "all" else 2, deadline=None)
def test_any_numbers_come_back_to_the_last_bit(ending, values, tmp_path_factory):
    path = tmp_path_factory.mktemp("numbers") / f"data{ending}"
    dataset = xr.Dataset({"y": ("x", values)}, {"x": np.arange(len(values)) / 7})
    tables.write_dataset(dataset, path)
    frame = tables.read_table(path).frame
    assert frame.y.tolist() == values
    assert frame.x.tolist() == dataset.x.values.tolist()


@pytest.mark.parametrize("ending", [*tables.FORMATS, ".json"])
def test_a_crash_while_writing_leaves_the_old_file(ending, tmp_path):
    path = tmp_path / f"data{ending}"
    path.write_text("old")

    def crash(part):
        part.write_text("half of the n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tables.write_atomically(path, crash)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", tables.FORMATS)
def test_what_cannot_be_written_is_kept_elsewhere_and_said_where(ending, dataset, tmp_path, monkeypatch):
    path = tmp_path / f"data{ending}"
    path.write_text("old")
    real, failed = Path.replace, []

    def full_once(part, target):
        if not failed:
            failed.append(part)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(part, target)

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(Path, "replace", full_once)
    with pytest.raises(
        StorageError, match=r"could not be written \(the disk is full\); the results are kept in"
    ) as told:
        tables.write_dataset(dataset, path)
    kept = Path(str(told.value).rpartition(" ")[2])
    assert_frame_equal(
        tables.read_table(kept).frame, flatten_dataset(dataset), check_exact=True, check_dtype=False
    )  # fmt: skip
    assert path.read_text() == "old"


def test_a_table_of_ones_own_needs_only_names(tmp_path):
    path = tmp_path / "measured.csv"
    path.write_text("# from the bench\nv_store,i_bl\n0.0,-1e-5\n0.9,1e-5\n")
    table = tables.read_table(path)
    assert table.frame.to_dict("list") == {"v_store": [0.0, 0.9], "i_bl": [-1e-5, 1e-5]}
    assert (table.attrs, table.dims) == ({}, ())


@pytest.mark.parametrize("ending", tables.FORMATS)
def test_a_damaged_file_is_refused_by_name(ending, tmp_path):
    path = tmp_path / f"data{ending}"
    path.write_bytes(b'"\x00not a table')
    if ending != ".csv":
        with pytest.raises(DataError, match=rf"data\{ending}: cannot be read as \{ending}"):
            tables.read_table(path)
    path.unlink()
    with pytest.raises(DataError, match="No such file"):
        tables.read_table(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=rf"cannot be read as \{ending}"):
        tables.read_table(path)


def test_unknown_endings_are_refused_with_the_known_ones(tmp_path):
    for check, error in ((tables.check_target, RequestError), (tables.read_table, DataError)):
        with pytest.raises(error, match=r"unknown file ending '\.xls'; use \.nc, \.csv, \.parquet"):
            check(tmp_path / "data.xls")


def test_targets_that_cannot_be_written_are_refused_before_anything_runs(tmp_path):
    tables.check_target(tmp_path / "new.csv")
    assert not list(tmp_path.iterdir())
    with pytest.raises(RequestError, match=r"folder .*missing does not exist; create it first"):
        tables.check_target(tmp_path / "missing" / "new.csv")
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(RequestError, match=r"folder\.nc is a folder; name a file in it"):
        tables.check_target(tmp_path / "folder.nc")


@pytest.mark.parametrize("ending", tables.FORMATS)
def test_a_dataset_is_not_changed_by_writing(ending, dataset, tmp_path):
    before = dataset.copy(deep=True)
    tables.write_dataset(dataset, tmp_path / f"data{ending}")
    xr.testing.assert_identical(dataset, before)


def test_other_programs_read_the_same_numbers(dataset, tmp_path):
    """A CSV file and a Parquet file are what pandas alone takes them for."""
    for ending, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        tables.write_dataset(dataset, tmp_path / f"data{ending}")
        frame = read(tmp_path / f"data{ending}")
        wanted = flatten_dataset(dataset)
        assert list(frame) == list(wanted)
        for name in ("v_store", "time", "temp", "v_out", "i_leak"):
            np.testing.assert_allclose(frame[name], wanted[name], rtol=1e-15, err_msg=f"{ending} {name}")
        assert frame["write_flavour"].tolist() == wanted["write_flavour"].tolist()
