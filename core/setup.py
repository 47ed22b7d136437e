# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the trunks are compiled, the one C module is static and abi3."""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

from axoneme_sdk.codec import generate
from axoneme_sdk.compile import BuildError, compile_object
from axoneme_sdk.declarations import Declarations

TRUNKS = Path("src/axoneme/bpf")
CODEC = Path("src/axoneme/datapath/_codec.py")


class BuildTrunks(build_py):
    """Compile the trunks beside their sources, where an editable install finds them too."""

    def run(self) -> None:
        """Compile, write the codec of the shared maps, then collect the package."""
        try:
            build_trunks()
        except BuildError as error:
            # An editable install takes any other exception for a warning and goes on without.
            raise SystemExit(str(error)) from error
        super().run()


def build_trunks() -> None:
    """Compile the trunks, and write the codec of the maps that core owns: image tc has all."""
    for source in sorted(TRUNKS.glob("*.bpf.c")):
        compile_object(source.resolve())
    trunks = Declarations.read((TRUNKS / "tc.bpf.o").read_bytes())
    generate([trunks], "axoneme.datapath._codec", CODEC)


setup(
    cffi_modules=["build_bpf.py:ffi"],
    cmdclass={"build_py": BuildTrunks},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
