# SPDX-License-Identifier: Apache-2.0
"""Manifests: what a cluster takes is read, and what is wrong changes nothing that was right."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axoneme.model.policy import NamedPort
from axoneme.sources.manifests import ManifestReader, NamespaceRecord, PodRecord, read_manifests

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: blue}
spec:
  podSelector: {matchLabels: {app: web}}
"""
CILIUM = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: blue}
spec:
  endpointSelector: {matchLabels: {app: web}}
  ingress: [{fromEntities: [host]}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: blue, labels: {app: web}, uid: 1234}
spec:
  serviceAccountName: webby
  nodeName: one
  containers:
  - name: a
    image: x
    ports: [{name: http, containerPort: 8080}, {containerPort: 9}]
  - name: b
    ports: [{name: dns, containerPort: 53, protocol: UDP}]
"""
NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: blue, labels: {team: a}}
"""


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        draft = tmp_path / ".draft"
        draft.write_bytes(text if isinstance(text, bytes) else text.encode())
        draft.replace(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def reader(tmp_path):
    return ManifestReader(tmp_path)


def titles(manifests):
    return [policy.title for policy in manifests.policies]


def test_a_directory_is_read_whole(tmp_path, write):
    """Files of several documents, lists and JSON: each resource once, the others counted."""
    write("a.yaml", f"---\n{NAMESPACE}---\n{POD}---\n{POLICY}---\n")
    write("b.yml", "apiVersion: v1\nkind: List\nitems:\n- {kind: Service}\n- {kind: Service}\n")
    write(
        "c.json", '{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "d"}}]}'
    )
    write("notes.txt", "not a manifest: [")
    manifests = read_manifests(tmp_path)
    assert manifests.problems == ()
    labels = {"team": "a", "kubernetes.io/metadata.name": "blue"}
    assert manifests.namespaces == {"blue": NamespaceRecord("blue", labels)}
    ports = (NamedPort("http", 6, 8080), NamedPort("dns", 17, 53))
    assert manifests.pods == {
        ("blue", "web-1"): PodRecord("web-1", "blue", {"app": "web"}, "webby", ports),
        ("default", "d"): PodRecord("d", "default"),
    }
    assert titles(manifests) == ["blue/web"]
    assert manifests.ignored == {"Service": 2}


def test_what_has_no_manifest_has_what_every_one_has(reader):
    """A namespace has its name, and a pod no labels."""
    manifests = reader.read()
    assert manifests.namespace_labels("red") == {"kubernetes.io/metadata.name": "red"}
    assert manifests.pod("red", "p") == PodRecord("p", "red")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1,\n2", 2, "flow sequence"),
        ("a: 1\na: 2", 2, "the key 'a' twice"),
        ("a: *b", 1, "the alias *b has no anchor"),
        ("a: &b [*b]", 1, "the alias *b has no anchor"),
        ("a: !!python/object:os.system x", 1, "means nothing here"),
        ("a:\n  ? [1]\n  : 2", 2, "a key must be a string"),
        ("a: \0", 1, "control characters"),
        (b"ok: 1\n\xff", 2, "no text"),
        ("a: " + "[" * 100_000, 1, "nested more than 64 deep"),
        ("a: " + "{x: " * 100_000, 1, "nested more than 64 deep"),
        ("<<: 3", 1, "<< merges mappings only"),
    ],
)
def test_a_file_that_does_not_parse_is_named(reader, write, text, line, words):
    """With its line; and the other files are read."""
    write("good.yaml", POLICY)
    path = write("bad.yaml", text)
    manifests = reader.read()
    assert titles(manifests) == ["blue/web"]
    (problem,) = manifests.problems
    assert (problem.file, problem.line) == (str(path), line)
    assert words in problem.message


