"""What every answer carries and every change must show: security headers, and that our own page asks."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# MapLibre's workers are files of ours; some browsers are given them as blobs.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self' blob:; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=()",
}
_BODIES: Final = ("application/json", "application/geo+json")
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


def refusal(method: str, headers: Headers) -> tuple[int, str] | None:
    """Why a request may not change anything, as status and sentence; None where it may.

    >>> ours = {"content-type": "application/json", "host": "watch.example", "origin": "https://watch.example"}
    >>> refusal("POST", Headers(ours)) is None
    True
    >>> refusal("POST", Headers(ours | {"origin": "https://elsewhere.example"}))
    (403, 'only the console itself may ask this')
    """
    if method in _SAFE:
        return None
    if headers.get("content-type", "").partition(";")[0].strip() not in _BODIES:
        return 415, "send application/json"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return 403, "only the console itself may ask this"
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return 403, "only the console itself may ask this"
    return None


class Guard:
    """The outermost layer: refuses what another site sends, and adds the headers to every answer."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = _HEADERS | ({"strict-transport-security": "max-age=31536000"} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = refusal(scope["method"], Headers(scope=scope))
        app = self._app if refused is None else JSONResponse({"detail": refused[1]}, refused[0])
        await app(scope, receive, self._dressed(scope, send))

    def _dressed(self, scope: Scope, send: Send) -> Send:
        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if scope["path"].startswith("/api/"):
                    headers["cache-control"] = "no-store"
            await send(message)

        return send_dressed
