"""An image of one's own: converted, completed, scored."""

import io
import re

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.site import BINARY, GREY
from tests.browser.visit import Visit

SIZE = 8


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def choose(page: Page, data: bytes, name: str = "digit.png") -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def shown(page: Page) -> np.ndarray:
    """The preview, uint8 [row, col, RGBA]."""
    read = """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)"""
    return np.array(page.locator("#input").evaluate(read), np.uint8).reshape(SIZE, SIZE, 4)


def test_complete(visit: Visit, page: Page) -> None:
    image = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (SIZE, SIZE))
    visit.open(mode="complete", model=BINARY, n=2, seed=1, rows=5)
    choose(page, png(image))
    expect(page.locator("#file-facts")).to_have_text("digit.png, 8 × 8")
    page.get_by_role("slider", name="Keep the top").fill("3")
    assert (shown(page)[:3, :, 0] == image[:3]).all() and (shown(page)[3:, :, 3] == 0).all()
    visit.submit()
    visit.wait_for("succeeded")
    for pixels in visit.pixels():
        assert pixels[: 3 * SIZE] == image[:3].ravel().tolist()
    expect(page.locator("#result-facts")).to_contain_text("3 rows kept · exact")
    expect(page.locator(".sample-facts").first).to_contain_text("drawn part −")


def test_drawn_image_can_be_completed(visit: Visit, page: Page) -> None:
    drawn = visit.draw(model=GREY, n=2, seed=9)
    page.get_by_role("button", name="Complete image 2").click()
    expect(page.get_by_role("radio", name="Complete")).to_be_checked()
    assert page.evaluate("document.activeElement.id") == "rows"
    page.locator("#rows").fill("7")
    assert shown(page)[:7, :, 0].ravel().tolist() == drawn[1][: 7 * SIZE]


def test_any_image_is_converted_and_said_so(visit: Visit, page: Page) -> None:
    photograph = np.random.default_rng(1).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    visit.open(mode="score", model=BINARY)
    choose(page, png(photograph))
    expect(page.locator("#file-facts")).to_have_text(
        "digit.png, 40 × 30; cropped to its middle, resized to 8 × 8, turned grey, made black and white for the model"
    )
    before = shown(page)
    page.get_by_role("checkbox", name="Invert").check()
    assert (shown(page)[:, :, 0] == 255 - before[:, :, 0]).all()
    visit.submit()
    expect(page.locator(".score b")).to_have_text(re.compile(r"−\d+\.\d\d nats"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the image that was sent").click()
    with Image.open(download.value.path()) as sent:
        assert sent.size == (SIZE, SIZE)


def test_dropped_file_is_taken(visit: Visit, page: Page) -> None:
    visit.open(mode="score", model=BINARY)
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            return transfer;
        }""",
        list(png(np.zeros((SIZE, SIZE), np.uint8))),
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect(page.locator("#file-facts")).to_contain_text("dropped.png")


def test_score_says_nats_bits_and_percentile(visit: Visit, page: Page) -> None:
    visit.open(mode="score", model=BINARY)
    choose(page, png(np.zeros((SIZE, SIZE), np.uint8)))
    visit.submit()
    score = page.get_by_role("region", name="Score of image 1")
    expect(score).to_contain_text(re.compile(r"−\d+\.\d\d nats"))
    expect(score).to_contain_text("bits/dim")
    expect(score).to_contain_text(re.compile(r"More probable than (< |> )?\d+ % of the test images"))
    natural = "image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
    assert score.get_by_role("img", name="Map").evaluate(natural) == [SIZE, SIZE]


def test_score_under_every_class(visit: Visit, page: Page) -> None:
    visit.open(mode="score", model=GREY)
    expect(page.get_by_role("radio", name="every class")).to_be_checked()
    choose(page, png(np.zeros((SIZE, SIZE), np.uint8)))
    visit.submit()
    shares = page.locator(".score tbody td:last-child")
    expect(shares).to_have_count(3)
    assert 98 <= sum(int(text.split()[0]) for text in shares.all_inner_texts()) <= 102


def test_file_that_is_no_image(visit: Visit, page: Page) -> None:
    visit.open(mode="score", model=BINARY)
    choose(page, b"hello", "notes.txt")
    expect(visit.error("image")).to_contain_text("notes.txt is not an image")
    visit.submit()
    expect(visit.error("image")).to_have_text("Choose an image first.")
    choose(page, png(np.zeros((SIZE, SIZE), np.uint8)))
    expect(visit.error("image")).to_be_hidden()
    assert page.locator("#file").get_attribute("aria-invalid") is None
