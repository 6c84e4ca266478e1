"""The commands of /docs, pasted into a shell as they stand."""

import html
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.services import Api

POSTS = ("/v1/samples", "/v1/completions", "/v1/scores")


@pytest.mark.parametrize("path", POSTS)
def test_each_posts_example_works_when_pasted(api: Api, tmp_path: Path, path: str) -> None:
    ask = {"model": "gated-pixelcnn-mnist", "condition": {"class": 3}}
    digit = api.image(api.client.post("/v1/samples", json=ask, headers={"Prefer": "wait=30"}).json()["id"])
    (tmp_path / "digit.png").write_bytes(digit)
    commands = [html.unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", api.client.get("/docs").text, re.S)]
    (command,) = [text for text in commands if path in text]
    output = subprocess.run(["sh", "-c", f"{command} -s -f"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert api.finished(json.loads(output.stdout)["id"])["state"] == "succeeded"
