"""What a model is conditioned on, on the page: tags, an image, a path from one image to another."""

import io
import json
import re

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.site import BINARY, LARGER, PORTRAITS, TAGGED, TAGS, Site
from tests.browser.visit import Visit

SIDE = 8


def choose(page: Page, box: str, seed: int, side: int = SIDE) -> bytes:
    """Puts a random image into the box `like` or `toward`; its file."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (side, side))
    Image.fromarray(pixels).save(file, "PNG")
    given = {"name": f"image {seed}.png", "mimeType": "image/png", "buffer": file.getvalue()}
    page.locator(f"#{box}-file").set_input_files(given)
    return file.getvalue()


def job_of(page: Page, site: Site) -> dict[str, object]:
    path = page.get_by_role("link", name="Job as JSON").get_attribute("href")
    job: dict[str, object] = httpx.get(f"{site.url}{path}").json()
    return job


def test_tags_are_searched_chosen_and_drawn(visit: Visit, page: Page, site: Site) -> None:
    visit.open(model=TAGGED, n=2, seed=3)
    expect(page.locator("#tags-chosen")).to_have_text("None chosen: anything may come.")
    page.get_by_label("Find tags").fill("LIGHT")
    expect(page.get_by_role("checkbox", name="red")).to_be_hidden()
    page.get_by_role("checkbox", name="small & light").check()
    page.get_by_label("Find tags").fill("")
    page.get_by_role("checkbox", name="red").check()
    expect(page.locator("#tags-chosen")).to_have_text("Chosen: red, small & light")
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("tags red, small & light · 2 images")
    assert job_of(page, site)["request"]["condition"] == {"tags": ["red", "small & light"]}  # type: ignore[index]
    drawn = visit.pixels()
    link = page.url
    visit.open(model=BINARY)  # another model has no tags
    expect(page.locator("#condition")).to_be_hidden()
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("checkbox", name="small & light")).to_be_checked()
    expect(page.get_by_role("checkbox", name="round")).not_to_be_checked()
    visit.wait_for("succeeded")
    assert visit.pixels() == drawn


def test_all_tags_are_one_tab_stop_within_which_arrows_move(visit: Visit, page: Page) -> None:
    visit.open(model=TAGGED, tags="round")
    press, tag = page.keyboard.press, {name: page.get_by_role("checkbox", name=name) for name in TAGS}
    expect(page.get_by_role("group", name="Tags to choose from")).to_have_accessible_description(
        re.compile("Arrow keys")
    )
    page.get_by_label("Find tags").focus()
    press("Tab")
    expect(tag["round"]).to_be_focused()  # the first that is chosen
    press("ArrowRight")
    expect(tag["small & light"]).to_be_focused()
    press("Space")
    press("ArrowRight")
    expect(tag["red"]).to_be_focused()
    press("Enter")
    expect(page.locator("#tags-chosen")).to_have_text("Chosen: red, round, small & light")
    expect(page.locator("#result-title")).to_have_text("Nothing drawn yet")
    press("ArrowUp")
    expect(tag["small & light"]).to_be_focused()
    press("Home")
    expect(tag["red"]).to_be_focused()
    press("End")
    press("Enter")
    expect(tag["small & light"]).not_to_be_checked()
    press("Tab")
    expect(page.locator("#n")).to_be_focused()
    press("Shift+Tab")
    expect(tag["small & light"]).to_be_focused()  # where it was left
    page.get_by_label("Find tags").fill("ro")  # which hides it
    press("Tab")
    press("Tab")
    expect(page.locator("#n")).to_be_focused()
    press("Shift+Tab")
    assert page.evaluate("document.activeElement.name") == "tag"


def test_an_unreadable_file_is_an_error_of_the_condition(visit: Visit, page: Page) -> None:
    visit.open(model=PORTRAITS)
    page.locator("#like-file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"})
    expect(visit.error("condition")).to_have_text("notes.txt is not an image that this browser can read.")
    choose(page, "like", 1)
    expect(visit.error("condition")).to_be_hidden()


def test_images_are_drawn_like_another(visit: Visit, page: Page, site: Site) -> None:
    visit.open(model=PORTRAITS, n=3, seed=5)
    visit.submit()
    expect(visit.error("condition")).to_have_text("Choose an image for the model's encoder, or give its numbers.")
    choose(page, "like", 1, side=30)
    expect(page.locator("#like-facts")).to_have_text(
        re.compile(r"image 1\.png; resized to 8 × 8, .*made black and white for the model")
    )
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("like an image · 3 images · seed 5")
    job = job_of(page, site)
    receipt = job["result"][2]["receipt"]  # type: ignore[index]
    assert len(receipt["condition"]["embedding"]) == 4 and receipt["embedded_images"][0]["format"] == "PNG"
    again = httpx.post(
        f"{site.url}v1/samples",
        json={"model": PORTRAITS, "n": 3, "seed": 5, "condition": receipt["condition"]},
        headers={"Prefer": "wait=30"},
        timeout=40,
    ).json()
    for k, pixels in enumerate(visit.pixels()):
        with Image.open(io.BytesIO(httpx.get(f"{site.url}v1/jobs/{again['id']}/images/{k}").content)) as image:
            assert np.asarray(image).ravel().tolist() == pixels


def test_numbers_may_be_typed_in_place_of_an_image(visit: Visit, page: Page, site: Site) -> None:
    visit.allow("422 (Unprocessable")
    visit.open(model=PORTRAITS, n=2, seed=5)
    page.get_by_label("Or its 4 numbers").fill("1, 0 0;")
    visit.submit()
    expect(visit.error("condition")).to_have_text(re.compile("has 3 numbers; `portraits` takes 4"))
    expect(page.get_by_label("Or its 4 numbers")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Or its 4 numbers").fill("1, 0 0; -1")
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("an embedding · 2 images")
    assert job_of(page, site)["request"]["condition"] == {"embedding": [1, 0, 0, -1]}  # type: ignore[index]
    choose(page, "toward", 2)
    page.get_by_label("Steps on the path").fill("3")
    visit.submit()
    expect(page.locator("#result-facts")).to_contain_text("a path of 3 steps, the same random numbers · 3 images")
    visit.wait_for("succeeded")
    path = job_of(page, site)["request"]["condition"]["interpolate"]  # type: ignore[index]
    assert path["from"] == {"embedding": [1, 0, 0, -1]} and "image" in path["to"]


def test_a_map_is_chosen_and_made_as_small_as_the_model_takes_it(visit: Visit, page: Page, site: Site) -> None:
    visit.open(model=LARGER, n=2, seed=5)
    visit.submit()
    expect(visit.error("condition")).to_have_text("Choose a file for the map that the model is told.")
    expect(page.locator("#map-file")).to_be_focused()
    choose(page, "map", 1, side=30)
    expect(page.locator("#map-facts")).to_have_text(
        re.compile(r"image 1\.png; resized to 4 × 4, made black and white for the model")
    )
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("told a map of 4 × 4 · 2 images · seed 5")
    told = job_of(page, site)["request"]["condition"]["map"]  # type: ignore[index]
    assert (told["width"], told["height"], told["format"]) == (4, 4, "PNG")


MIXED = """async (what) => {
    const { convert } = await import("./preview.js");
    const canvas = new OffscreenCanvas(20, 20);
    const pen = canvas.getContext("2d");
    pen.fillStyle = "black";
    pen.fillRect(0, 0, 20, 20);
    pen.fillStyle = "white";
    pen.fillRect(3, 3, 8, 8);
    const shape = { height: 8, width: 8, channels: 1, num_levels: 3, what };
    return [...new Set(convert(canvas.transferToImageBitmap(), shape, false).data)].sort();
}"""


def test_labels_that_are_made_smaller_are_not_mixed(visit: Visit, page: Page) -> None:
    visit.open(model=BINARY)
    assert page.evaluate(MIXED, "image") == [0, 128, 255]
    assert page.evaluate(MIXED, "labels") == [0, 255], "between the first label and the last there is none"


def test_a_path_is_drawn_from_one_image_to_another(visit: Visit, page: Page, site: Site) -> None:
    visit.open(model=PORTRAITS, n=1, seed=5)
    choose(page, "like", 1)
    expect(page.locator("#steps")).to_be_hidden()
    choose(page, "toward", 2)
    page.get_by_label("Steps on the path").fill("4")
    visit.submit()
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("a path of 4 steps, the same random numbers · 4 images")
    assert len(visit.pixels()) == 4
    receipts = [result["receipt"] for result in job_of(page, site)["result"]]  # type: ignore[attr-defined]
    assert [receipt["interpolation"]["step"] for receipt in receipts] == [0, 1, 2, 3]
    assert {receipt["sample"] for receipt in receipts} == {0}
    curl = page.locator("#curl").inner_text()
    body = json.loads(re.search(r"-d '(.*)'", curl, re.S)[1])  # type: ignore[index]
    assert body["interpolate"]["steps"] == 4 and "n" not in body


def test_a_dropped_image_is_taken(visit: Visit, page: Page) -> None:
    visit.open(model=PORTRAITS)
    file = io.BytesIO()
    Image.new("L", (SIDE, SIDE)).save(file, "PNG")
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            return transfer;
        }""",
        list(file.getvalue()),
    )
    page.dispatch_event("#like", "drop", {"dataTransfer": transfer})
    expect(page.locator("#like-facts")).to_have_text("dropped.png")
