"""What a run that begins with the net of another begins with."""

import dataclasses
from pathlib import Path

import pytest
import torch

from models.base import Model
from models.multi_scale import MultiScale
from models.row_lstm import RowLSTM
from tests.training.test_fit import load_last, read_config, write_config
from training.__main__ import main
from training.config import ConfigError
from training.encoder_config import EncoderConfig
from training.fit import fit
from training.start import start_from

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def row_lstm(num_classes: int, width: int = 4, direct: bool = False) -> RowLSTM:
    return RowLSTM(1, 2, width, 1, first_kernel=3, head_width=8, num_classes=num_classes, direct=direct)


def saved(model: Model, folder: Path) -> Path:
    path = folder / "best.ckpt"
    torch.save({"state_dict": {f"model.{name}": value for name, value in model.state_dict().items()}}, path)
    return path


def images() -> torch.Tensor:
    return torch.randint(0, 2, (3, 1, 5, 4), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def test_what_both_are_told_says_the_same_and_what_is_new_says_nothing(tmp_path: Path) -> None:
    old, new = row_lstm(2), row_lstm(5, direct=True)
    start_from(new, saved(old, tmp_path))
    told = torch.eye(2)[[0, 1, 1]]
    expected = old.log_prob(images(), told)
    for rest in (torch.zeros(3, 3), torch.rand(3, 3)):
        torch.testing.assert_close(new.log_prob(images(), torch.cat([told, rest], 1)), expected)


def test_what_has_the_same_name_says_the_same_wherever_it_stands(tmp_path: Path) -> None:
    old, new = row_lstm(3), row_lstm(2)
    start_from(new, saved(old, tmp_path), ("a", "b", "c"), ("new", "b"))
    expected = old.log_prob(images(), torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, 0.5, 0]]))
    for first in (0.0, 1.0):
        told = torch.tensor([[first, 1], [first, 0], [first, 0.5]])
        torch.testing.assert_close(new.log_prob(images(), told), expected)


@pytest.mark.parametrize("other", [row_lstm(3), row_lstm(2, width=6)], ids=["told more", "wider"])
def test_another_net_is_refused(other: RowLSTM, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"best\.ckpt is of another net"):
        start_from(row_lstm(2), saved(other, tmp_path))


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fit the run to start from first"):
        start_from(row_lstm(2), tmp_path / "best.ckpt")


def test_a_run_begins_with_the_best_weights_of_another_and_goes_on_with_its_own(tmp_path: Path) -> None:
    first = read_config(tmp_path, max_steps=50)
    folder = fit(first, tmp_path / "runs", tmp_path / "data", progress=False)
    second = dataclasses.replace(first, id="second", max_steps=10, learning_rate=1e-12, start_run="tiny")
    begun = fit(second, tmp_path / "runs", tmp_path / "data", progress=False, start=first)
    best = torch.load(folder / "best.ckpt", weights_only=True)["state_dict"]
    for name, value in load_last(begun)["state_dict"].items():
        torch.testing.assert_close(value, best[name], rtol=0, atol=1e-9)
    (folder / "best.ckpt").unlink()
    longer = dataclasses.replace(second, max_steps=20)
    fit(longer, tmp_path / "runs", tmp_path / "data", progress=False, start=first)
    assert load_last(begun)["global_step"] == 20


def test_a_net_that_is_told_nothing_does_not_begin_with_one_that_is(tmp_path: Path) -> None:
    first = read_config(tmp_path)
    second = dataclasses.replace(first, id="second", conditional=False, start_run="tiny")
    with pytest.raises(ConfigError, match="second: tiny was told 0, 1, "):
        fit(second, tmp_path / "runs", tmp_path / "data", progress=False, start=first)


def test_a_chain_keeps_what_equal_names_say_in_both_nets(tmp_path: Path) -> None:
    sizes = {"kind": "row_lstm", "width": 4, "num_layers": 1, "first_kernel": 3, "head_width": 8}
    old, new = (MultiScale(1, 2, 1, 4, 3, sizes, sizes, num_classes=number, map_cells=True) for number in (2, 3))
    start_from(new, saved(old, tmp_path), ("a", "b"), ("new", "b", "other"))
    expected = old.log_prob(images(), torch.tensor([[0.0, 1]] * 3))
    told = torch.tensor([[first, 1.0, 0.3] for first in (0.0, 1.0, 0.5)])
    torch.testing.assert_close(new.log_prob(images(), told), expected)


def test_a_run_does_not_begin_with_another_than_its_config_names(tmp_path: Path) -> None:
    first = read_config(tmp_path)
    for start_run, start in (("tiny", None), ("", first)):
        second = dataclasses.replace(first, id="second", start_run=start_run)
        with pytest.raises(ConfigError, match="second: begins with"):
            fit(second, tmp_path / "runs", tmp_path / "data", progress=False, start=start)


def test_a_run_that_an_encoder_tells_is_no_beginning(tmp_path: Path) -> None:
    first = read_config(tmp_path)
    second = dataclasses.replace(first, id="second", start_run="tiny")
    told = dataclasses.replace(first, encoder=EncoderConfig(2, (2,), 2))
    with pytest.raises(ConfigError, match="start_run tiny is told neither"):
        fit(second, tmp_path / "runs", tmp_path / "data", progress=False, start=told)


def test_the_command_reads_the_other_runs_config_from_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(tmp_path)
    monkeypatch.setattr("training.__main__.prepare", lambda *_: None)  # of the whole data set
    (tmp_path / "second.toml").write_text(path.read_text().replace('"tiny"', '"second"\nstart_run = "tiny"'))
    options = ["--data", str(tmp_path / "data"), "--runs", str(tmp_path / "runs")]
    assert main([*options, "fit", "--no-bundle", str(tmp_path / "second.toml")]) == 1
    assert "best.ckpt is not there: fit the run to start from first" in capsys.readouterr().err
