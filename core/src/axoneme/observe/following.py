# SPDX-License-Identifier: Apache-2.0
"""The reader's side: what an agent streams, as flows and losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define

from axoneme.observe.flow import FlowReader
from axoneme.observe.lost import Lost
from axoneme.observe.rows import RowLayout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axoneme.observe.flow import Flow


@define
class Following:
    """A stream of events of one node."""

    node: str
    _stream: Iterator[tuple[dict[str, Any], bytes]]
    _reader: FlowReader

    @classmethod
    def of(cls, stream: Iterator[tuple[dict[str, Any], bytes]]) -> Following:
        """Read the first header, which says what rows look like."""
        head, _ = next(stream)
        layout = RowLayout(head["size"], tuple(map(tuple, head["fields"])))
        trunks = {int(number): name for number, name in head["trunks"].items()}
        return cls(head["node"], stream, FlowReader.of(layout, head["offset"], trunks))

    def __iter__(self) -> Iterator[list[Flow | Lost]]:
        """What comes, together what came at once."""
        for header, rows in self._stream:
            self._reader.learn({tuple(item[:-1]): item[-1] for item in header["names"]})
            lost = [Lost.from_json(one, self._reader.offset) for one in header["lost"]]
            yield [*lost, *self._reader.read(rows)]
