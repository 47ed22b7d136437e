# SPDX-License-Identifier: Apache-2.0
"""The documentation: generated parts are fresh, nothing lacks its line, links lead somewhere."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from axoneme.config import AgentConfig
from axoneme.datapath import all_stages
from axoneme.datapath.reasons import core_reasons
from axoneme.hookspecs import SPECIFICATIONS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
HOOKS = {
    name: function
    for module in SPECIFICATIONS
    for name, function in vars(module).items()
    if hasattr(function, "axoneme_spec")
}
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not re.match(r"\.|build/|dist/", str(path.relative_to(ROOT)))
)


def read(page):
    """The text of a page of the reference."""
    return (REFERENCE / page).read_text()


def generate(root, *words):
    """Run the generator of a checkout."""
    command = [sys.executable, str(root / "docs" / "generate.py"), *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def rows(text):
    """The last cell of each row of each table, by the first cell without its marks."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| "):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found[cells[0].strip("`")] = cells[-1]
    return found


def prose(page):
    """A page without its fenced code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def keys(settings, prefix=""):
    """The keys of a class of settings, with those of the tables in it."""
    attrs.resolve_types(settings)
    for field in attrs.fields(settings):
        key = prefix + field.name.replace("_", "-")
        yield from keys(field.type, f"{key}.") if attrs.has(field.type) else [key]


@pytest.fixture
def copy(tmp_path):
    """What the generator reads of a checkout, to be spoiled."""
    for name in ("docs", "plugins"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy2(ROOT / "README.md", tmp_path)
    for name in ("core", "sdk"):
        (tmp_path / name).mkdir()
        shutil.copy2(ROOT / name / "pyproject.toml", tmp_path / name)
    return tmp_path


def test_the_generated_parts_are_fresh():
    """`make docs` would change nothing."""
    result = generate(ROOT, "--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_stale_part_is_found_and_written_anew(copy):
    """A number that is not the code's is named with its page, and goes when the page is written."""
    page = copy / "docs" / "reference" / "datapath-abi.md"
    fresh = page.read_text()
    page.write_text(fresh.replace("| lanes a stage | 8 |", "| lanes a stage | 9 |"))
    result = generate(copy, "--check")
    assert result.returncode == 1
    assert "docs/reference/datapath-abi.md is stale" in result.stdout
    assert "+| lanes a stage | 8 |" in result.stdout
    assert generate(copy).returncode == 0
    assert page.read_text() == fresh


def test_a_picture_that_is_not_the_codes_is_found(copy):
    """A stage that the trunk has, and the picture of a packet's way has not."""
    page = copy / "README.md"
    fresh = page.read_text()
    page.write_text(re.sub(r"^.*│ admit .*\n", "", fresh, flags=re.MULTILINE))
    result = generate(copy, "--check")
    assert result.returncode == 1
    assert "README.md is stale" in result.stdout
    assert generate(copy).returncode == 0
    assert page.read_text() == fresh


def test_a_row_without_its_sentence_is_named(copy):
    """What people have to write, the generator asks for."""
    page = copy / "docs" / "reference" / "drop-reasons.md"
    page.write_text(re.sub(r"(\| `policy_denied` .*\|)[^|\n]+\|", r"\1 |", page.read_text()))
    result = generate(copy, "--check")
    assert result.returncode == 1
    assert "docs/reference/drop-reasons.md: `policy_denied` has no text" in result.stdout


def test_the_sentences_of_people_are_kept(copy):
    """Writing a page anew changes no last column."""
    page = copy / "docs" / "reference" / "drop-reasons.md"
    page.write_text(page.read_text().replace("for stages of `policy`", "as I wrote it", 1))
    assert generate(copy).returncode == 0
    assert "as I wrote it" in page.read_text()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_its_section(name):
    """With its signature, and every paragraph of its specification."""
    _, _, section = read("hooks.md").partition(f"### `{name}`\n")
    section = section.partition("\n### ")[0]
    assert f"def {name}(" in section
    for argument in inspect.signature(HOOKS[name]).parameters:
        assert f"- `{argument}`: " in section
    for start in ("Called ", "One implementation returns ", "If it raises"):
        assert f"\n{start}" in section


@pytest.mark.parametrize("key", list(keys(AgentConfig)))
def test_a_setting_of_the_agent_has_its_line(key):
    """With its meaning in the last column."""
    assert rows(read("configuration.md"))[key]


@pytest.mark.parametrize(
    "readme", sorted(ROOT.glob("plugins/*/README.md")), ids=lambda p: p.parent.name
)
def test_a_plugins_readme_says_what_all_of_them_say(readme):
    """What it needs of the kernel, what it adds, its settings, maps and limits."""
    headings = re.findall(r"^## (.*)", readme.read_text(), re.MULTILINE)
    wanted = ["What it needs of the kernel", "What it adds", "Settings", "Maps", "Limits"]
    assert [heading for heading in headings if heading in wanted] == wanted


def test_every_drop_reason_has_its_line():
    """The registry has every number of core's header, and when it happens."""
    found = rows(read("drop-reasons.md"))
    assert all(found[reason.name] for reason in core_reasons().values())


def test_every_stage_has_its_line():
    """The ABI's page says of each stage what it is for."""
    found = rows(read("datapath-abi.md"))
    assert all(found[stage] for stage in all_stages())


def slug(heading):
    """The anchor of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_internal_links_lead_somewhere(page):
    """Every relative link names a file or directory, and an anchor that is there."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            broken.append(link)
        elif anchor:
            headings = re.findall(r"^#+ (.*)", prose(path), re.MULTILINE)
            broken += [] if anchor in map(slug, headings) else [link]
    assert broken == []


def test_every_page_is_in_the_table_of_contents():
    """Whoever looks for a page begins there."""
    contents = ROOT / "docs" / "README.md"
    listed = {
        (contents.parent / link.partition("#")[0]).resolve()
        for link in re.findall(r"\]\(([^)\s]+)\)", contents.read_text())
    }
    assert {page for page in PAGES if page.is_relative_to(contents.parent)} - {contents} <= listed


def synonyms():
    """What the glossary says not to write, with what to write."""
    for line in read("glossary.md").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[2] and cells[0] not in {"term", "---"}:
            yield from ((word.strip(), cells[0]) for word in cells[2].split(","))


@pytest.mark.parametrize(("word", "term"), list(synonyms()))
def test_one_thing_has_one_word(word, term):
    """No page says it by another word than the glossary's."""
    pattern = re.compile(r"\b" + r"\s+".join(word.split()) + r"s?\b", re.IGNORECASE)
    pages = [page for page in PAGES if page.name != "glossary.md"]
    found = [str(page.relative_to(ROOT)) for page in pages if pattern.search(page.read_text())]
    assert found == [], f"write {term}"
