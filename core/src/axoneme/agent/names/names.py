# SPDX-License-Identifier: Apache-2.0
"""What numbers and addresses are called, whoever knows it: an agent, or files and pinned maps."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from axoneme.model import pack_address
from axoneme.model.identity import RESERVED, identity_name
from axoneme.model.policy import OTHER_RULES, RuleName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from axoneme.model import Address
    from axoneme.observe import Directory


class Names(ABC):
    """Who an address, an identity, an endpoint is, and which rule a number.

    Who is asked says only what it knows; how that is put into words is the same for all.
    """

    @property
    @abstractmethod
    def directory(self) -> Directory:
        """The owners of addresses."""

    @abstractmethod
    def labels(self, identity: int) -> Mapping[str, str] | None:
        """The labels of an identity, None if it is not known."""

    @abstractmethod
    def endpoint_of(self, number: int) -> object | None:
        """Whose endpoint of this node a number is; str() is its name."""

    @abstractmethod
    def rule_text(self, number: int) -> str | None:
        """The name of a policy's rule as it was written down, None if it is not known."""

    def address(self, address: Address) -> str:
        """The pod or node that has an address now, nothing if none has."""
        owner = self.directory.present(pack_address(address))
        return "" if owner is None else str(owner)

    def identity(self, number: int) -> str:
        """Who has an identity: host, 10.0.0.0/8, app=web in shop; nothing if nobody knows."""
        return identity_name(number, self.labels(number))

    def peer(self, number: int) -> str:
        """An identity within a sentence; 0 is for anyone."""
        if not number:
            return "anyone"
        name = self.identity(number)
        if number in RESERVED:
            return name
        return f"identity {number} ({name})" if name else f"identity {number}"

    def endpoint(self, number: int) -> str:
        """The pod of an endpoint of this node."""
        return str(self.endpoint_of(number) or f"endpoint {number}")

    def rule_name(self, number: int) -> RuleName | None:
        """A rule, one that no policy wrote too; None for none, or one that is not known."""
        text = self.rule_text(number)
        return OTHER_RULES.get(number) if text is None else RuleName.parse(text)

    def rule(self, number: int) -> str:
        """A rule, nothing for none."""
        return str(self.rule_name(number) or (f"rule {number}" if number else ""))


def device_name(index: int) -> str | None:
    """The name of a device of the network that we are in, None if it is gone."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return None
