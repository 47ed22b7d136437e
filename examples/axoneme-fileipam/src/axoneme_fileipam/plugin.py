# SPDX-License-Identifier: Apache-2.0
"""The hooks of fileipam, and its settings."""

from functools import lru_cache
from ipaddress import collapse_addresses, ip_address, ip_network, summarize_address_range
from pathlib import Path

from attrs import evolve, frozen

from axoneme import AddressPool, hookimpl


@frozen
class FileIpamConfig:
    directory: Path = Path("/etc/axoneme/addresses")


@hookimpl
def axoneme_config():
    return FileIpamConfig


@hookimpl
def axoneme_address_pools(node, config):
    networks, _ = _read(config.directory / node.record.name)
    return [AddressPool(networks=networks, allow_first=True, allow_last=True)]


@hookimpl
def axoneme_node_ipam(node, usage, config):
    networks, wrong = _read(config.directory / node.record.name)
    left = [ip_network(a) for a in usage.used if not any(a in n for n in networks)]
    return evolve(node.ipam, pod_cidrs=(*networks, *left), used=usage.used, error="; ".join(wrong))


def _read(path):
    try:
        mark = path.stat()
        return _parsed(path, mark.st_mtime_ns, mark.st_ino, mark.st_size)
    except (OSError, UnicodeDecodeError) as error:
        return (), (f"{path} cannot be read: {error}",)


@lru_cache(maxsize=1)
def _parsed(path, *_mark):
    networks, wrong = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            networks += _networks(line.partition("#")[0].strip())
        except (TypeError, ValueError) as error:
            wrong.append(f"{path}:{number}: {error}")
    families = [[n for n in networks if n.version == version] for version in (4, 6)]
    return tuple(n for family in families for n in collapse_addresses(family)), tuple(wrong)


def _networks(words):
    first, dash, last = words.partition("-")
    if dash:
        return summarize_address_range(ip_address(first.strip()), ip_address(last.strip()))
    return [ip_network(words)] if words else []
