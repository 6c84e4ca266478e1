import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.site import Site, running_site
from tests.browser.visit import Visit

# scripts/need-chromium installs one.
NAMES = ["chromium", "chromium-browser", "google-chrome"]
# Nothing here is protected by Chromium's sandbox, which root cannot have; the rest keeps it from calling home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# A busy machine is slow, not wrong.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "the browser tests need Chromium on the PATH: make chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Visit]:
    """A fresh browser profile; fails the test if the page complained on the console or asked another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visit = Visit(context.new_page(), site.url)
    yield visit
    context.close()
    assert visit.complaints == []
    assert visit.foreign == []


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.page
