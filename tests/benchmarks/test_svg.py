import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks.svg import Bar, Line, Panel, bars, panels

SVG = "{http://www.w3.org/2000/svg}"


def dots(panel: Panel) -> list[tuple[float, float]]:
    circles = ElementTree.fromstring(panels([panel])).iter(f"{SVG}circle")
    return [(float(circle.attrib["cx"]), float(circle.attrib["cy"])) for circle in circles]


def test_a_power_law_is_a_straight_line() -> None:
    points = dots(Panel("t", "x", "y", [Line("a", [(1, 3), (10, 300), (100, 30_000)])]))
    assert len(points) == 3
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and x1 > x0
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.2) and y1 < y0  # up is less, in SVG


def test_what_is_ideal_is_ideal_and_has_no_dots() -> None:
    figure = panels([Panel("t", "x", "y", [Line("ideal", [(1, 1), (2, 2)], is_ideal=True)])])
    assert "line ideal" in figure and "<circle" not in figure


def test_the_length_of_a_bar_is_the_logarithm_of_its_value() -> None:
    figure = bars(
        "t", "images a second", [Bar("g", name, value, "") for name, value in (("a", 1), ("b", 10), ("c", 1000))]
    )
    rects = ElementTree.fromstring(figure).iter(f"{SVG}rect")
    widths = [float(rect.attrib["width"]) for rect in rects if rect.attrib["class"].startswith("bar")]
    assert widths[2] - widths[1] == pytest.approx(2 * (widths[1] - widths[0]), abs=5)
    assert widths[0] < widths[1] < widths[2]


def test_names_are_escaped() -> None:
    figure = bars("a < b & c", "s", [Bar("g", "<n>", 1, "1"), Bar("g", "m", 2, "2")])
    assert "a < b & c" in {text.text for text in ElementTree.fromstring(figure).iter(f"{SVG}text")}
