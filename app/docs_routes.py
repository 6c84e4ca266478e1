"""Addresses of the documentation."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from app.docs_page import docs_html, errors_html

router = APIRouter(include_in_schema=False)
STYLE = Path(__file__).with_name("docs.css")


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(docs_html(request.app.openapi(), str(request.base_url).rstrip("/")))


@router.get("/errors")
def errors() -> HTMLResponse:
    return HTMLResponse(errors_html())


@router.get("/docs.css")
def style() -> FileResponse:
    return FileResponse(STYLE, media_type="text/css")
