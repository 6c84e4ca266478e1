"""What is rarely asked for stands under More, where the model takes it."""

import json
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from tests.browser.site import BINARY, COLOUR, DENSITY, Site
from tests.browser.visit import Visit


def request_of(page: Page, site: Site) -> dict[str, Any]:
    path = page.get_by_role("link", name="Job as JSON").get_attribute("href")
    request: dict[str, Any] = httpx.get(f"{site.url}{path}").json()["request"]
    return request


def test_a_density_has_a_margin_and_can_be_clipped(visit: Visit, page: Page, site: Site) -> None:
    visit.open(model=DENSITY, n=1, seed=3, width=6, height=5)
    page.get_by_text("More", exact=True).click()
    expect(page.locator("#margin-facts")).to_contain_text("Empty: 8.")
    expect(page.locator("#bfloat16")).to_be_hidden()
    page.get_by_label("Margin").fill("2")
    page.get_by_role("checkbox", name="Clip pixels").check()
    expect(page.locator("#more-set")).to_have_text("margin 2 · clipped")
    visit.submit()
    visit.wait_for("succeeded")
    request = request_of(page, site)
    assert (request["margin"], request["clip"]) == (2, [10.0, 240.0])
    expect(page.locator("#result-facts")).to_have_text(
        "1 image · seed 3 · 2 pixels of margin cut off · clipped to the range of the training data"
    )
    expect(page.locator("#curl")).to_contain_text('"margin":2,"clip":true')
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("#more-set")).to_have_text("margin 2 · clipped")


def test_a_margin_that_no_one_asked_for_is_not_asked_for_again(visit: Visit, page: Page) -> None:
    visit.draw(model=BINARY, n=1, seed=3)
    page.locator("#recent button").first.click()
    page.locator(f"label:has(input[value={DENSITY}])").click()
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("Margin")).to_have_value("")


def test_a_refused_margin_is_told_at_its_field_in_sight(visit: Visit, page: Page) -> None:
    visit.allow("422")
    visit.open(model=DENSITY, n=1, seed=3, width=6, height=5, margin=129)
    expect(page.get_by_label("Margin")).to_be_hidden()
    visit.submit()
    expect(visit.error("margin")).to_contain_text("less than or equal to 128")
    assert page.evaluate("document.activeElement.id") == "margin"


def test_what_a_model_does_not_take_is_not_offered(visit: Visit, page: Page) -> None:
    visit.open(model=BINARY)
    expect(page.locator("#more")).to_be_hidden()
    page.locator(f"label:has(input[value={DENSITY}])").click()
    expect(page.locator("#more")).to_be_visible()
    page.get_by_role("radio", name="Complete").check()
    page.get_by_text("More", exact=True).click()
    expect(page.locator("#margin")).to_be_hidden()
    expect(page.get_by_role("checkbox", name="Clip pixels")).to_be_visible()
    page.get_by_role("radio", name="Score").check()
    expect(page.locator("#more")).to_be_hidden()


def test_a_precision_is_offered_where_the_card_lists_it(visit: Visit, page: Page, site: Site) -> None:
    """Here torch draws, in float32 only: the page is told of another worker, which has gone when it asks."""

    def of_another_worker(route: Route) -> None:
        models = httpx.get(f"{site.url}v1/models").json()
        for model in models["data"]:
            model["precisions"] = ["float32", "bfloat16"] if model["id"] == COLOUR else model["precisions"]
        route.fulfill(json=models)

    page.route("**/v1/models", of_another_worker)
    visit.allow("422")
    visit.open(model=COLOUR, n=1, seed=3)
    page.get_by_text("More", exact=True).click()
    page.get_by_role("checkbox", name="Draw in bfloat16").check()
    with page.expect_request("**/v1/samples") as sent:
        visit.submit()
    assert json.loads(sent.value.post_data or "")["precision"] == "bfloat16"
    expect(visit.error("precision")).to_contain_text("it is drawn in float32")
