"""What the README says about the repository is so. (Its curl examples are run in tests/launcher/test_supervisor.py.)"""

import re

from scripts import readme_examples
from scripts.model_table import BEGIN, END, ROOT, model_table

README = (ROOT / "README.md").read_text()


def test_the_table_of_models_is_the_one_that_the_bundles_facts_give() -> None:
    written = README.split(BEGIN)[1].split(END)[0].strip()
    assert written == model_table(ROOT / "checkpoints"), "run: python -m scripts.model_table --write"


def test_every_example_has_its_answer() -> None:
    blocks = readme_examples.examples(README)
    assert len(blocks) == 6
    assert all(block["answer"].strip() for block in blocks), "run: python -m scripts.readme_examples --write"


def test_files_that_the_readme_names_are_there() -> None:
    linked = re.findall(r"\]\(([^):#]+)\)", README)
    named = re.findall(r"`((?:\w+/)+\w+\.\w+|\w+/)`", README)
    missing = [path for path in linked + named if path != "state/" and not (ROOT / path).exists()]
    assert missing == []


def test_make_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert [goal for goal in re.findall(r"\bmake ([a-z]+)", README) if f"\n{goal}:" not in makefile] == []
