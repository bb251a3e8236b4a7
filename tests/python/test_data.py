"""Datasets: every format comes out in one form, and what is not well formed is told apart."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import struct
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyprover.data import Dataset, read_dataset
from pyprover.errors import UserError
from pyprover.query import DatasetRef

F = Fraction
DATA = Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser()


def read(path: Path, data_dir: Path | None = None) -> Dataset:
    return read_dataset(DatasetRef(path.name, str(path.parent)), None if data_dir is None else str(data_dir))


def images(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, samples: NDArray[Any], labels: Any, **more: Any) -> Path:
    np.savez(path, images=samples, labels=np.asarray(labels), **more)
    return path


# Archives


@pytest.mark.parametrize(
    ("stored", "shape"),
    [
        ((2, 5, 6, 3), (3, 5, 6)),
        ((2, 5, 6, 1), (1, 5, 6)),
        ((2, 3, 5, 6), (3, 5, 6)),
        ((2, 5, 6), (1, 5, 6)),
        ((2, 7), (7,)),
    ],
)
def test_archives_are_read_channels_first(tmp_path: Path, stored: tuple[int, ...], shape: tuple[int, ...]) -> None:
    samples = images(*stored)
    dataset = read(save(tmp_path / "d.npz", samples, [1, 0], class_names=["cat", "dog"]))
    assert (len(dataset), dataset.shape, dataset.class_names) == (2, shape, ("cat", "dog"))
    assert dataset.labels.tolist() == [1, 0]
    expected = samples[1].transpose(2, 0, 1) if stored[-1] in (1, 3) else samples[1]
    assert dataset.exact(1) == tuple(F(int(k), 255) for k in expected.ravel())
    assert dataset.digest == hashlib.sha256((tmp_path / "d.npz").read_bytes()).hexdigest()


@pytest.mark.parametrize("type_", [np.float16, np.float32, np.float64])
def test_floating_samples_are_exact(tmp_path: Path, type_: type) -> None:
    samples = np.array([[0.1, -2.5, 3e-5]], type_)
    dataset = read(save(tmp_path / "d.npz", samples, [0]))
    assert dataset.exact(0) == tuple(F(float(value)) for value in samples[0])


def test_arrays_of_the_shape_of_samples_are_kept_beside_them(tmp_path: Path) -> None:
    pixels, bounds = images(2, 5, 6, 3), np.random.default_rng(2).normal(size=(2, 5, 6, 3))
    others = {"lower": images(2, 5, 6, 3), "upper": bounds, "mask": bounds > 0, "features": np.ones((2, 4)), "one": 3.0}
    path = save(tmp_path / "d.npz", pixels, [0, 1], **others, names=np.array([None]))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "not an array")
    dataset = read(path)
    assert list(dataset.arrays) == ["lower", "upper"]
    lower, upper = dataset.beside("lower"), dataset.beside("upper")
    assert lower.exact(1) == tuple(F(int(k), 255) for k in others["lower"][1].transpose(2, 0, 1).ravel())
    assert upper.exact(1) == tuple(F(float(v)) for v in bounds[1].transpose(2, 0, 1).ravel())
    assert dataset.beside("images").exact(1) == dataset.exact(1)
    with pytest.raises(UserError, match=r"d\.npz has no array `mask` of the samples' shape") as error:
        dataset.beside("mask")
    assert error.value.hint == "it has images, lower, upper"
    with pytest.raises(UserError, match=r"sample 2 does not exist: .*`lower` has 2 samples"):
        lower.exact(2)
    bounds[1, 0, 0, 0] = np.inf
    with pytest.raises(UserError, match="`upper`: sample 1 holds a value that is not finite"):
        read(save(path, pixels, [0, 1], upper=bounds))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": images(2, 4)}, "no array `labels`; it has images"),
        ({"images": images(2, 4), "labels": np.array([0])}, "2 samples, but labels of shape"),
        ({"images": images(2, 4), "labels": np.array([[0], [1]])}, "2 samples, but labels of shape"),
        ({"images": images(2, 4), "labels": np.array([0.0, 1.0])}, "labels are float64"),
        ({"images": images(2, 4), "labels": np.array([0, -1])}, "sample 1 has label -1"),
        (
            {"images": images(2, 4), "labels": np.array([0, 2]), "class_names": np.array(["a", "b"])},
            "sample 1 has label 2, but the class names are numbered 0 to 1",
        ),
        (
            {"images": images(2, 4), "labels": np.array([0, 1]), "class_names": np.array([1, 2])},
            "not a list of strings",
        ),
        ({"images": images(2, 4).astype(np.int32), "labels": np.array([0, 1])}, "samples are int32"),
        (
            {"images": np.array([[1.0], [np.nan]]), "labels": np.array([0, 1])},
            "sample 1 holds a value that is not finite",
        ),
        ({"images": images(2, 3, 4, 3), "labels": np.array([0, 1])}, "cannot tell the axes"),
        ({"images": images(2, 5, 6, 4), "labels": np.array([0, 1])}, "cannot tell the axes"),
        ({"images": images(2), "labels": np.array([0, 1])}, "cannot tell the axes"),
        ({"images": np.array([None, None]), "labels": np.array([0, 1])}, "cannot be read|can be read"),
    ],
)
def test_archives_that_are_not_well_formed(tmp_path: Path, arrays: dict[str, NDArray[Any]], words: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=words):
        read(tmp_path / "d.npz")


def test_damaged_archives(tmp_path: Path) -> None:
    path = save(tmp_path / "d.npz", images(9, 30, 30), [0] * 9)
    content = path.read_bytes()
    for damaged in (content[:2000], b"", b"PK\3\4 nonsense", content[:300] + b"\0" * 200 + content[500:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="not a NumPy archive that can be read"):
            read(path)
    with path.open("wb") as file:
        np.save(file, images(3))
    with pytest.raises(UserError, match="single array"):
        read(path)


def test_samples_out_of_range(tmp_path: Path) -> None:
    dataset = read(save(tmp_path / "d.npz", images(2, 4), [0, 1]))
    for index in (-1, 2):
        with pytest.raises(UserError, match=f"sample {index} does not exist: .*d.npz has 2 samples"):
            dataset.exact(index)


# Tables


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("3,0,128,255\n1,1,2,3\n", (F(0), F(128, 255), F(1))),
        ("label,a,b,c\n3,0,128,255\n1,1,2,3\n", (F(0), F(128, 255), F(1))),
        ("# scale: exact\n3,0,128,255\n1,1,2,3\n", (F(0), F(128), F(255))),
        ("# scale: pixels\n3,0,1,0\n1,1,0,1\n", (F(0), F(1, 255), F(0))),
        ("# anything\n\n3,0.5,-1,1e3\n1,1,2,3\n", (F(1, 2), F(-1), F(1000))),
        ("3,300,0,1\n1,1,2,3\n", (F(300), F(0), F(1))),
    ],
)
def test_tables(tmp_path: Path, text: str, first: tuple[Fraction, ...]) -> None:
    (tmp_path / "d.csv").write_text(text)
    with gzip.open(tmp_path / "e.csv.gz", "wb") as file:
        file.write(text.encode())
    for name in ("d.csv", "e.csv.gz"):
        dataset = read(tmp_path / name)
        assert dataset.exact(0) == first
        assert dataset.labels.tolist() == [3, 1]
        assert dataset.shape == (3,)


def test_tables_state_the_shape_of_images(tmp_path: Path) -> None:
    pixels = images(2, 4, 5, 3)
    rows = "\n".join(",".join(map(str, [7, *image.ravel().tolist()])) for image in pixels)
    (tmp_path / "d.csv").write_text(f"# shape: 4,5,3\n{rows}\n")
    dataset = read(tmp_path / "d.csv")
    assert dataset.shape == (3, 4, 5)
    assert np.array_equal(dataset.samples, pixels.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no sample"),
        ("label,a\n", "has no sample"),
        ("1,2\n1,x\n", r"d.csv:2: column 2, 'x', is not a number"),
        ("# scale: exact\n1,2\n\n1,2,3\n", r"d.csv:4: 3 columns, where earlier lines have 2"),
        ("1\n2\n", r"d.csv:1: one column"),
        ("1.5,2\n", r"d.csv:1: the label 1.5 is not an integer"),
        ("nan,2\n", r"d.csv:1: the label nan is not an integer"),
        ("1e30,2\n", r"d.csv:1: the label 1e\+30 is not an integer"),
        ("-1,2\n", "sample 0 has label -1"),
        ("1,0,1\n0,1,1\n", "every value is 0 or 1"),
        ("# scale: percent\n1,2\n", "unknown scale 'percent'"),
        ("# scale: pixels\n1,2.5\n", "states pixels"),
        ("# shape: 3,3\n1,2,3\n", "states the shape '3,3', but its samples have 2 features"),
        ("1,nan\n", "not finite"),
        ("1,inf\n", "not finite"),
    ],
)
def test_tables_that_are_not_well_formed(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read(tmp_path / "d.csv")


def test_tables_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"1,\xff\n")
    with pytest.raises(UserError, match="not UTF-8"):
        read(tmp_path / "d.csv")
    (tmp_path / "d.csv.gz").write_bytes(b"not compressed")
    with pytest.raises(UserError, match="cannot be decompressed"):
        read(tmp_path / "d.csv.gz")


# IDX


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx(tmp_path: Path, suffix: str) -> None:
    pixels, labels = images(3, 4, 5), np.array([2, 0, 1], np.uint8)
    pack = gzip.compress if suffix else bytes
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / f"t10k-images-idx3-ubyte{suffix}").write_bytes(pack(idx(pixels)))
    with pytest.raises(UserError, match="no labels beside it"):
        read_dataset(DatasetRef("mnist:test", "/"), str(tmp_path))
    (folder / f"t10k-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(labels)))
    dataset = read_dataset(DatasetRef("mnist:test", "/"), str(tmp_path))
    assert np.array_equal(dataset.samples, pixels[:, None])
    assert dataset.labels.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\x08", "not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\0", "not an IDX file"),
        (b"\0\0\x08\x03\0\0", "middle of its header"),
        (idx(images(3, 4, 5))[:-1], "holds 59 bytes, but its header announces the shape"),
        (idx(images(3, 4, 5)) + b"\0", "holds 61 bytes, but its header announces the shape"),
    ],
)
def test_idx_files_that_are_not_well_formed(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a-images-idx3-ubyte").write_bytes(content)
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(UserError, match=words):
        read(tmp_path / "a-images-idx3-ubyte")


# CIFAR-10 batches


def batch(pixels: NDArray[np.uint8], labels: list[int]) -> dict[bytes, Any]:
    return {b"data": pixels.reshape(len(pixels), -1), b"labels": labels, b"batch_label": b"one"}


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_cifar_batches(tmp_path: Path, protocol: int) -> None:
    pixels = images(5, 3, 32, 32)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, part in (("data_batch_1", slice(0, 2)), ("data_batch_2", slice(2, 4)), ("test_batch", slice(4, 5))):
        content = batch(pixels[part], list(range(len(pixels[part]))))
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"airplane", b"automobile"]}))
    train = read_dataset(DatasetRef("cifar10:train", "/"), str(tmp_path))
    test = read_dataset(DatasetRef("cifar10:test", "/"), str(tmp_path))
    assert np.array_equal(train.samples, pixels[:4])
    assert train.labels.tolist() == [0, 1, 0, 1]
    assert train.class_names == ("airplane", "automobile")
    assert np.array_equal(test.samples, pixels[4:])


class Attack:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("ran",))


@pytest.mark.parametrize("content", [{b"data": Attack()}, Attack()])
def test_pickles_run_no_code(tmp_path: Path, content: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=r"asks for posix\.mkdir"):
        read(tmp_path / "test_batch")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read safely|can be read safely"),
        (pickle.dumps([1]), "holds a list"),
        (pickle.dumps({b"data": [1], b"labels": [1]}), "does not hold CIFAR-10"),
        (pickle.dumps({b"labels": [1]}), "does not hold CIFAR-10"),
    ],
)
def test_cifar_batches_that_are_not_well_formed(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read(tmp_path / "test_batch")


# Names and paths


def test_standard_files_come_before_archives(tmp_path: Path) -> None:
    save(tmp_path / "mnist_test.npz", images(1, 9), [0])
    ref = DatasetRef("mnist:test", "/")
    assert read_dataset(ref, str(tmp_path)).shape == (9,)
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for name, array in (("images-idx3", images(1, 2, 2)), ("labels-idx1", np.zeros(1, np.uint8))):
        (tmp_path / "MNIST" / "raw" / f"t10k-{name}-ubyte").write_bytes(idx(array))
    assert read_dataset(ref, str(tmp_path)).shape == (1, 2, 2)


def test_the_data_folder_is_the_option_then_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, length in (("a", 1), ("b", 2), ("home/.cache/caisar-ext", 3)):
        (tmp_path / folder).mkdir(parents=True)
        save(tmp_path / folder / "toy_test.npz", images(length, 4), [0] * length)
    ref = DatasetRef("toy:test", "/")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CAISAR_EXT_DATA", str(tmp_path / "b"))
    assert len(read_dataset(ref, str(tmp_path / "a"))) == 1
    assert len(read_dataset(ref, None)) == 2
    monkeypatch.delenv("CAISAR_EXT_DATA")
    assert len(read_dataset(ref, None)) == 3


def test_missing_names_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"toy:test was not found: .* has none of toy_test\.npz") as caught:
        read_dataset(DatasetRef("toy:test", "/"), str(tmp_path))
    assert caught.value.hint is not None
    assert "CAISAR_EXT_DATA" in caught.value.hint
    save(tmp_path / "toy_train.npz", images(1, 4), [0])
    with pytest.raises(UserError) as caught:
        read_dataset(DatasetRef("toy:test", "/"), str(tmp_path))
    assert caught.value.hint == "there are toy:train"


def test_missing_files_say_what_there_is(tmp_path: Path) -> None:
    save(tmp_path / "toy.npz", images(1, 4), [0])
    with pytest.raises(UserError, match="does not exist") as caught:
        read(tmp_path / "toys.npz")
    assert caught.value.hint == f"{tmp_path} has toy.npz"
    with pytest.raises(UserError, match="of no known format"):
        read(tmp_path)


@pytest.mark.data
def test_real_names() -> None:
    if not (DATA / "cifar10_test.npz").is_file():
        pytest.skip(f"no cifar10_test.npz in {DATA}")
    dataset = read_dataset(DatasetRef("cifar10:test", "/"), str(DATA))
    assert (len(dataset), dataset.shape) == (10000, (3, 32, 32))
    assert dataset.class_names[3] == "cat"


@pytest.mark.data
@pytest.mark.parametrize(("name", "shape"), [("mnist", (784,)), ("cifar10", (3072,))])
def test_real_tables_agree_with_the_archives(name: str, shape: tuple[int, ...]) -> None:
    table, archive = DATA / "nets" / "eran_csv" / f"{name}_test.csv.gz", DATA / f"{name}_test.npz"
    if not (table.is_file() and archive.is_file()):
        pytest.skip(f"no {table.name} or {archive.name} in {DATA}")
    rows, images_ = read(table), read(archive)
    assert rows.shape == shape
    first = images_.samples[0].transpose(1, 2, 0).ravel() if name == "cifar10" else images_.samples[0].ravel()
    assert np.array_equal(rows.samples[0], first)
    assert rows.labels[0] == images_.labels[0]
