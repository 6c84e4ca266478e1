"""Drawing: rows appear while they are drawn, seeds reproduce, jobs are canceled, resumed and found again."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.site import BINARY, COLOUR, DENSITY, GREY, LARGER, PORTRAITS, SLOW, SLOW_N, SLOW_SIZE, TAGGED, Site
from tests.browser.visit import Visit
from tests.services import wait_until


def test_rows_appear_before_the_image_is_finished(visit: Visit, page: Page) -> None:
    visit.open(model=SLOW, n=SLOW_N, seed=1)
    visit.submit()
    seen: set[tuple[int, ...]] = set()

    def several_stages() -> bool:
        page.wait_for_timeout(50)
        seen.add(tuple(visit.rows_drawn()))
        return len([rows for rows in seen if rows and 0 < rows[0] < SLOW_SIZE]) >= 3

    wait_until(several_stages, what="rows in between")
    expect(page.locator("#state")).to_contain_text("Drawing")
    visit.wait_for("succeeded")
    expect(page.locator("#state")).to_have_text(re.compile(r"Done in \d+\.\d s"))
    assert visit.rows_drawn() == []
    assert all(len(set(pixels)) == 2 for pixels in visit.pixels())


def test_same_seed_same_pixels(visit: Visit, page: Page) -> None:
    form = {"model": GREY, "class": "class 1", "n": 3, "seed": 42}
    first = visit.draw(**form)
    page.goto("about:blank")
    assert visit.draw(**form) == first
    page.get_by_role("button", name="New seed").click()
    visit.submit()
    expect(page.locator("#result-facts")).not_to_contain_text("seed 42 ")
    visit.wait_for("succeeded")
    assert visit.pixels() != first


def test_sample_shows_its_probability_png_and_receipt(visit: Visit, page: Page) -> None:
    visit.draw(model=GREY, n=1, seed=2**64 - 1, **{"class": "class 2"})
    expect(page.locator("#result-facts")).to_contain_text("seed 18446744073709551615")
    expect(page.locator(".sample-facts")).to_have_text(re.compile(r"−\d+\.\d\d nats.*\d\.\d{3} bits/dim"))
    with page.expect_download() as download:
        page.get_by_role("link", name="PNG of image 1").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.get_by_role("button", name="Receipt of image 1").click()
    dialog = page.get_by_role("dialog", name="Receipt")
    expect(dialog).to_contain_text("18446744073709551615")
    expect(dialog).to_contain_text("sha256")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_models_scroll_in_a_list_of_their_own_and_the_rest_of_the_form_stays_near(visit: Visit, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    visit.open(model=TAGGED)
    models = page.locator("#models")
    chosen = models.locator(".card:has(:checked)")
    inside, card = models.bounding_box(), chosen.bounding_box()
    assert inside is not None and card is not None
    assert inside["height"] <= 330 and models.evaluate("list => list.scrollHeight > list.clientHeight")
    assert inside["y"] <= card["y"] and card["y"] + card["height"] <= inside["y"] + inside["height"] + 1
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_chosen_model_and_the_button_are_in_sight(visit: Visit, page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    visit.open(model=DENSITY)
    for model in (TAGGED, BINARY):  # the last and the first of the list; a script's click scrolls nothing
        page.locator(f"input[value={model}]").evaluate("input => input.click()")
        expect(visit.card(model)).to_be_in_viewport(ratio=1)
        expect(page.locator("#submit")).to_be_in_viewport(ratio=1)
        assert page.evaluate("scrollY") == 0
    page.locator("#seed").focus()
    above = """() => {
        const [seed, foot] = ["#seed", ".foot"].map(name => document.querySelector(name).getBoundingClientRect());
        return seed.bottom <= foot.top;
    }"""
    page.wait_for_function(above)  # the page scrolls smoothly


def test_the_first_choice_is_the_fastest_of_those_told_no_more_than_a_class(visit: Visit, page: Page) -> None:
    speeds = {GREY: 3e5, BINARY: 2e5, DENSITY: 9e5, TAGGED: 8e5, PORTRAITS: 7e5, LARGER: 6e5}
    visit.tell_of_models(lambda model: model.update(pixels_per_second=speeds.get(model["id"], 1e5)))
    visit.open()
    expect(page.locator("input[name=model]:checked")).to_have_value(GREY)
    visit.open(model=BINARY)  # a link's own wish goes before
    expect(page.locator("input[name=model]:checked")).to_have_value(BINARY)


def test_what_is_known_of_a_model_stands_in_a_fold(visit: Visit, page: Page, site: Site) -> None:
    visit.open(model=GREY)
    page.get_by_text("About this model").click()
    model = httpx.get(f"{site.url}v1/models/{GREY}").json()
    expect(page.locator("#about")).to_contain_text(model["description"])
    expect(page.locator("#about")).to_contain_text(model["training"]["license"])


def test_where_a_model_comes_from_is_told_as_far_as_it_is_known(visit: Visit, page: Page) -> None:
    def known(model: dict[str, Any]) -> None:
        model["training"] = {"data": "<b>digits</b>", "license": "CC0"} if model["id"] == GREY else None
        model["description"] = "Of digits." if model["id"] == GREY else None

    visit.tell_of_models(known)
    visit.open(model=GREY)
    page.get_by_text("About this model").click()
    expect(page.locator("#about")).to_have_text("Of digits. Trained on <b>digits</b>. Licence of the images: CC0.")
    visit.card(BINARY).click()
    expect(page.get_by_text("About this model")).to_be_hidden()


def test_a_card_says_what_its_figure_is(visit: Visit, page: Page) -> None:
    def chain(model: dict[str, Any]) -> None:
        if model["id"] == COLOUR:
            model["likelihood"]["kind"] = "bound"

    visit.tell_of_models(chain)
    visit.open()
    cost = "on 100 test images, lower is better"
    expect(visit.card(BINARY)).to_contain_text(f"48.00 ± 1.00 nats an image {cost}")
    expect(visit.card(BINARY)).not_to_contain_text("−")
    expect(visit.card(GREY)).to_contain_text(f"1.000 ± 0.100 bits/dim {cost}")
    expect(visit.card(GREY)).not_to_contain_text("≤")
    expect(visit.card(COLOUR)).to_contain_text(f"≤ 1.000 ± 0.100 bits/dim {cost}")
    expect(visit.card(DENSITY)).to_contain_text(
        "1.500 ± 0.100 bit/px of a density on 100 test images, higher is better"
    )


def test_a_bound_is_shown_as_one(visit: Visit, page: Page) -> None:
    """The job is one of an exact model, told as if a chain of two nets had drawn it."""
    visit.draw(model=BINARY, n=1, seed=1)
    facts = page.locator(".sample-facts")
    assert "≥" not in facts.inner_text() and "≤" not in facts.inner_text()

    def told(route: Route) -> None:
        answer = httpx.get(route.request.url)
        route.fulfill(
            body=re.sub(r'"kind": ?"exact"', '"kind": "bound"', answer.text),
            content_type=answer.headers["content-type"],
        )

    page.route(re.compile("/v1/jobs/"), told)
    page.reload()
    visit.wait_for("succeeded")
    expect(facts.locator("b")).to_have_text(re.compile(r"^≥ −\d+\.\d\d nats$"))
    expect(facts.locator("span").nth(1)).to_have_text(re.compile(r"^≤ \d\.\d{3} bits/dim$"))


def test_what_is_promised_has_its_conditions(visit: Visit, page: Page) -> None:
    visit.open()
    promise = "Images drawn one pixel at a time, each with its exact probability or a bound on it."
    expect(page.locator(".masthead p")).to_have_text(promise)
    expect(page.locator("meta[name=description]")).to_have_attribute("content", promise)
    expect(page.locator("#result-facts")).to_contain_text("wherever the profile in their receipt is the same")


def test_cancel(visit: Visit, page: Page) -> None:
    visit.open(model=SLOW, n=SLOW_N, seed=3)
    visit.submit()
    wait_until(lambda: any(visit.rows_drawn()), what="a row")
    page.get_by_role("button", name="Cancel").click()
    visit.wait_for("canceled")
    expect(page.locator("#live")).to_have_text("Canceled")
    assert page.evaluate("document.activeElement.id") == "result"


def test_reload_in_the_middle_goes_on(visit: Visit, page: Page) -> None:
    visit.open(model=SLOW, n=SLOW_N, seed=4)
    visit.submit()
    wait_until(lambda: any(visit.rows_drawn()), what="a row")
    page.reload()
    visit.wait_for("succeeded")
    assert len(visit.pixels()[0]) == SLOW_SIZE**2


def test_stream_goes_on_after_the_server_was_killed(visit: Visit, page: Page, site: Site) -> None:
    visit.allow("net::ERR_")
    visit.open(model=SLOW, n=SLOW_N, seed=5)
    visit.submit()
    wait_until(lambda: any(visit.rows_drawn()), what="a row")
    site.kill()
    expect(page.get_by_text("Connection lost")).to_be_visible()
    site.start()
    visit.wait_for("succeeded")
    expect(page.get_by_text("Connection lost")).to_be_hidden()
    assert visit.rows_drawn() == []


def test_link_reproduces_the_form(visit: Visit, page: Page) -> None:
    visit.open(model=GREY, n=2, seed=7, temperature=0.5, **{"class": "class 2"})
    page.locator("#n").fill("5")
    page.keyboard.press("Tab")
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("radio", name="class 2")).to_be_checked()
    expect(page.locator("input[name=model]:checked")).to_have_value(GREY)
    for field, value in (("n", "5"), ("seed", "7"), ("temperature", "0.5")):
        expect(page.locator(f"#{field}")).to_have_value(value)


def test_recent_jobs_survive_a_reload(visit: Visit, page: Page) -> None:
    pixels = visit.draw(model=GREY, n=2, seed=8)
    page.goto("about:blank")
    visit.open()
    page.get_by_role("button", name=re.compile("sample · grey · class 0")).click()
    visit.wait_for("succeeded")
    assert visit.pixels() == pixels
    expect(page.locator("#seed")).to_have_value("8")
    expect(page.locator("#curl")).to_contain_text('"seed":8')
