"""For everybody: keyboard alone, names for screen readers, contrast, narrow screens, no motion where none is wanted."""

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.site import BINARY, GREY, Site
from tests.browser.visit import Visit
from tests.services import wait_until

SOMETHING = re.compile(r"\w")
CONTROLS = "a[href], button, input, select, textarea, [tabindex='0']"

# Contrast of WCAG 2.2: text against the nearest ground that is painted behind it.
FAINT_TEXT = """() => {
    const luminance = colour => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const ground = node => {
        const colour = getComputedStyle(node).backgroundColor;
        return /, 0\\)$/.test(colour) ? ground(node.parentElement) : colour;
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        const seen = node.checkVisibility() && !node.closest(".visually-hidden, noscript");
        if (!seen || !walker.currentNode.data.trim()) continue;
        const [light, dark] = [getComputedStyle(node).color, ground(node)].map(luminance).sort((a, b) => b - a);
        const contrast = (light + 0.05) / (dark + 0.05);
        if (contrast < 4.5) faint.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
    }
    return faint;
}"""


def after_everything(visit: Visit) -> None:
    """Drawn and completed, so that every kind of element is there."""
    visit.draw(model=GREY, n=2, seed=1)
    visit.page.get_by_role("button", name="Complete image 1").click()
    visit.page.get_by_role("radio", name="A hole").check()
    visit.submit()
    expect(visit.page.locator("#result-title")).to_contain_text("Completed")
    visit.wait_for("succeeded")


def test_everything_by_keyboard(visit: Visit, page: Page) -> None:
    visit.open(model=BINARY, n=2, seed=1)
    press = page.keyboard.press
    reach(page, "mode")
    press("ArrowRight")
    expect(page.get_by_role("radio", name="Complete")).to_be_checked()
    press("ArrowLeft")
    reach(page, "model")
    press("ArrowDown")
    expect(page.locator("input[name=model]:checked")).to_have_value(GREY)
    reach(page, "class")
    press("ArrowRight")
    expect(page.get_by_role("radio", name="class 1")).to_be_checked()
    reach(page, "seed")
    press("Control+A")
    page.keyboard.type("77")
    press("Enter")
    visit.wait_for("succeeded")
    expect(page.locator("#result-facts")).to_contain_text("class 1 · 2 images · seed 77")
    reach(page, "Receipt of image 1")
    press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    assert focused(page) == "Receipt of image 1"


def reach(page: Page, name: str) -> None:
    """Tab until the control with this form name, or else with this text, has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def focused(page: Page) -> str:
    name: str = page.evaluate("document.activeElement.name || document.activeElement.textContent")
    return name


def test_skip_link_leads_to_the_result_and_keeps_the_form_s_link(visit: Visit, page: Page) -> None:
    visit.open(model=BINARY, n=3)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "result"
    assert "n=3" in page.url


def test_every_control_and_picture_has_a_name(visit: Visit, page: Page) -> None:
    after_everything(visit)
    controls = page.locator(CONTROLS).filter(visible=True)
    assert controls.count() > 20
    for control in controls.all():
        expect(control).to_have_accessible_name(SOMETHING)
    for picture in page.locator("canvas").filter(visible=True).all():
        expect(picture).to_have_accessible_name(SOMETHING)


def test_structure_for_a_screen_reader(visit: Visit, page: Page) -> None:
    after_everything(visit)
    expect(page.get_by_role("main")).to_have_count(1)
    levels = page.locator("h1, h2, h3").filter(visible=True).evaluate_all("all => all.map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))
    for group in ("What to do", "Model", "Image", "Class"):
        expect(page.get_by_role("group", name=group, exact=True)).to_be_visible()
    expect(page.locator("#live")).to_have_attribute("aria-live", "polite")
    expect(page.locator("#live")).to_have_text("Done")
    identifiers = page.locator("[id]").evaluate_all("all => all.map(node => node.id)")
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(site: Site, browser: Browser, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme)
    visit = Visit(context.new_page(), site.url)
    after_everything(visit)
    assert visit.page.evaluate(FAINT_TEXT) == []
    context.close()


def test_phone(site: Site, browser: Browser) -> None:
    """Nothing is wider than a screen of 360 pixels, and everything to press is large enough for a finger."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    visit = Visit(context.new_page(), site.url)
    after_everything(visit)
    in_view = """() => {
        const { top } = document.getElementById("result-title").getBoundingClientRect();
        return top >= 0 && top < innerHeight / 2;
    }"""
    visit.page.wait_for_function(in_view)  # the page scrolls smoothly
    visit.page.get_by_role("radio", name="Score").check()
    visit.submit()
    expect(visit.page.locator(".score")).to_be_visible()
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 360
    small = "all => all.filter(n => n.getBoundingClientRect().height < 24).map(n => n.outerHTML)"
    pressed = "button:visible, form label:has(input):visible"
    # The list of jobs may be replaced while it is measured: lines that are gone have no height.
    wait_until(lambda: visit.page.locator(pressed).evaluate_all(small) == [], what="everything large enough")
    context.close()


def test_no_motion_where_none_is_wanted(site: Site, browser: Browser) -> None:
    context = browser.new_context(reduced_motion="reduce")
    visit = Visit(context.new_page(), site.url)
    visit.open(model=BINARY, n=1)
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert visit.page.evaluate(behaviour) == "auto"
    assert visit.page.evaluate("document.getAnimations().length") == 0
    context.close()
