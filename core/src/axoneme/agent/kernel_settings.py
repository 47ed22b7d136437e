# SPDX-License-Identifier: Apache-2.0
"""Settings of the node's kernel that pods' packets need: forwarding, for each family in use.

What a setting was before is written down before it is changed, and `axoneme cleanup` puts it back,
unless somebody has changed it since. The file is in the run directory, which goes with a restart of
the node as the settings do. rp_filter is left as it is: also where it is strict our routes pass it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from attrs import define, field

from axoneme.errors import AxonemeError
from axoneme.net import NetworkError, read_sysctl, write_sysctl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from axoneme.net import Netlink

SETTINGS_FILE: Final = "sysctls.json"
_FORWARDING: Final = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_ACCEPT_RA: Final = "net/ipv6/conf/{}/accept_ra"
#: A host listens to routers, one that forwards does not, and 2 is one that does all the same.
_HOST, _ALWAYS = "1", "2"


@define
class KernelSettings:
    """The settings of one node; calls are made in its namespaces.

    `problems` are what could not be set when it was tried last, and what only people can change.
    """

    run_dir: Path
    uplinks: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=(), init=False)

    def keep(self, netlink: Netlink, versions: Iterable[int]) -> list[str]:
        """Turn on what is off of what these versions of IP need; a sentence for each."""
        found, problems = [], []
        for version in sorted(versions):
            try:
                found += self._forward(version)
            except (AxonemeError, OSError) as error:
                words = _dotted(_FORWARDING[version])
                problems.append(
                    f"IPv{version} packets of pods are not forwarded, set {words} to 1: {error}"
                )
        if 6 in versions:
            problems += _without_link_local(netlink, self.uplinks)
        self.problems = tuple(problems)
        return found

    def _forward(self, version: int) -> list[str]:
        name = _FORWARDING[version]
        if read_sysctl(name) == "1":
            return []
        changed = []
        if version == 6:
            # Forwarding ends what routers said, as the node's default route, where this is 1.
            names = (_ACCEPT_RA.format(uplink) for uplink in self.uplinks)
            changed = [self._set(n, _ALWAYS) for n in names if read_sysctl(n) == _HOST]
        return [*changed, self._set(name, "1")]

    def _set(self, name: str, value: str) -> str:
        before = read_sysctl(name)
        saved = _read(self.run_dir)
        # What an operator has turned off again is what an earlier agent found, or what we found.
        saved[name] = (saved.get(name, (before, value))[0], value)
        _write(self.run_dir, saved)
        write_sysctl(name, value)
        return f"setting {_dotted(name)}: it was {before}, is {value}"


def restore_settings(run_dir: Path) -> list[str]:
    """Put settings back that an agent has changed, if they are as it left them; which ones."""
    restored = []
    # In the order against that of setting: accept_ra last, since forwarding looks at it.
    for name, (before, value) in reversed(_read(run_dir).items()):
        try:
            if before == value or read_sysctl(name) != value:
                continue
            write_sysctl(name, before)
        except NetworkError:
            continue  # its device is gone
        restored.append(f"setting {_dotted(name)}, which is {before} again")
    (run_dir / SETTINGS_FILE).unlink(missing_ok=True)
    return restored


def _without_link_local(netlink: Netlink, uplinks: Iterable[str]) -> list[str]:
    found = []
    for name in uplinks:
        link = netlink.find_link(name)
        if link is None or any(
            one.ip.version == 6 and one.ip.is_link_local for one in netlink.addresses(link)
        ):
            continue
        found.append(
            f"uplink {name} has no IPv6 link-local address, and a node that forwards asks its "
            f"neighbours from no other: give it one, as by `ip address add fe80::1/64 dev {name}`"
        )
    return found


def _dotted(name: str) -> str:
    """A setting as sysctl(8) writes it; a dot in a device's name is a slash there."""
    return name.translate(str.maketrans("/.", "./"))


def _read(run_dir: Path) -> dict[str, tuple[str, str]]:
    """What settings were and what they were set to; nothing where that is not known."""
    try:
        told = json.loads((run_dir / SETTINGS_FILE).read_bytes())
        return {str(name): (str(before), str(value)) for name, (before, value) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(run_dir: Path, settings: dict[str, tuple[str, str]]) -> None:
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = run_dir / f".{SETTINGS_FILE}"
    draft.write_text(json.dumps(settings))
    draft.replace(run_dir / SETTINGS_FILE)
