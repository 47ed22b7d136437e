# SPDX-License-Identifier: Apache-2.0
"""The section [ipam]: its keys, their other spellings, and what is refused."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from axoneme import ConfigError
from axoneme.config import Effect, Sections, parse_config, settings_of
from axoneme.config.editing import ConfigFile
from axoneme_ipam.config import IpamConfig, Mode


class Source:
    """The plugin is installed, and on."""

    def sections(self, enabled):
        return Sections({"ipam": IpamConfig})


def read(text):
    """The section that a file says, or its problems."""
    try:
        return parse_config(text, Source(), name="file").sections["ipam"]
    except ConfigError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "key", "wanted"),
    [
        ('[ipam]\nmode = "kubernetes"', "mode", Mode.KUBERNETES),
        ('ipam = "multi-pool"', "mode", Mode.MULTI_POOL),
        ('ipam.mode = "crd"', "mode", Mode.CRD),
        ("[ipam]\npre-allocate = 3", "pre_allocate", 3),
        ("[ipam.multi-pool-pre-allocation]\nblue = 3", "multi_pool_pre_allocation", {"blue": 3}),
        ("[ipam.multiPoolPreAllocation]\nblue = 3", "multi_pool_pre_allocation", {"blue": 3}),
        ("[ipamMultiPoolPreAllocation]\nblue = 3", "multi_pool_pre_allocation", {"blue": 3}),
        ('ipam-default-ip-pool = "blue"', "default_pool", "blue"),
        (
            '[ipam.operator]\nclusterPoolIPv4PodCIDRList = ["10.0.0.0/8"]',
            "cluster_pool_ipv4_cidr",
            (ip_network("10.0.0.0/8"),),
        ),
        (
            'cluster-pool-ipv6-cidr = ["fd00::/104"]',
            "cluster_pool_ipv6_cidr",
            (ip_network("fd00::/104"),),
        ),
        ("cluster-pool-ipv4-mask-size = 26", "cluster_pool_ipv4_mask_size", 26),
    ],
)
def test_a_key_has_its_spellings(text, key, wanted):
    """Its own, those of Helm values, and those of the agent's flat configuration."""
    assert getattr(read(text), key) == wanted


def test_the_section_and_the_flat_key_of_its_name_do_not_mix():
    """A table [ipam] is the section; its keys keep what they say beside other spellings."""
    text = 'ipam-default-ip-pool = "blue"\n[ipam]\npre-allocate = 2'
    assert (read(text).pre_allocate, read(text).default_pool) == (2, "blue")


@pytest.mark.parametrize(
    ("text", "value", "changed"),
    [
        ("[ipam]\npre-allocate = 2\n", "cluster-pool", '[ipam]\npre-allocate = 2\nmode = "crd"\n'),
        ('ipam = "kubernetes"\n', "kubernetes", 'ipam = "crd"\n'),
    ],
)
def test_the_mode_is_looked_up_and_changed_where_it_stands(tmp_path, text, value, changed):
    """`axoneme config` takes neither for the other."""
    path = tmp_path / "axoneme.toml"
    path.write_text(text)
    file = ConfigFile.read(path, Source())
    mode = file.setting("ipam.mode")
    assert file.value(mode).value == value
    assert file.with_value(mode, "crd") == changed


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('mode = "cluster-pol"', "did you mean 'cluster-pool'?"),
        (
            'cluster-pool-ipv4-cidr = ["10.0.0.0/8", "10.1.0.0/16"]',
            ".cluster-pool-ipv4-cidr: 10.0.0.0/8 and 10.1.0.0/16 overlap: keep 10.0.0.0/8",
        ),
        ('cluster-pool-ipv4-cidr = ["10.0.0.0/16", "fd00::/64"]', "'fd00::/64' is no IPv4 network"),
        (
            'cluster-pool-ipv4-cidr = ["10.0.0.0/16"]\ncluster-pool-ipv4-mask-size = 15',
            "file:3: ipam.cluster-pool-ipv4-mask-size: must be 16 to 30, not 15: a node's part",
        ),
        ("cluster-pool-ipv4-mask-size = 31", "must be 1 to 30, not 31"),
        ("cluster-pool-ipv6-mask-size = 127", "must be 1 to 126, not 127"),
        ('cluster-pool-ipv6-cidr = ["fd00::/122"]', "must be 122 to 126, not 120"),
        ("pre-allocate = -1", "must be 0 to 65536 addresses, not -1"),
        ("multi-pool-pre-allocation = { blue = 70000 }", "must be 0 to 65536 addresses of blue"),
        ('default-pool = ""', "must be the name of a pool, such as 'default'"),
    ],
)
def test_what_cannot_be_is_refused(text, problem):
    """With file, line, key, and what to write."""
    (found,) = read(f"[ipam]\n{text}")
    assert problem in found


def test_changes_need_no_swap_of_programs():
    """The plugin has none."""
    assert {setting.effect for setting in settings_of("ipam", IpamConfig)} == {Effect.RELOAD}
