# SPDX-License-Identifier: Apache-2.0
"""Identities in files: the same labels have one number, whoever asks, and whatever broke."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from ipaddress import ip_address
from multiprocessing import Process

import pytest
from attrs import evolve

from axoneme import PoolExhausted, StateError
from axoneme.model.identity import Identity
from axoneme.model.labels import Labels
from axoneme.sources import EmbeddedSource, EndpointRecord, IdentityFiles

WEB, DB, CACHE = (Labels.of({"k8s:app": app}) for app in ("web", "db", "cache"))


@pytest.fixture
def files(source):
    return source.identities


@pytest.fixture
def again(files):
    """Another agent, with nothing in its memory."""
    return lambda: IdentityFiles(files.directory)


def test_labels_have_one_number(files, again):
    """Numbers begin at 256, and another agent has the same."""
    assert [files.of(WEB), files.of(DB), files.of(WEB)] == [256, 257, 256]
    assert [again().of(DB), again().of(WEB)] == [257, 256]
    read = again().read()
    assert read.identities == {256: Identity(256, WEB), 257: Identity(257, DB)}
    assert read.problems == ()


def test_a_file_has_the_form_of_the_resource(files):
    """Its name is the number, and the labels are in security-labels."""
    files.of(WEB)
    resource = json.loads((files.directory / "256.json").read_bytes())
    assert resource["kind"] == "CiliumIdentity"
    assert resource["metadata"]["name"] == "256"
    assert resource["security-labels"] == {"k8s:app": "web"}


@pytest.mark.parametrize("content", [None, "", '{"metadata"', "[" * 100_000])
def test_a_file_that_broke_is_written_again(files, again, content):
    """The link still says which number the labels have: no endpoint gets another."""
    files.of(DB)
    files.of(WEB)
    path = files.directory / "257.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
        assert [p.file for p in again().read().problems] == [str(path)]
    assert again().of(WEB) == 257
    assert again().read().identities[257].labels == WEB
    assert again().read().problems == ()


def test_a_number_that_was_claimed_by_an_agent_that_died_is_used(files, again):
    """A file without its link, or one that people wrote, is the number of its labels."""
    files.of(WEB)
    next(files.by_labels.iterdir()).unlink()
    assert again().of(WEB) == 256
    assert len(list(files.by_labels.iterdir())) == 1


def test_garbage_of_a_number_keeps_the_number(files, again):
    """Nobody knows what 256 stood for, so it stands for nothing else."""
    (files.directory / "256.json").write_text("garbage")
    assert again().of(WEB) == 257


def test_a_link_that_leads_astray_is_named(files, again):
    """A wrong number would let the wrong pods in, so none is given."""
    files.of(WEB)
    (link,) = files.by_labels.iterdir()
    link.unlink()
    link.symlink_to("../../nodes/one.json")
    with pytest.raises(StateError, match="is no identity"):
        again().of(WEB)
    link.unlink()
    link.write_text("256")
    with pytest.raises(StateError, match="is no symbolic link"):
        again().of(WEB)
    link.unlink()
    files.of(DB)
    link.symlink_to("../257.json")
    with pytest.raises(StateError, match="app=db"):
        again().of(WEB)
    assert again().of(DB) == 257


@pytest.mark.parametrize("name", ["255", "0256", "70000", "x"])
def test_a_number_that_is_none_is_named(files, name):
    """Reserved numbers cannot be taken by a file."""
    path = files.directory / f"{name}.json"
    path.write_text(json.dumps({"metadata": {"name": name}, "security-labels": {"k8s:app": "web"}}))
    assert [problem.file for problem in files.read().problems] == [str(path)]


def test_numbers_run_dry(files, monkeypatch):
    """The message says what to remove; labels that have a number keep it."""
    for module in ("identities", "_identity_links"):
        monkeypatch.setattr(f"axoneme.sources.{module}.LAST_OF_LABELS", 257)
    files.of(WEB)
    files.of(DB)
    with pytest.raises(PoolExhausted, match="identities of 2: remove"):
        files.of(Labels.of({"k8s:app": "one-too-many"}))
    assert files.of(WEB) == 256


def make_old(files):
    for path in files.directory.glob("*.json"):
        os.utime(path, (time.time() - 3600,) * 2)


def test_identities_that_nobody_uses_are_removed(files, again):
    """Not those of endpoints, nor those that were asked for lately."""
    for labels in (WEB, DB, CACHE):
        files.of(labels)
    assert files.remove_unused({256}) == ()
    make_old(files)
    other = again()
    assert other.of(DB) == 257
    assert files.remove_unused({256}) == (258,)
    assert set(again().read().identities) == {256, 257}
    assert len(list(files.by_labels.iterdir())) == 2
    assert [files.of(WEB), files.of(DB), files.of(CACHE)] == [256, 257, 259]
    make_old(files)
    assert other.remove_unused(()) == (256, 257, 259)
    assert other.read().identities == {}


def test_a_number_that_was_freed_means_nothing_for_a_while(files, again, monkeypatch):
    """The maps of a node whose agent is down still let it in as what it was."""
    monkeypatch.setattr("axoneme.sources._identity_links.LAST_OF_LABELS", 257)
    monkeypatch.setattr("axoneme.sources.identities.LAST_OF_LABELS", 257)
    files.of(WEB)
    files.of(DB)
    make_old(files)
    assert files.remove_unused({256}) == (257,)
    with pytest.raises(PoolExhausted):
        again().of(CACHE)
    (rest,) = files.freed.iterdir()
    os.utime(rest, (time.time() - 3590,) * 2)
    files.remove_unused({256})
    with pytest.raises(PoolExhausted):
        again().of(CACHE)
    os.utime(rest, (time.time() - 3601,) * 2)
    files.remove_unused({256})
    assert again().of(CACHE) == 257


def test_an_identity_that_goes_while_it_is_asked_for_is_asked_for_again(files, again, monkeypatch):
    """Between the look at its file and the mark another agent removes it."""
    files.of(WEB)
    make_old(files)
    asked, real = again(), os.utime

    def removed_before(path, *rest):
        if files.remove_unused(()):
            monkeypatch.setattr(os, "utime", real)
        return real(path, *rest)

    monkeypatch.setattr(os, "utime", removed_before)
    number = asked.of(WEB)
    assert number == 257
    assert again().read().identities[number].labels == WEB
    assert again().of(WEB) == number


def test_one_agent_removes_at_a_time(files, again):
    """A second one does nothing, and what it would have removed is removed later."""
    files.of(WEB)
    make_old(files)
    with files._alone() as alone:
        assert alone
        assert again().remove_unused(()) == ()
    assert again().remove_unused(()) == (256,)


def _of(arguments):
    state, turn = arguments
    identities = EmbeddedSource(state).identities
    order = [(i * (7 if turn % 2 else 11) + turn) % 40 for i in range(40)]
    return [(app, identities.of(Labels.of({"k8s:app": f"app-{app}"}))) for app in order]


def test_racing_agents_agree(source):
    """Eight agents ask for the same 40 sets of labels in different orders: 40 numbers, one each."""
    with ProcessPoolExecutor(8) as pool:
        answers = list(pool.map(_of, [(source.state, turn) for turn in range(8)]))
    numbers = defaultdict(set)
    for answer in answers:
        for app, number in answer:
            numbers[app].add(number)
    assert all(len(of_app) == 1 for of_app in numbers.values())
    assert len(set.union(*numbers.values())) == 40
    read = source.identities.read()
    assert read.problems == ()
    for app, (number,) in numbers.items():
        assert read.identities[number].labels == Labels.of({"k8s:app": f"app-{app}"})


def _ask_until_killed(state, turn, path):
    identities = EmbeddedSource(state).identities
    with path.open("a") as told:
        for i in itertools.count(turn):
            app = (i * 7919 + turn * 31) % 3000
            number = identities.of(Labels.of({"k8s:app": f"app-{app}"}))
            told.write(f"{app} {number}\n")
            told.flush()


def test_agents_that_are_killed_leave_no_number_with_two_meanings(source, tmp_path):
    """What any of them was told before it died is what the next one is told."""
    told = tmp_path / "told"
    for _ in range(4):
        agents = [Process(target=_ask_until_killed, args=(source.state, i, told)) for i in range(3)]
        for agent in agents:
            agent.start()
        time.sleep(0.15)
        for agent in agents:
            agent.kill()
            agent.join()
    answers = {tuple(map(int, line.split())) for line in told.read_text().splitlines()}
    assert len(answers) > 20
    again = EmbeddedSource(source.state).identities
    for app, number in answers:
        assert again.of(Labels.of({"k8s:app": f"app-{app}"})) == number
    assert len({number for _, number in answers}) == len(answers)
    assert again.read().problems == ()


def _ask_and_remove(arguments):
    state, turn = arguments
    identities = EmbeddedSource(state).identities
    removed, wrong = 0, ""
    for i in range(400):
        labels = Labels.of({"k8s:app": f"app-{(i * i + turn * 17) % 101}"})
        start = time.monotonic()
        number = identities.of(labels)
        found = identities.read().identities.get(number)
        in_time = time.monotonic() - start < 0.05
        if in_time and found is not None and found.labels != labels:
            wrong = f"{number} stands for {found.labels}, and was given for {labels}"
        removed += len(identities.remove_unused((), seconds=0.1))
        time.sleep(0.001)
    return removed, wrong


def test_a_number_never_means_two_things_while_others_remove(source, monkeypatch):
    """What was just asked for has its labels, however many others are removed and given again."""
    monkeypatch.setattr("axoneme.sources.identities._MARK_SECONDS", 0.02)
    with ProcessPoolExecutor(3) as pool:
        answers = list(pool.map(_ask_and_remove, [(source.state, turn) for turn in range(3)]))
    assert [wrong for _, wrong in answers] == ["", "", ""]
    assert sum(removed for removed, _ in answers) > 100


def _add_pods(arguments):
    state, turn = arguments
    source, wrong = EmbeddedSource(state), ""
    for i in range(300):
        labels = Labels.of({"k8s:app": f"app-{(i * 7 + turn * 5) % 23}"})
        start = time.monotonic()
        number = source.identities.of(labels)
        time.sleep(0.002 * (i % 5))  # the pod's link is made
        addresses = (ip_address("10.0.0.0") + 1000 * turn + i,)
        name = f"pod-{turn}-{i}"
        record = EndpointRecord(i + 1, name, "default", "axn0", bytes(6), addresses, number, labels)
        source.write(evolve(record, node=f"node-{turn}"))
        if time.monotonic() - start > 0.1:  # too late for the time that the test gives an ADD
            source.delete("default", name)
            continue
        time.sleep(0.002 * (i % 3))
        found = source.identities.read().identities.get(number)
        if found is None or found.labels != labels or source.identities.of(labels) != number:
            wrong = f"{number} of {labels} stands for {found}"
        source.delete("default", name)
    return wrong, 0


def _collect(arguments):
    state, _ = arguments
    source, removed, end = EmbeddedSource(state), 0, time.monotonic() + 4
    while time.monotonic() < end:
        start = time.monotonic()
        used = {record.identity for record in source.read().records}
        if (
            time.monotonic() - start > 0.02
        ):  # the machine had other things to do: who is used is old
            continue
        removed += len(source.identities.remove_unused(used, seconds=0.15))
    return "", removed


def test_no_identity_is_removed_from_under_a_pod_that_comes(source, monkeypatch):
    """Two agents add pods while two others remove what nobody uses, as fast as they can."""
    monkeypatch.setattr("axoneme.sources.identities._MARK_SECONDS", 0.02)
    with ProcessPoolExecutor(4) as pool:
        adding = [pool.submit(_add_pods, (source.state, turn)) for turn in (1, 2)]
        removing = [pool.submit(_collect, (source.state, turn)) for turn in (3, 4)]
        assert [job.result()[0] for job in adding] == ["", ""]
        assert sum(job.result()[1] for job in removing) > 20