def test_aliases_that_multiply_are_refused(reader, write):
    """Nine lines that mean a billion values are named, at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    write("bomb.yaml", "\n".join(lines))
    start = time.monotonic()
    (problem,) = reader.read().problems
    assert "more than 200000 values" in problem.message
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("\n- 1", 2, "kind", "no kind"),
        ("kind: 3", 1, "kind", "no kind"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {namespace: a}", 1, "", "name"),
        (POD.replace("app: web", "app: on"), 1, "", "metadata.labels"),
        (POD.replace("app: web", "a=b: web"), 1, "", "'a=b' is no key of a label"),
        (NAMESPACE.replace("team: a", "team: é"), 1, "", "'é' is no value of a label"),
        (POD.replace("8080", "80800"), 1, "", "port 'http' must be 1 to 65535"),
        (POD.replace("UDP", "ICMP"), 1, "", "port 'dns'"),
        (POLICY.replace("podSelector", "podSelektor"), 1, "spec.podSelektor", "podSelector"),
        (POLICY.replace("NetworkPolicy", "NetworkPolicey"), 1, "kind", "NetworkPolicy"),
        (CILIUM.replace("CiliumN", "CiliumClusterwideN"), 1, "kind", "not supported yet"),
    ],
)
def test_a_resource_that_is_wrong_is_named(reader, write, text, line, key, words):
    """File, line, field and sentence."""
    path = write("bad.yaml", text)
    problems = reader.read().problems
    assert {problem.file for problem in problems} == {str(path)}
    assert any(p.key == key and p.line == line and words in str(p) for p in problems), problems


def test_every_wrong_resource_of_a_file_is_named(reader, write):
    """Each with its own line, also in a list."""
    write(
        "bad.yaml", f"kind: 1\n---\n{POLICY.replace('spec', 'spek')}---\nkind: List\nitems:\n- {{}}"
    )
    assert {1, 3, 11} <= {problem.line for problem in reader.read().problems}


def test_a_file_that_breaks_keeps_what_it_said(reader, write):
    """All of it, until it is right again or gone: a typo must not open what was closed."""
    write("a.yaml", f"{POLICY}---\n{POD}")
    assert titles(reader.read()) == ["blue/web"]
    for broken in ("a: [", f"{POLICY}---\n{POD.replace('8080', 'x')}", CILIUM + "  oops: 1\n"):
        path = write("a.yaml", broken)
        manifests = reader.read()
        assert titles(manifests) == ["blue/web"]
        assert ("blue", "web-1") in manifests.pods
        assert {problem.file for problem in manifests.problems} == {str(path)}
        assert reader.read().problems == manifests.problems
    write("a.yaml", CILIUM)
    assert titles(reader.read()) == ["cnp blue/web"]
    assert reader.read().problems == ()
    path.unlink()
    assert titles(reader.read()) == []


def test_a_directory_that_vanishes_keeps_what_it_said(tmp_path):
    """An unmounted directory is no wish to be without policies; one never made has none."""
    directory = tmp_path / "manifests"
    reader = ManifestReader(directory)
    assert reader.read().problems == ()
    directory.mkdir()
    (directory / "a.yaml").write_text(POLICY)
    assert titles(reader.read()) == ["blue/web"]
    directory.rename(tmp_path / "elsewhere")
    manifests = reader.read()
    assert titles(manifests) == ["blue/web"]
    assert "cannot be listed" in str(manifests.problems[0])


def put_in_effect(reader):
    """Read as an agent does: what is in effect then is remembered."""
    manifests = reader.read()
    reader.remember()
    return manifests


@pytest.fixture
def again(tmp_path):
    """A reader that begins now, as after a restart of the agent."""
    return lambda: ManifestReader(tmp_path, tmp_path / "last-good")


@pytest.mark.parametrize("broken", ["a: [", "", CILIUM + "  oops: 1\n", None])
def test_a_file_that_broke_before_a_restart_keeps_what_it_said(again, write, broken):
    """It is named, with what is wrong and that the old text is in force; then it is right again."""
    write("b.yaml", CILIUM)
    path = write("a.yaml", POLICY)
    put_in_effect(again())
    if broken is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_text(broken)
    for reader in (again(), again()):
        for manifests in (put_in_effect(reader), put_in_effect(reader)):
            assert titles(manifests) == ["blue/web", "cnp blue/web"]
            texts = [problem.message for problem in manifests.problems]
            assert {problem.file for problem in manifests.problems} == {str(path)}
            assert len(texts) == 2
            assert "before the agent was started, stays in force" in texts[1]
    if broken is None:
        path.rmdir()
    write("a.yaml", CILIUM.replace("name: web", "name: other"))
    manifests = put_in_effect(reader)
    assert titles(manifests) == ["cnp blue/other", "cnp blue/web"]
    assert manifests.problems == ()


def test_a_file_that_was_removed_is_not_remembered(again, write):
    """Neither while an agent runs nor while none does; one of its name is another."""
    for running in (again(), None):
        paths = [write(name, POLICY) for name in ("a.yaml", "b.yaml")]
        put_in_effect(running or again())
        for path in paths:
            path.unlink()
        assert titles(put_in_effect(running or again())) == []
        write("a.yaml", "a: [")
        manifests = put_in_effect(again())
        assert titles(manifests) == []
        assert len(manifests.problems) == 1


def test_a_directory_that_is_not_mounted_at_the_start_says_what_it_said(tmp_path):
    """Until it is there again; an empty one withdraws all."""
    directory, last_good = tmp_path / "manifests", tmp_path / "last-good"
    directory.mkdir()
    (directory / "a.yaml").write_text(POLICY)
    put_in_effect(ManifestReader(directory, last_good))
    directory.rename(tmp_path / "elsewhere")
    reader = ManifestReader(directory, last_good)
    for _ in range(2):
        manifests = put_in_effect(reader)
        assert titles(manifests) == ["blue/web"]
        assert any("cannot be listed" in str(problem) for problem in manifests.problems)
    directory.mkdir()
    assert titles(put_in_effect(reader)) == []
    assert put_in_effect(ManifestReader(directory, last_good)).problems == ()


def test_what_cannot_be_remembered_is_named_and_in_force(again, write, tmp_path):
    """A full disk, or something in the way, opens nothing."""
    (tmp_path / "last-good").write_text("in the way")
    write("a.yaml", POLICY)
    reader = again()
    assert titles(put_in_effect(reader)) == ["blue/web"]
    manifests = reader.read()
    assert titles(manifests) == ["blue/web"]
    assert [str(tmp_path / "last-good" / "a.yaml")] == [p.file for p in manifests.problems]


def test_garbage_among_what_is_remembered_says_nothing(again, write, tmp_path):
    """As after a power failure."""
    write("a.yaml", POLICY)
    put_in_effect(again())
    write("a.yaml", "a: [")
    (tmp_path / "last-good" / "a.yaml").write_text("")
    manifests = put_in_effect(again())
    assert titles(manifests) == []
    assert "says nothing" in manifests.problems[-1].message


def test_of_two_with_one_name_the_first_stays(reader, write):
    """The second is named, with where the first is."""
    write("a.yaml", POLICY)
    path = write("b.yaml", f"{NAMESPACE}---\n{POLICY}")
    write("c.yaml", CILIUM)
    manifests = put_in_effect(reader)
    assert titles(manifests) == ["blue/web", "cnp blue/web"]
    (problem,) = manifests.problems
    assert (problem.file, problem.line) == (str(path), 5)
    assert "NetworkPolicy blue/web is at a.yaml:1 already" in problem.message


def test_only_files_that_changed_are_parsed_again(reader, write):
    """The policies of the others are the very same objects."""
    write("a.yaml", POLICY)
    path = write("b.yaml", CILIUM)
    for file in path.parent.iterdir():
        os.utime(file, ns=(1, time.time_ns() - 10**9))
    first = reader.read().policies
    write("b.yaml", CILIUM.replace("host", "world"))
    second = reader.read().policies
    assert second[0] is first[0]
    assert second[1] != first[1]


def test_a_file_that_is_written_again_says_the_very_same(reader, write):
    """So that nobody has to compare; another pod or namespace is told from another policy."""
    write("a.yaml", POLICY)
    before = reader.read()
    write("a.yaml", POLICY + "---\n")
    again = reader.read()
    assert again.policies[0] is before.policies[0]
    write("a.yaml", CILIUM)
    assert reader.read().says_who_is_who_as(before)
    for text in (POD, NAMESPACE):
        write("b.yaml", text)
        assert not reader.read().says_who_is_who_as(before)


def test_a_link_into_a_data_directory_is_followed(tmp_path):
    """A ConfigMap is a directory of links that are moved all at once."""
    for number, text in ((1, POLICY), (2, CILIUM)):
        (tmp_path / f"..data{number}").mkdir()
        (tmp_path / f"..data{number}" / "a.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("..data1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    reader = ManifestReader(tmp_path)
    assert titles(reader.read()) == ["blue/web"]
    (tmp_path / "..new").symlink_to("..data2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert titles(reader.read()) == ["cnp blue/web"]


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_never_stops_the_reader(tmp_path, data):
    """Whatever is in a file, it is read or named, and its neighbour is in force."""
    (tmp_path / "good.yaml").write_text(POLICY)
    (tmp_path / "any.yaml").write_bytes(data)
    assert titles(read_manifests(tmp_path)) == ["blue/web"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["metadata", "name", "labels", "spec", "containers", "ports", "items"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(
        ["Pod", "Namespace", "NetworkPolicy", "CiliumNetworkPolicy", "List", "PodList"]
    ),
    st.dictionaries(st.sampled_from(["metadata", "spec", "items", "specs"]), JSON),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_shape_of_a_resource_is_read_or_named(tmp_path, kind, fields):
    """A field of whatever type is no error of the reader's own."""
    import yaml

    versions = {"NetworkPolicy": "networking.k8s.io/v1", "CiliumNetworkPolicy": "cilium.io/v2"}
    resource = {"apiVersion": versions.get(kind, "v1"), "kind": kind, **fields}
    (tmp_path / "any.yaml").write_text(yaml.safe_dump(resource), "utf-8")
    manifests = read_manifests(tmp_path)
    assert len(manifests.problems) + len(manifests.pods) + len(manifests.namespaces) + len(
        manifests.policies
    ) or kind.endswith("List")
