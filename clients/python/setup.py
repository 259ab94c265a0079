"""Adds the descriptor of the schema and the experiments' files to the package; the rest is in pyproject.toml."""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parents[2]


class BuildWithSchema(build_py):
    def run(self):
        super().run()
        package = pathlib.Path(self.build_lib) / "tokensim"
        shutil.copyfile(ROOT / "proto/tokensim_v1.descriptor.pb", package / "schema.pb")
        shutil.copytree(ROOT / "configs/experiments", package / "experiments/configs", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithSchema})
