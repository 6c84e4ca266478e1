"""A density on the page: any size, floats shown as bytes, its own unit, no temperature."""

import io
import re

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.site import DENSITY, GREY, Site
from tests.browser.visit import Visit

UNIT = re.compile(r"−?\d+\.\d{3} bit/px")


def choose(page: Page, image: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    page.locator("#file").set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": file.getvalue()})


def test_a_size_is_asked_for_and_what_is_drawn_is_shown_in_bytes(visit: Visit, page: Page, site: Site) -> None:
    visit.open(model=DENSITY, n=1, seed=3)
    expect(page.locator("#temperature")).to_be_hidden()
    card = page.locator(f"label:has(input[value={DENSITY}])")
    expect(card).to_contain_text("any size · grey · density")
    expect(card).to_contain_text("1.500 ± 0.100 bit/px of a density")
    page.get_by_label("Width").fill("12")
    page.get_by_label("Height").fill("9")
    visit.submit()
    visit.wait_for("succeeded")
    address = page.get_by_role("link", name="PNG of image 1").get_attribute("href")
    with Image.open(io.BytesIO(httpx.get(f"{site.url}{address}").content)) as image:
        assert image.size == (12, 9)
        assert visit.pixels() == [np.asarray(image).ravel().tolist()]
    expect(page.locator(".sample-facts")).to_have_text(UNIT)
    expect(page.locator("#result")).not_to_contain_text("nats")
    expect(page.locator("#result-facts")).to_have_text("1 image · seed 3 · 8 pixels of margin cut off")
    with page.expect_download() as download:
        page.get_by_role("link", name="Numbers (npy)").click()
    assert np.load(download.value.path()).dtype == np.float32
    expect(page.locator("#curl")).to_contain_text('"height":9,"width":12')


def test_a_link_carries_the_size_and_a_model_of_one_size_has_none(visit: Visit, page: Page) -> None:
    visit.open(model=DENSITY, n=1, seed=3, width=5, height=4)
    expect(page.get_by_label("Width")).to_have_value("5")
    visit.submit()
    visit.wait_for("succeeded")
    assert len(visit.pixels()[0]) == 20
    page.get_by_role("radio", name=GREY, exact=True).check()
    expect(page.get_by_label("Width")).to_be_hidden()
    expect(page.locator("#temperature")).to_be_visible()


def test_a_size_that_is_refused_is_told_at_its_field(visit: Visit, page: Page) -> None:
    visit.allow("422")
    visit.open(model=DENSITY, n=1, seed=3, width=5, height=5000)
    visit.submit()
    expect(visit.error("height")).to_contain_text("no side of an image may have more than 1024")


def test_a_photograph_is_scored_in_the_units_of_a_density(visit: Visit, page: Page) -> None:
    image = np.random.default_rng(0).integers(90, 160, (9, 11, 3)).astype(np.uint8)
    visit.open(mode="score", model=DENSITY)
    choose(page, image)
    expect(page.locator("#file-facts")).to_contain_text("turned grey for the model")
    visit.submit()
    visit.wait_for("succeeded")
    score = page.get_by_role("region", name="Score of image 1")
    expect(score.locator("b")).to_have_text(re.compile(r"−?\d+\.\d{3} ± \d+\.\d{3} bit/px"))
    expect(score).to_contain_text(re.compile(r"at most \d+\.\d{3} ± \d+\.\d{3} bits/dim"))
    expect(score).not_to_contain_text("nats")
    expect(score.get_by_role("img")).to_be_visible()


def test_known_rows_come_back_as_they_were(visit: Visit, page: Page) -> None:
    image = np.random.default_rng(1).integers(0, 256, (8, 6)).astype(np.uint8)
    visit.open(mode="complete", model=DENSITY, n=1, seed=1, rows=5)
    choose(page, image)
    visit.submit()
    visit.wait_for("succeeded")
    drawn = np.array(visit.pixels()[0]).reshape(8, 6)
    assert (drawn[:5] == image[:5]).all() and (drawn[5:] != image[5:]).any()
    expect(page.locator("#result-facts")).to_contain_text("5 rows kept · exact")
