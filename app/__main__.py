"""`python -m app`: the HTTP process, on loopback unless SCANLINE_HOST says otherwise."""

import uvicorn

from app.main import create_app
from app.settings import Settings

# Open event streams end with the server; a POST that waits gets this long.
GRACE_S = 5


def main() -> None:
    settings = Settings()
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, timeout_graceful_shutdown=GRACE_S)


if __name__ == "__main__":
    main()
