"""Answers only under a name that is ours, so that no other web page can pass for this service's own.

A page may point a name of its own at 127.0.0.1 once a browser has loaded it (DNS rebinding): what it asks is then of
the same site for the browser, and reads all answers. It cannot do so with an address, nor with a name that the public
DNS does not have: those are answered, as are the names that the settings list. Who asks makes no difference: the GET
of a rebound page carries nothing that curl could not send.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError, Code
from app.problems import problem

# Names without a dot are of this machine, of a container network or of a local search list; of the endings, RFC 6761,
# RFC 6762 and ICANN say that nobody can register them.
PRIVATE_ENDINGS = (".localhost", ".local", ".internal")


class KnownHostsMiddleware:
    """Args: `names`: those beside the private ones, in lower case."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self.names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = name_in(Headers(scope=scope).get("host", ""))
            if not (name in self.names or is_private(name)):
                message = (
                    f"This service does not go by the name `{name}`; open it by its address, or list the name in "
                    "SCANLINE_ALLOWED_HOSTS."
                )
                await problem(ApiError(Code.UNKNOWN_HOST, message, param="Host"))(scope, receive, send)
                return
        await self.app(scope, receive, send)


def name_in(host: str) -> str:
    """The name or the address in a Host header, without its port and without brackets, in lower case."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # a bracket without its other
        return host


def is_private(name: str) -> bool:
    """Whether no stranger can own it: an address, or a name that the public DNS does not have."""
    if "." not in name or name.endswith(PRIVATE_ENDINGS):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
