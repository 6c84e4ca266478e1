"""An image of one's own: converted, completed, scored."""

import io
import re
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, expect

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


def test_a_light_image_for_a_model_of_white_on_black_is_told_of(visit: Visit, page: Page) -> None:
    def of_digits(model: dict[str, Any]) -> None:
        if model["id"] == BINARY:
            model["training"]["data"] = "MNIST, binarised"

    visit.tell_of_models(of_digits)
    visit.open(mode="score", model=BINARY)
    hint, invert = page.get_by_text("Mostly light"), page.get_by_role("checkbox", name="Invert")
    paper = np.full((SIZE, SIZE), 255, np.uint8)
    paper[2:6, 4] = 0
    choose(page, png(paper))
    expect(hint).to_be_visible()
    expect(invert).to_have_accessible_description(re.compile("Mostly light"))
    expect(invert).not_to_be_checked()
    invert.check()
    expect(hint).to_be_hidden()
    invert.uncheck()
    expect(hint).to_be_visible()
    visit.card(GREY).click()  # nobody said of what: perhaps of light images
    expect(hint).to_be_hidden()
    visit.card(BINARY).click()
    expect(hint).to_be_visible()
    choose(page, png(255 - paper), "dark.png")
    expect(page.locator("#file-facts")).to_contain_text("dark.png")
    expect(hint).to_be_hidden()


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


def test_a_bound_on_a_score_is_shown_as_one(visit: Visit, page: Page) -> None:
    """The job is one of an exact model, told as if it were of a chain of two nets."""

    def told(route: Route) -> None:
        answer = httpx.get(route.request.url)
        route.fulfill(body=re.sub(r'"kind": ?"exact"', '"kind": "bound"', answer.text), content_type="application/json")

    page.route(re.compile(r"/v1/jobs/\w+$"), told)
    visit.open(mode="score", model=GREY)
    choose(page, png(np.zeros((SIZE, SIZE), np.uint8)))
    visit.submit()
    score = page.get_by_role("region", name="Score of image 1")
    expect(score.locator("tbody td:nth-child(2)")).to_have_text([re.compile(r"^≥ −\d+\.\d\d$")] * 3)
    expect(score.locator("b")).to_have_text(re.compile(r"^≥ −\d+\.\d\d nats$"))
    expect(score).to_contain_text(re.compile(r"≤ \d+\.\d{3} bits/dim"))


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
