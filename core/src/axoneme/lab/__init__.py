# SPDX-License-Identifier: Apache-2.0
"""A lab: a cluster of several nodes on one machine, in namespaces that outlive every process.

    lab = Lab("lab")
    lab.up(Settings(nodes=3))
    lab.add_pod("web", labels={"app": "web"})
    lab.place("web").command(["ip", "address"])
    lab.down()

It is found again by its name: all that it has is below one directory, one cgroup, and links in
/run/netns that begin with the name.
"""

from __future__ import annotations

from axoneme.lab.lab import Lab
from axoneme.lab.places import Place
from axoneme.lab.pods import Pod, Port
from axoneme.lab.settings import Settings

__all__ = ["Lab", "Place", "Pod", "Port", "Settings"]
