# SPDX-License-Identifier: Apache-2.0
"""The executable that runtimes start, alone: no agent answers it."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import threading

import pytest

from axoneme.cni import install, read_request
from axoneme.errors import AxonemeError

CONFIG = json.dumps({"cniVersion": "1.0.0", "name": "axoneme", "type": "axoneme-cni"})


@pytest.fixture
def program(tmp_path):
    """The executable, of an agent whose run directory is below tmp_path."""
    path, _ = install(tmp_path / "bin", tmp_path / "net.d", run_dir=tmp_path / "run")
    return path


def start(program, command, config=CONFIG, **environment):
    """The exit code and the JSON that it printed."""
    words = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c0ffee", "CNI_IFNAME": "eth0"}
    done = subprocess.run(
        [program],
        input=config if isinstance(config, bytes) else config.encode(),
        env=words | environment,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.stderr == b""
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def test_what_is_installed_can_be_executed_and_found(tmp_path, program):
    """Runtimes find the network by its conflist, and the executable by the type in it."""
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    (conflist,) = (tmp_path / "net.d").iterdir()
    document = json.loads(conflist.read_text())
    assert document["cniVersion"] == "0.4.0"
    assert document["cniVersions"] == ["0.4.0", "1.0.0", "1.1.0"]
    assert document["plugins"] == [{"type": program.name, "capabilities": {"ips": True}}]
    assert [path.name for path in program.parent.iterdir()] == [program.name]


def test_an_interpreter_that_is_missing_is_named_before_anything_is_written(tmp_path):
    """A runtime would say nothing but that it cannot execute."""
    with pytest.raises(AxonemeError, match=r"no /nowhere/python"):
        install(tmp_path / "bin", tmp_path / "net.d", python="/nowhere/python")
    assert not (tmp_path / "net.d").exists()


def test_the_versions_are_said_without_an_agent(program):
    """In the version that was asked for, where it is known."""
    code, document = start(program, "VERSION")
    assert code == 0
    assert document["cniVersion"] == "1.0.0"
    assert {"0.3.1", "0.4.0", "1.0.0", "1.1.0"} <= set(document["supportedVersions"])


@pytest.mark.parametrize(
    "config", ["", "[]", "nonsense", '{"cniVersion": []}', "[" * 9999, b"\xff"]
)
def test_a_configuration_that_cannot_be_read_does_not_end_it_without_words(program, config):
    """Its answer is of the newest version then."""
    assert start(program, "VERSION", config)[1]["cniVersion"] == "1.1.0"
    assert start(program, "ADD", config)[1]["cniVersion"] == "1.1.0"


@pytest.mark.parametrize(
    ("command", "number"), [("ADD", 11), ("CHECK", 11), ("GC", 11), ("STATUS", 50)]
)
def test_without_an_agent_the_runtime_is_told_to_try_again(program, command, number):
    """And STATUS that nothing can be made now."""
    code, document = start(program, command)
    assert code == 1
    assert document["cniVersion"] == "1.0.0"
    assert document["code"] == number
    assert "start axoneme agent" in document["msg"]


def test_a_del_without_an_agent_succeeds_and_is_kept(tmp_path, program):
    """For the agent that will start, in a directory for root only."""
    assert start(program, "DEL", CNI_NETNS="/run/netns/gone") == (0, None)
    queue = tmp_path / "run" / "cni-queue"
    assert stat.S_IMODE(queue.stat().st_mode) == 0o700
    (path,) = queue.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    request = read_request(path.read_bytes())
    assert str(request) == "DEL c0ffee eth0"
    assert request.netns == "/run/netns/gone"


@pytest.mark.parametrize("container", ["../../up", "a/b", "", "x" * 4000, "ä\udcff"])
def test_no_name_leads_out_of_the_queue(tmp_path, program, container):
    """The agent judges names; here they only must not do harm."""
    assert start(program, "DEL", CNI_CONTAINERID=container)[0] == 0
    (path,) = (tmp_path / "run" / "cni-queue").iterdir()
    assert path.is_file()


def test_a_del_that_cannot_be_kept_fails_by_name(tmp_path, program):
    """Better the runtime tries again than that a pod's addresses are lost."""
    (tmp_path / "run").write_text("no directory")
    code, document = start(program, "DEL")
    assert code == 1
    assert document["code"] == 5
    assert "cannot be kept" in document["msg"]


@pytest.mark.parametrize("said", [b"", b"0 0", b'0 20\n{"half": ', b"what?\n", b"0\n", b"x 0\n"])
def test_an_agent_that_dies_while_it_answers_is_no_answer(tmp_path, program, said):
    """An ADD is to be tried again, and a DEL is kept."""
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "run" / "cni.sock"))
        listener.listen()

        def serve():
            for _ in range(3):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        assert start(program, "ADD")[1]["code"] == 11
        assert start(program, "DEL") == (0, None)
        thread.join()
    assert list((tmp_path / "run" / "cni-queue").iterdir())


def test_everything_it_is_told_arrives(tmp_path, program):
    """One JSON object in one line, whatever is in the environment and the configuration."""
    (tmp_path / "run").mkdir()
    lines = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "run" / "cni.sock"))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as reader:
                lines.append(reader.readline())
                connection.sendall(b'0 24\n{"cniVersion": "1.0.0"}\n')

        thread = threading.Thread(target=serve)
        thread.start()
        config = CONFIG.replace("{", '{\n\t"ä": "\\u0000\\"", ')
        answer = start(program, "ADD", config, CNI_ARGS='A="ü\n";B=\\', CNI_NETNS="/a b")
        thread.join()
    assert answer == (0, {"cniVersion": "1.0.0"})
    sent = json.loads(lines[0])
    assert sent["config"] == config
    assert (sent["args"], sent["netns"], sent["command"]) == ('A="ü\n";B=\\', "/a b", "ADD")
