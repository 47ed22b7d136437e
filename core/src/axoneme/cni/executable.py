# SPDX-License-Identifier: Apache-2.0
"""The CNI plugin as container runtimes start it: it hands the request to the agent.

`axoneme cni install` copies this file. It stands alone and imports nothing that takes time: it
begins once for every pod that comes or goes. What it says to the agent is one JSON object in one
line; the agent answers with a line of two numbers, the exit code and a length, and behind it with
as many bytes, which are printed.

A DEL for which no agent is there is kept in a file, and the agent does it when it starts: a
runtime must be able to end its pods at any time.
"""

from __future__ import annotations

import _socket  # the module socket takes as long to import as Python itself takes to start
import os
import sys

try:
    from _json import encode_basestring_ascii as quote
except ImportError:  # an interpreter without its accelerator
    from json import dumps as quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_DIR = "/run/axoneme"

SOCKET = "cni.sock"
QUEUE = "cni-queue"
VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
_SECONDS = 60
_IO_FAILURE, _TRY_AGAIN, _NOT_AVAILABLE = 5, 11, 50
_MOST_BYTES = 1 << 20
_ENVIRONMENT = {
    "containerId": "CNI_CONTAINERID",
    "netns": "CNI_NETNS",
    "ifname": "CNI_IFNAME",
    "args": "CNI_ARGS",
    "path": "CNI_PATH",
}


def main(environment: Mapping[str, str], config: bytes) -> tuple[int, str]:
    """Do what CNI_COMMAND says: the exit code, and what is to be printed."""
    command = environment.get("CNI_COMMAND", "")
    text = config.decode(errors="replace")
    if command == "VERSION":
        return 0, _versions(text)
    request = _request(command, environment, text)
    try:
        return _ask(request)
    except OSError as error:
        if command != "DEL":
            return _no_agent(command, text, error)
    try:
        return _keep(request, environment)
    except OSError as error:
        sentence = f"no agent answers, and the request cannot be kept for it: {error}"
        return 1, _error(text, _IO_FAILURE, sentence)


def _request(command: str, environment: Mapping[str, str], config: str) -> bytes:
    fields = {"command": command}
    fields |= {key: environment.get(name, "") for key, name in _ENVIRONMENT.items()}
    # Whatever is no Unicode in the environment becomes a question mark.
    fields = {key: value.encode(errors="replace").decode() for key, value in fields.items()}
    fields["config"] = config
    return ("{" + ",".join(f"{quote(k)}:{quote(v)}" for k, v in fields.items()) + "}\n").encode()


def _ask(request: bytes) -> tuple[int, str]:
    """Send a request to the agent; OSError if none answers to the end."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(_SECONDS)
        connection.connect(f"{RUN_DIR}/{SOCKET}")
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    finally:
        connection.close()
    head, line_end, output = answer.partition(b"\n")
    code, _, length = head.decode(errors="replace").partition(" ")
    if not line_end or not code.isdecimal() or length != str(len(output)):
        raise ConnectionResetError("the agent ended before it had answered")
    return int(code), output.decode()


def _keep(request: bytes, environment: Mapping[str, str]) -> tuple[int, str]:
    """Leave a DEL to the agent that will start."""
    directory = f"{RUN_DIR}/{QUEUE}"
    os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103 - pathlib is slow to import
    names = (environment.get("CNI_CONTAINERID", ""), environment.get("CNI_IFNAME", ""))
    name = "".join(
        c if (c.isalnum() and c.isascii()) or c in "_-" else "." for c in "@".join(names)
    )
    draft, path = f"{directory}/.{name[:200]}.{os.getpid()}", f"{directory}/{name[:200]}.json"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, request)
    finally:
        os.close(descriptor)
    os.replace(draft, path)  # noqa: PTH105 - pathlib is slow to import
    # An agent that came meanwhile may have looked into the directory before this file was there.
    try:
        answer = _ask(request)
    except OSError:
        return 0, ""
    try:
        os.unlink(path)  # noqa: PTH108 - pathlib is slow to import
    except FileNotFoundError:
        return answer  # the agent has found it too
    return answer


def _no_agent(command: str, config: str, error: OSError) -> tuple[int, str]:
    number = _NOT_AVAILABLE if command == "STATUS" else _TRY_AGAIN
    sentence = f"no agent answers at {RUN_DIR}/{SOCKET}; start axoneme agent, and see its log"
    return 1, _error(config, number, sentence, str(error))


def _error(config: str, number: int, sentence: str, details: str = "") -> str:
    """An error's JSON, in the version of the configuration if that can be read."""
    fields = {"msg": sentence, "details": details}
    texts = "".join(f",{quote(key)}:{quote(value)}" for key, value in fields.items() if value)
    return f'{{"cniVersion":{quote(_version(config))},"code":{number}{texts}}}\n'


def _version(config: str) -> str:
    import json

    try:
        version = json.loads(config)["cniVersion"]
    except (ValueError, TypeError, KeyError, RecursionError):
        version = None
    return version if version in VERSIONS else VERSIONS[-1]


def _versions(config: str) -> str:
    listed = ",".join(map(quote, VERSIONS))
    return f'{{"cniVersion":{quote(_version(config))},"supportedVersions":[{listed}]}}\n'


if __name__ == "__main__":
    exit_code, printed = main(os.environ, sys.stdin.buffer.read(_MOST_BYTES))
    sys.stdout.write(printed)
    sys.stdout.flush()
    os._exit(exit_code)  # there is nothing to tear down, and tearing down takes time
