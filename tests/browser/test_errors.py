"""What goes wrong is said in words, at the place of the fault."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import BINARY, GREY, LARGER, Site
from tests.browser.visit import Visit

REFUSED = "the server responded with a status of 4"


def test_refusal_stands_at_the_field_and_takes_the_focus(visit: Visit, page: Page) -> None:
    visit.allow(REFUSED)
    visit.open(model=GREY, n=1)
    page.locator("#n").fill("1000")
    visit.submit()
    expect(visit.error("n")).to_contain_text("1 to 64")
    assert page.evaluate("document.activeElement.id") == "n"
    expect(page.locator("#n")).to_have_attribute("aria-invalid", "true")
    page.locator("#n").fill("1")  # repaired: it says nothing any more
    expect(visit.error("n")).to_be_hidden()
    assert page.locator("#n").get_attribute("aria-invalid") is None
    visit.submit()
    visit.wait_for("succeeded")


def test_seed_that_is_no_number(visit: Visit, page: Page) -> None:
    visit.open(model=GREY, seed="twelve")
    visit.submit()
    expect(visit.error("seed")).to_have_text("A seed is a whole number, 0 or more.")


def test_all_that_is_wrong_is_told_at_once_and_the_first_takes_the_focus(visit: Visit, page: Page) -> None:
    visit.open(mode="complete", model=LARGER, seed="twelve")
    visit.submit()
    expect(visit.error("image")).to_have_text("Choose an image first.")
    expect(visit.error("condition")).to_contain_text("Choose a file for the map")
    expect(visit.error("seed")).to_have_text("A seed is a whole number, 0 or more.")
    expect(page.locator("#file")).to_be_focused()
    page.get_by_role("button", name="New seed").click()
    expect(visit.error("seed")).to_be_hidden()
    assert page.locator("#seed").get_attribute("aria-invalid") is None
    visit.card(BINARY).click()  # of another model the rest is not true either
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    expect(page.locator("#request .error").filter(visible=True)).to_have_count(0)


def test_seed_that_is_too_large(visit: Visit, page: Page) -> None:
    visit.allow(REFUSED)
    visit.open(model=GREY, seed=2**64)
    visit.submit()
    expect(visit.error("seed")).to_contain_text("18446744073709551615")


def test_refused_model_says_why_and_cannot_be_chosen(visit: Visit, page: Page) -> None:
    visit.open(model="damaged")
    card = page.get_by_role("radio", name="damaged")
    expect(card).to_be_disabled()
    expect(card).to_have_accessible_description(re.compile("Refused: model.safetensors .*sha256"))
    expect(page.locator("input[name=model]:checked")).not_to_have_value("damaged")


def test_deleted_job_is_said_to_be_gone(visit: Visit, page: Page, site: Site) -> None:
    visit.allow(REFUSED)
    visit.draw(model=BINARY, n=1, seed=1)
    job = re.search(r"job=(\w+)", page.url)
    assert job is not None
    httpx.delete(f"{site.url}v1/jobs/{job[1]}").raise_for_status()
    page.reload()
    expect(page.locator("#job-error")).to_contain_text("has expired or was deleted")
    expect(page.locator("#recent-section")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_tables_of_the_reference_keep_words_whole_and_fit(visit: Visit, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for address in ("errors", "docs"):
        page.goto(f"{visit.url}{address}")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # A word that is broken has a box a line.
        broken = page.locator("th, td:first-child code, tr td:nth-child(2):not(:last-child) > code").evaluate_all(
            """all => all.filter(node => {
                const text = document.createRange();
                text.selectNodeContents(node);
                return new Set([...text.getClientRects()].map(box => box.top)).size > 1;
            }).map(node => node.textContent)"""
        )
        assert broken == []


def test_service_that_cannot_be_reached(visit: Visit, page: Page) -> None:
    visit.allow("net::ERR_")
    visit.open(model=BINARY, n=1)
    page.context.set_offline(True)
    visit.submit()
    expect(visit.error("form")).to_have_text("The service does not answer. Is it running?")
