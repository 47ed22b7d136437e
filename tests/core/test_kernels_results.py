# SPDX-License-Identifier: Apache-2.0
"""Reading what pytest wrote: the files here come from pytest itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.kernels.errors import ResultsError
from tests.kernels.results import Outcome, Result, read_results

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import pytest

@pytest.fixture
def broken_teardown():
    yield
    raise OSError

@pytest.fixture
def broken_setup():
    raise OSError

@pytest.fixture
def owned(record_property):
    record_property("plugin", "portguard")
    record_property("loader", "bcc")

def test_plain(): pass
def test_owned(owned): pass
def test_failing(owned): raise OSError
def test_setup(broken_setup): pass
def test_teardown(broken_teardown): pass
def test_lacking(owned): pytest.skip("kernel lacks bpf_link.tcx-2: needs 6.6")
def test_skipped(): pytest.skip("too cold")
"""

MODULE = """
import pytest
pytest.skip("kernel lacks netkit", allow_module_level=True)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Run pytest on the tests above and read its results, by the test's name."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_it.py").write_text(TESTS)
    (folder / "test_module.py").write_text(MODULE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-o", "junit_family=xunit1", "--junit-xml=results.xml"],
        cwd=folder,
        check=False,
        capture_output=True,
    )
    read = read_results(folder / "results.xml")
    return {result.test.rpartition("::")[2]: result for result in read}


def test_a_test_without_properties_is_cores_by_libbpf(results: dict[str, Result]) -> None:
    """Most tests of core record nothing."""
    assert results["test_plain"] == Result("test_it::test_plain", "core", "libbpf", Outcome.PASSED)


def test_a_test_belongs_to_the_plugin_and_loader_that_it_records(
    results: dict[str, Result],
) -> None:
    """They are the row of the table."""
    owned = results["test_owned"]
    assert (owned.plugin, owned.loader) == ("portguard", "bcc")


@pytest.mark.parametrize("name", ["test_failing", "test_setup", "test_teardown"])
def test_an_error_around_a_test_is_a_failure_too(results: dict[str, Result], name: str) -> None:
    """A test whose node cannot be taken down has not passed."""
    assert results[name].outcome is Outcome.FAILED


def test_a_skip_for_a_feature_gives_the_features_name(results: dict[str, Result]) -> None:
    """The sentence may go on behind it."""
    lacking = results["test_lacking"]
    assert (lacking.outcome, lacking.reason) == (Outcome.SKIPPED, "bpf_link.tcx-2")


def test_another_skip_gives_its_own_words(results: dict[str, Result]) -> None:
    """Nothing is skipped without the table saying why."""
    assert results["test_skipped"].reason == "too cold"


def test_a_module_that_is_skipped_whole_gives_the_features_name(results: dict[str, Result]) -> None:
    """pytest says "collection skipped" there and the reason elsewhere."""
    skipped = results["test_module"]
    assert (skipped.outcome, skipped.reason) == (Outcome.SKIPPED, "netkit")


@pytest.mark.parametrize("content", [None, "", "<testsuites><testsuite>"])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, content: str | None) -> None:
    """A machine may die while pytest writes."""
    path = tmp_path / "results.xml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ResultsError, match=r"results\.xml holds no test results"):
        read_results(path)
