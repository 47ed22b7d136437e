# SPDX-License-Identifier: Apache-2.0
"""The addresses that a pod is to have, as runtimes hand them on.

There are three conventions for it (CONVENTIONS.md of containernetworking): the capability `ips`
(runtimeConfig.ips), args.cni.ips, and the word IP of CNI_ARGS. A pod may be asked for by all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axoneme.cni.errors import CniError, Code
from axoneme.model.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from axoneme.model import Address

_WORD = "IP"


def asked_addresses(
    words: Mapping[str, str], args: Any, runtime: Mapping[str, Any]
) -> tuple[Address, ...]:
    """Return the addresses that a request asks for: of each family one or none.

    `words` are those of CNI_ARGS, `args` is args.cni.ips and `runtime` is runtimeConfig. The
    length of a prefix is dropped: links of pods have none.

    Raises:
        CniError: what is no address, or a second one of its family, by the word that says it.
    """
    found: dict[int, tuple[str, Address]] = {}
    for where, text, code in _texts(words, args, runtime):
        address = _address(where, text, code)
        first, other = found.setdefault(address.version, (where, address))
        if other != address:
            raise CniError(
                code,
                f"{where}: a pod has one address of each family: {other} is asked for by {first} "
                f"already, and {address} is another",
            )
    return tuple(address for _, address in found.values())


def _texts(
    words: Mapping[str, str], args: Any, runtime: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Code]]:
    """Each text that should be an address, where it stands, and the error if it is none."""
    for name, value in (("runtimeConfig.ips", runtime.get("ips")), ("args.cni.ips", args)):
        if value is not None and not isinstance(value, list):
            raise CniError(Code.INVALID_CONFIG, f"{name} must be a list of addresses: {value!r}")
        for number, text in enumerate(value or ()):
            yield f"{name}[{number}]", text, Code.INVALID_CONFIG
    for text in filter(None, words.get(_WORD, "").split(",")):
        yield f"CNI_ARGS: {_WORD}", text, Code.INVALID_ENVIRONMENT


def _address(where: str, text: Any, code: Code) -> Address:
    try:
        if not isinstance(text, str):
            raise TypeError(f"{text!r} is no address: write 10.1.2.3 or fd00::3")  # noqa: TRY301
        address, slash, length = text.strip().partition("/")
        found = parse_address(address)
    except (TypeError, ValueError) as error:
        raise CniError(code, f"{where}: {error}") from None
    if slash and not (
        length.isascii() and length.isdecimal() and int(length) <= found.max_prefixlen
    ):
        raise CniError(code, f"{where}: {text!r} has no length of a prefix behind its slash")
    return found
