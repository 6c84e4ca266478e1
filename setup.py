"""`pip install` compiles the native interpreter too; everything else stands in pyproject.toml."""

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BUILDER = Path(__file__).parent / "engine" / "native" / "build.py"


class BuildNative(build_py):
    """Without a compiler it is left out with a line that says so."""

    def run(self) -> None:
        super().run()
        if BUILDER.exists():  # an image of the API has no engine
            self._compile()

    def _compile(self) -> None:
        builder = runpy.run_path(str(BUILDER))
        try:
            library: Path = builder["build"]()
        except builder["BuildError"] as error:
            self.warn(f"native interpreter not built, models will be drawn by torch, many times slower: {error}")
            return
        self.announce(f"native interpreter: {library}", 2)
        target = Path(self.build_lib) / "engine" / "native" / "build"
        if not self.editable_mode and target.parent.exists():
            target.mkdir(exist_ok=True)
            shutil.copy2(library, target)


setup(cmdclass={"build_py": BuildNative})
