"""The headers of every answer: what a browser may load, keep and tell others.

Nothing is loaded from elsewhere and no script or style stands in a page, so whatever a client wrote into a host name
or a path stays text even if it were ever shown unescaped.
"""

from flask import Flask, request
from werkzeug.wrappers import Response

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with `no-referrer` Chromium sends our own forms with `Origin: null`
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
_HSTS = "max-age=31536000"
_STATIC_AGE = 3_600  # seconds: the files change with the release alone, but their names do not


def install(app: Flask, *, secure: bool) -> None:
    """Set them on every answer of *app*; *secure*: it is reached by TLS."""

    def added(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        if secure:
            response.headers["Strict-Transport-Security"] = _HSTS
        if request.endpoint == "static" and response.status_code in (200, 304):
            response.headers["Cache-Control"] = f"private, max-age={_STATIC_AGE}"
        else:
            response.headers["Cache-Control"] = "no-store"
        return response

    app.after_request(added)
