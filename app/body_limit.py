"""Refuses a body over the limit: by its Content-Length before a byte is read, or as soon as it has grown too large."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ApiError, Code
from app.problems import problem


class BodyLimitMiddleware:
    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = ApiError(Code.BODY_TOO_LARGE, f"The body may have at most {self.max_bytes} bytes.")
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.max_bytes:
            await problem(refusal)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise refusal
            return message

        await self.app(scope, counted, send)
