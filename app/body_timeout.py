"""Ends a request whose body stops coming: its client would otherwise keep a connection, and what it sent, for ever."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ApiError, Code


class BodyTimeoutMiddleware:
    """Args: `timeout_s`: without a byte; a slow body that does come is waited for."""

    def __init__(self, app: ASGIApp, timeout_s: float) -> None:
        self.app, self.timeout_s = app, timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_whole = is_answered = False

        async def in_time() -> Message:
            nonlocal is_whole
            if is_whole:  # what is waited for now is that the client goes away
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self.timeout_s)
            except TimeoutError:
                if is_answered:  # a stream of events, which needs no body
                    return {"type": "http.disconnect"}
                raise self._refusal() from None
            is_whole = not message.get("more_body", False)
            return message

        async def noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        await self.app(scope, in_time, noted)

    def _refusal(self) -> ApiError:
        message = f"No byte of the body came for {self.timeout_s:g} s, and it is not whole: send it again."
        return ApiError(Code.BODY_TIMEOUT, message, headers={"Connection": "close"})
