"""A hole in an image: dragged or said in numbers, drawn once or swept; how its chains went."""

import io
import re

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.site import BINARY, DENSITY, Site
from tests.browser.visit import Visit

SIZE = 8
IMAGE = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (SIZE, SIZE))


def choose(page: Page, image: np.ndarray = IMAGE) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    page.locator("#file").set_input_files({"name": "digit.png", "mimeType": "image/png", "buffer": file.getvalue()})
    expect(page.locator("#input-frame")).to_be_visible()


def open_hole(visit: Visit, **form: object) -> None:
    visit.open(mode="complete", **form)
    choose(visit.page)
    visit.page.get_by_role("radio", name="A hole").check()


def drag(page: Page, first: tuple[int, int], last: tuple[int, int]) -> None:
    """From the middle of one pixel (column, row) of the preview to that of another."""
    page.locator("#input").scroll_into_view_if_needed()
    box = page.locator("#input").bounding_box()
    assert box is not None
    (x, y), (to_x, to_y) = ((box["x"] + box["width"] * (c + 0.5) / SIZE, box["y"] + box["height"] * (r + 0.5) / SIZE)
                            for c, r in (first, last))  # fmt: skip
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=3)
    page.mouse.up()


def hole(page: Page) -> list[str]:
    return [page.get_by_label(name, exact=True).input_value() for name in ("Left", "Top", "Wide", "High")]


def transparent(page: Page) -> np.ndarray:
    """Where the preview has a hole, bool [row, col]."""
    read = """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)"""
    shown: np.ndarray = np.array(page.locator("#input").evaluate(read), np.uint8).reshape(SIZE, SIZE, 4)
    holes: np.ndarray = shown[:, :, 3] == 0
    return holes


def test_a_hole_is_dragged_and_filled_from_the_posterior(visit: Visit, page: Page, site: Site) -> None:
    open_hole(visit, model=BINARY, n=3, seed=1)
    drag(page, (5, 4), (2, 1))
    assert hole(page) == ["2", "1", "4", "4"]
    expected = np.zeros((SIZE, SIZE), np.bool_)
    expected[1:5, 2:6] = True
    assert (transparent(page) == expected).all()
    page.get_by_label("Sweeps").fill("4")
    expect(page.locator("#temperature")).to_be_hidden()
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_have_text(
        "3 images · seed 1 · 4 sweeps · posterior: drawn from p(hole | all that is kept)"
    )
    for pixels in visit.pixels():
        assert (np.array(pixels).reshape(SIZE, SIZE) == IMAGE)[~expected].all()
    expect(page.locator(".sample-facts").first).to_have_text(re.compile(r"−\d+\.\d\d nats.* % accepted"))
    path = page.get_by_role("link", name="Job as JSON").get_attribute("href")
    job = httpx.get(f"{site.url}{path}").json()
    assert (job["request"]["conditioning"], job["request"]["sweeps"]) == ("posterior", 4)
    plot = page.get_by_role("img", name=re.compile(r"Likelihood of each image over 4 sweeps, between −\d+\.\d\d nats"))
    lines = plot.locator("polyline").evaluate_all(
        "all => all.map(line => line.getAttribute('points').split(' ').length)"
    )
    assert lines == [5, 5, 5]
    link = page.url
    assert "hole=2%2C1%2C4%2C4" in link and "sweeps=4" in link and "rows=" not in link
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("radio", name="A hole")).to_be_checked()
    assert hole(page) == ["2", "1", "4", "4"]
    expect(plot.locator("polyline")).to_have_count(3)


def test_a_hole_is_drawn_once_without_sweeps(visit: Visit, page: Page) -> None:
    open_hole(visit, model=BINARY, n=1, seed=1)
    assert hole(page) == ["2", "2", "3", "3"]
    page.get_by_label("Sweeps").fill("0")
    expect(page.locator("#temperature")).to_be_visible()
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("causal only")
    expect(page.locator("#traces")).to_be_empty()
    expect(page.locator(".sample-facts")).to_contain_text("drawn part −")


def test_a_hole_that_ends_the_image_is_exact_without_sweeps(visit: Visit, page: Page) -> None:
    open_hole(visit, model=BINARY, n=1, seed=1)
    for name, value in (("Left", "0"), ("Top", "5"), ("Wide", "99"), ("High", "3")):
        page.get_by_label(name, exact=True).fill(value)
    page.keyboard.press("Tab")
    assert hole(page) == ["0", "5", "8", "3"]
    expect(page.get_by_label("Sweeps")).to_be_hidden()
    expect(page.get_by_text("Nothing is kept after this hole")).to_be_visible()
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("exact")


def test_what_is_too_large_to_be_swept_is_said_at_the_sweeps(visit: Visit, page: Page) -> None:
    visit.allow("422")
    visit.open(mode="complete", model=DENSITY, n=1, seed=1)
    choose(page, np.zeros((60, 60), np.uint8))
    page.get_by_role("radio", name="A hole").check()
    assert hole(page) == ["20", "20", "20", "20"]
    page.get_by_label("Wide", exact=True).fill("33")
    visit.submit()
    expect(visit.error("sweeps")).to_contain_text("the box around a hole that is swept may have at most 32x32")
    assert page.evaluate("document.activeElement.id") == "sweeps"
    page.get_by_label("Wide", exact=True).fill("30")
    expect(visit.error("sweeps")).to_be_hidden()


def test_a_swept_image_is_shown_as_it_ended_whatever_was_told_of_it(visit: Visit, page: Page) -> None:
    """Of what was told while a connection was lost for long, the end alone may be left."""
    open_hole(visit, model=BINARY, n=1, seed=1)
    visit.submit()
    visit.wait_for("succeeded")
    drawn, link = visit.pixels(), page.url

    def outdated(route: Route) -> None:
        told = re.sub('"data": "[^"]*"', '"data": "AAAAAAAAAAA="', httpx.get(route.request.url).text)
        route.fulfill(body=told, content_type="text/event-stream")

    page.route("**/events", outdated)
    page.goto("about:blank")
    page.goto(link)
    visit.wait_for("succeeded")
    assert visit.pixels() == drawn


def test_an_opened_job_asks_for_a_hole_if_it_had_one_and_else_for_no_other_sweeps(visit: Visit, page: Page) -> None:
    open_hole(visit, model=BINARY, n=1, seed=1)
    page.get_by_label("Sweeps").fill("2")
    visit.submit()
    visit.wait_for("succeeded")
    page.get_by_role("radio", name="All below some rows").check()
    page.locator("#sweeps").evaluate("field => (field.value = 7)")
    visit.submit()
    expect(page.locator("#recent button")).to_have_count(2)
    visit.wait_for("succeeded")
    page.get_by_role("radio", name="A hole").check()
    page.locator("#recent button").first.click()
    expect(page.get_by_role("radio", name="All below some rows")).to_be_checked()
    expect(page.locator("#sweeps")).to_have_value("7")
    page.locator("#recent button").last.click()
    expect(page.get_by_role("radio", name="A hole")).to_be_checked()
    expect(page.locator("#sweeps")).to_have_value("2")
