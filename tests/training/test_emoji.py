"""Which emoji are one another's variants, and what becomes of a picture; the packages' own content is checked when
it is fetched."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.test_fetch import install_command
from training.datasets import find
from training.emoji import GROUPS, VENDORS, base_emoji, drawings, emoji_fetcher, on_white, split_files
from training.fetch import DataError
from training.idx import read_idx


@pytest.mark.parametrize(
    "alike",
    [
        ("1F44D", "1F44D-1F3FB", "1F44D-1F3FF"),  # thumbs up
        ("1F468-200D-1F373", "1F469-1F3FD-200D-1F373", "1F9D1-200D-1F373"),  # cook
        ("1F3C3", "1F3C3-200D-2640-FE0F", "1F3C3-1F3FE-200D-2642-FE0F-200D-27A1-FE0F"),  # runner, facing right
        ("1F468-200D-2764-FE0F-200D-1F468", "1F469-1F3FB-200D-2764-FE0F-200D-1F468-1F3FF"),  # couple
        ("2764-FE0F", "2764"),  # heart
    ],
)
def test_variants_have_one_base_emoji(alike: tuple[str, ...]) -> None:
    assert len({base_emoji(points) for points in alike}) == 1


def test_other_emoji_have_another() -> None:
    others = ["1F1E9-1F1EA", "1F1EB-1F1F7", "2640-FE0F", "2642-FE0F", "27A1-FE0F", "1F468", "1F466", "1F468-200D-1F373"]
    assert len({base_emoji(points) for points in others}) == len(others)


def entry(points: str, group: str = "People & Body", **tones: str) -> dict[str, object]:
    varied = {tone.replace("_", "-"): {"unified": p, "image": f"{p}.png"} for tone, p in tones.items()}
    told = {"unified": points, "image": f"{points}.png", "category": group, "subcategory": ""}
    return {**told, "skin_variations": varied}


def test_all_variants_lie_in_one_split_and_only_yellow_ones_are_measured() -> None:
    points = [f"1F{number:03X}" for number in range(200)]
    table = [entry(p, **{"1F3FB": f"{p}-1F3FB", "1F3FB_1F3FC": f"{p}-1F3FB-1F3FC"}) for p in points]
    table.append(entry("1F3FB", "Component"))
    all_drawings = [drawing for vendor in VENDORS for drawing in drawings(vendor, table)]
    assert len(all_drawings) == 2 * 200 * 3
    for p in points:
        variants = [d for d in all_drawings if d.code_points.startswith(p)]
        assert len({d.split for d in variants}) == 1
        used = [len(d.tones) for d in variants if d.is_used]
        assert used == ([0, 1] * 2 if variants[0].split == "train" else [0] * 2)
    shares = {name: sum(d.split == name for d in all_drawings) / len(all_drawings) for name in ("test", "validation")}
    assert all(0.05 < share < 0.17 for share in shares.values())


def test_a_picture_lies_on_white_and_each_pixel_is_the_mean_of_four() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :2] = (200, 100, 0, 255)
    pixels[:2, 2:] = (0, 0, 0, 128)
    pixels[2:, 2:] = (10, 20, 30, 255)
    pixels[2, 2] = (0, 0, 0, 0)
    image = on_white(Image.fromarray(pixels), 2)
    assert image[0].tolist() == [[200, 100, 0], [127, 127, 127]]
    assert image[1].tolist() == [[255, 255, 255], [71, 79, 86]]  # (3 * 10 + 255 + 2) // 4 and so on
    assert (on_white(Image.fromarray(pixels).convert("LA"), 4)[2:, :2] == 255).all()


def test_pictures_that_repeat_another_are_left_out_and_the_last_of_train_validate() -> None:
    table = [entry(f"1F{number:03X}", "Flags" if number % 2 else "Symbols") for number in range(60)]
    random = np.random.default_rng(0)
    pictures = {d: random.integers(0, 256, (2, 2, 3)).astype(np.uint8) for d in drawings("google", table)}
    repeated, original = list(pictures)[7], list(pictures)[6]
    pictures[repeated] = pictures[original]
    files = {name: read_idx(content) for name, content in split_files(pictures).items()}
    assert len(files["train-images"]) + len(files["test-images"]) == 59
    validation = [p for d, p in pictures.items() if d.split == "validation" and d is not repeated]
    assert (files["train-images"][-len(validation) :] == np.stack(validation)).all()
    names = [list(GROUPS).index(d.group) for d in pictures if d.split == "test" and d is not repeated]
    assert files["test-labels"].tolist() == names


def test_a_package_with_other_pictures_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    table = [entry("1F600", "Flags"), entry("1F601", "Flags")] + [entry(f"1F{k:03X}", "Flags") for k in range(40)]
    for vendor in VENDORS:
        (package / "img" / vendor / "64").mkdir(parents=True)
        for number, drawn in enumerate(table):
            Image.new("RGBA", (64, 64), (number, 0, 0, 255)).save(package / "img" / vendor / "64" / str(drawn["image"]))
    (package / "emoji.json").write_text(json.dumps(table))
    install_command(tmp_path / "bin", "npm", f"tar czf a.tgz -C {tmp_path} package", monkeypatch)
    with pytest.raises(DataError, match=r"train-images of emoji32 has sha256 .*, expected .*nothing was written"):
        emoji_fetcher(32)(tmp_path / "emoji32")
    assert not (tmp_path / "emoji32").exists()


def test_the_sets_name_nine_groups_and_three_channels() -> None:
    for name in ("emoji32", "emoji64"):
        dataset = find(name)
        assert (len(dataset.class_names), dataset.channels, dataset.num_levels) == (9, 3, 256)
