"""A model of colour images: drawn, shown, completed and scored in colour."""

import io
import re

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.site import COLOUR, Site
from tests.browser.visit import Visit

SIZE = 8


def rgb(canvas: Locator) -> np.ndarray:
    """Pixels of a canvas, uint8 [row, col, RGB]; black where nothing is drawn."""
    read = """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)"""
    return np.array(canvas.evaluate(read), np.uint8).reshape(SIZE, SIZE, 4)[:, :, :3]


def choose(page: Page, image: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    page.locator("#file").set_input_files({"name": "colours.png", "mimeType": "image/png", "buffer": file.getvalue()})


def test_a_drawing_is_shown_in_the_colours_of_its_png(visit: Visit, page: Page, site: Site) -> None:
    visit.draw(model=COLOUR, n=1, seed=3)
    address = page.get_by_role("link", name="PNG of image 1").get_attribute("href")
    png = httpx.get(f"{site.url}{address}").content
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "RGB"
        drawn = np.asarray(image)
    assert (rgb(page.locator("#samples canvas")) == drawn).all()
    assert (drawn[:, :, 0] != drawn[:, :, 1]).any() and (drawn[:, :, 1] != drawn[:, :, 2]).any()
    expect(page.locator(f"label:has(input[value={COLOUR}])")).to_contain_text("colour")


def test_a_colour_image_is_completed_and_scored_as_it_is(visit: Visit, page: Page) -> None:
    image = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    visit.open(mode="complete", model=COLOUR, n=1, seed=1, rows=5)
    choose(page, image)
    expect(page.locator("#file-facts")).to_have_text("colours.png, 8 × 8")
    assert (rgb(page.locator("#input"))[:5] == image[:5]).all()
    visit.submit()
    visit.wait_for("succeeded")
    completed = rgb(page.locator("#samples canvas"))
    assert (completed[:5] == image[:5]).all() and (completed[5:] != image[5:]).any()
    expect(page.locator("#result-facts")).to_contain_text("5 rows kept · exact")
    page.get_by_role("radio", name="Score").check()
    visit.submit()
    expect(page.locator(".score b")).to_have_text(re.compile(r"−\d+\.\d\d nats"))
