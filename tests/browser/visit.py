"""One visitor: the page, what a person does on it, and what the browser complained of meanwhile."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Route, expect


class Visit:
    """`complaints`: console errors (breaches of the content security policy among them) and uncaught exceptions.

    Chromium itself logs each refused request; `allow` names such a message that a test provokes.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self._allowed: list[str] = []
        page.set_default_timeout(20_000)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._on_request)

    def allow(self, message: str) -> None:
        self._allowed.append(message)

    def open(self, **form: Any) -> None:
        """The page with a form filled in by its link; returns when the models are there."""
        self.page.goto(self.url + "#" + "&".join(f"{name}={value}" for name, value in form.items()))
        expect(self.page.get_by_role("radio", name="damaged")).to_be_visible()

    def tell_of_models(self, change: Callable[[dict[str, Any]], None]) -> None:
        """What the page is told of each model is first changed in place."""

        def answer(route: Route) -> None:
            models = httpx.get(f"{self.url}v1/models").json()
            for model in models["data"]:
                change(model)
            route.fulfill(json=models)

        self.page.route("**/v1/models", answer)

    def card(self, model: str) -> Locator:
        return self.page.locator(f"label:has(input[value={model}])")

    def submit(self) -> None:
        self.page.locator("#submit").click()

    def draw(self, **form: Any) -> list[list[int]]:
        """Fills in, draws, waits; the pixels of each canvas."""
        self.open(**form)
        self.submit()
        self.wait_for("succeeded")
        return self.pixels()

    def wait_for(self, state: str) -> None:
        expect(self.page.locator("#progress-line")).to_have_attribute("data-state", state)
        if state == "succeeded":
            expect(self.page.locator(".sample-actions:empty")).to_have_count(0)

    def pixels(self) -> list[list[int]]:
        """Of each drawn canvas, its red channel."""
        read = """canvases => canvases.map(canvas => {
            const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return Array.from(image.data.filter((_, at) => at % 4 === 0));
        })"""
        pixels: list[list[int]] = self.page.locator("#samples canvas").evaluate_all(read)
        return pixels

    def rows_drawn(self) -> list[int]:
        """Of each canvas, how many rows its label says are drawn; a finished one has no number."""
        labels = self.page.locator("#samples canvas").evaluate_all("all => all.map(c => c.getAttribute('aria-label'))")
        found = [re.search(r", (\d+) of \d+ rows drawn", label) for label in labels]
        return [int(match[1]) for match in found if match]

    def error(self, field: str) -> Locator:
        return self.page.locator(f"#error-{field}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(allowed in message.text for allowed in self._allowed):
            self.complaints.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "blob:", "data:")):
            self.foreign.append(request.url)
