# SPDX-License-Identifier: Apache-2.0
"""The filters of a device's clsact hook, ours and those of other tools."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import frozen

from axoneme.net._pyroute2 import nla, nlmsg
from axoneme.net._socket import ACK, DUMP, Socket

if TYPE_CHECKING:
    from axoneme.net._links import Link

Direction: TypeAlias = Literal["ingress", "egress"]

_DELTFILTER, _GETTFILTER = 45, 46
_PARENTS: dict[str, int] = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
_DIRECT_ACTION = 0x1


@frozen
class Filter:
    """A filter of a device's clsact hook.

    `name` and `program`, the id of the program in the kernel, are those of a `kind` bpf; a
    filter of another kind has "" and None. `protocol` is an EtherType, 3 for all.
    """

    direction: Direction
    kind: str
    priority: int
    handle: int
    protocol: int
    chain: int = 0
    name: str = ""
    program: int | None = None
    direct_action: bool = False


class FilterRequests(Socket):
    """What can be asked of filters."""

    def filters(self, link: Link, direction: Direction) -> tuple[Filter, ...]:
        """Return the filters of one direction, in the order in which packets meet them.

        A device without a clsact qdisc has none.
        """
        message = _filter_message(link, direction)
        doing = f"list its {direction} filters"
        found = self._request(message, _GETTFILTER, DUMP, doing, link.name)
        # Handle 0 stands for a priority as a whole, and precedes its filters.
        filters = (_filter(one, direction) for one in found if one["handle"])
        return tuple(sorted(filters, key=lambda one: (one.chain, one.priority)))

    def delete_filter(self, link: Link, filter: Filter) -> None:  # noqa: A002 - what it is
        """Remove a filter that was listed."""
        message = _filter_message(link, filter.direction)
        message["handle"] = filter.handle
        message["info"] = filter.priority << 16 | socket.htons(filter.protocol)
        message["attrs"] = [("TCA_KIND", filter.kind), ("TCA_CHAIN", filter.chain)]
        doing = f"delete its {filter.direction} filter {filter.name or filter.kind}"
        self._request(message, _DELTFILTER, ACK, doing, link.name)


class _bpf_options(nla):  # type: ignore[misc]  # noqa: N801 - as pyroute2 names them
    nla_map = (
        (7, "TCA_BPF_NAME", "asciiz"),
        (8, "TCA_BPF_FLAGS", "uint32"),
        (11, "TCA_BPF_ID", "uint32"),
    )


class _tcmsg(nlmsg):  # type: ignore[misc]  # noqa: N801 - as pyroute2 names them
    """pyroute2's own does not know the id of a program, and takes 50 ms to import."""

    fields = (
        ("family", "B"),
        ("pad1", "B"),
        ("pad2", "H"),
        ("index", "i"),
        ("handle", "I"),
        ("parent", "I"),
        ("info", "I"),
    )
    nla_map = (
        (1, "TCA_KIND", "asciiz"),
        (2, "TCA_OPTIONS", "options"),
        (11, "TCA_CHAIN", "uint32"),
    )

    @staticmethod
    def options(message: Any, *_: Any, **__: Any) -> Any:
        return _bpf_options if message.get_attr("TCA_KIND") == "bpf" else message.hex


def _filter_message(link: Link, direction: Direction) -> Any:
    message = _tcmsg()
    message["index"] = link.index
    message["parent"] = _PARENTS[direction]
    return message


def _filter(message: Any, direction: Direction) -> Filter:
    kind = message.get_attr("TCA_KIND")
    options = message.get_attr("TCA_OPTIONS") if kind == "bpf" else None
    return Filter(
        direction=direction,
        kind=kind,
        priority=message["info"] >> 16,
        handle=message["handle"],
        protocol=socket.ntohs(message["info"] & 0xFFFF),
        chain=message.get_attr("TCA_CHAIN") or 0,
        name=(options.get_attr("TCA_BPF_NAME") or "") if options else "",
        program=options.get_attr("TCA_BPF_ID") if options else None,
        direct_action=bool((options.get_attr("TCA_BPF_FLAGS") or 0) & _DIRECT_ACTION)
        if options
        else False,
    )
