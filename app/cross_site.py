"""Keeps other web pages from using a visitor's browser to give us work: until keys exist, that is all they would need.

Browsers say where a request comes from (Sec-Fetch-Site, and Origin on every POST); curl and libraries say nothing, and
pass.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError, Code
from app.problems import problem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class CrossSiteMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and is_foreign(Headers(scope=scope)):
            message = "A page of another site may not change anything here; open this service's own page, or use curl."
            await problem(ApiError(Code.CROSS_SITE, message))(scope, receive, send)
            return
        await self.app(scope, receive, send)


def is_foreign(headers: Headers) -> bool:
    """Whether a browser sent this for a page that is not ours."""
    if "sec-fetch-site" in headers:
        return headers["sec-fetch-site"] not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
