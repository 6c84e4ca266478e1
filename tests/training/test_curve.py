from pathlib import Path
from xml.etree import ElementTree

from training.curve import averaged, curve_svg, read_curve


def test_logs_of_a_resumed_run_are_joined(tmp_path: Path) -> None:
    for version, rows in enumerate(("9,90.0,\n9,,95.0\n19,85.0,\n", "9,91.0,\n29,80.0,\n")):
        folder = tmp_path / "log" / f"version_{version}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text("step,train_nats,validation_nats\n" + rows)
    assert read_curve(tmp_path, "validation_nats") == [(10, 95.0)]
    assert read_curve(tmp_path, "train_nats") == [(10, 91.0), (20, 85.0), (30, 80.0)]


def test_the_curve_is_well_formed_svg() -> None:
    svg = curve_svg({"train": [(1, 9.0), (50, 5.0), (100, 4.0)], "validation": [(100, 4.5)]}, "nats")
    root = ElementTree.fromstring(svg)
    assert len([e for e in root if e.tag.endswith("polyline")]) == 2


def test_a_long_curve_is_averaged_and_a_short_one_left() -> None:
    assert averaged([(1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0), (5, 9.0)], num_points=3) == [(2, 3.0), (4, 7.0), (5, 9.0)]
    assert averaged([(1, 2.0), (2, 4.0)], num_points=3) == [(1, 2.0), (2, 4.0)]
    assert averaged([]) == []
