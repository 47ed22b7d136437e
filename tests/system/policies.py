# SPDX-License-Identifier: Apache-2.0
"""Policies to try on a server, and at which ports they let whom reach it.

The people: friend (app: friend, tier: front) and stranger (app: stranger) of the namespace default,
guest (app: friend) of shop (team: blue), the node, and outside (172.31.0.9, fd00:172::9).
"""

from __future__ import annotations

PORTS = ("tcp/8080", "tcp/8085", "tcp/8091", "udp/5353", "sctp/36412")
ALL = frozenset(PORTS)
PODS = ("friend", "stranger", "guest")
PEOPLE = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: blue}}
---
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: default, labels: {app: server}}
spec:
  containers:
  - name: server
    ports:
    - {name: http, containerPort: 8080}
    - {name: dns, containerPort: 5353, protocol: UDP}
---
apiVersion: v1
kind: Pod
metadata: {name: friend, namespace: default, labels: {app: friend, tier: front}}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: default, labels: {app: stranger}}
---
apiVersion: v1
kind: Pod
metadata: {name: guest, namespace: shop, labels: {app: friend}}
"""
_KUBERNETES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: tried, namespace: default}
spec:
"""
_CILIUM = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: tried, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: server}}
"""


def _into(rules: str) -> str:
    return (
        f"{_KUBERNETES}  podSelector: {{matchLabels: {{app: server}}}}\n"
        f"  policyTypes: [Ingress]\n  ingress:{rules}"
    )


def _out(rules: str) -> str:
    return f"{_KUBERNETES}  podSelector: {{}}\n  policyTypes: [Egress]\n  egress:{rules}"


def _each(people: tuple[str, ...], *ports: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys(people, frozenset(ports))


_NOT_THE_NODE = (*PODS, "outside")
_HERE = ("friend", "stranger")

#: By name: the text, and at which ports whom; who is not there reaches nothing.
INGRESS = {
    "no rule": (_into(" []"), {}),
    "a label": (
        _into("""
  - from: [{podSelector: {matchLabels: {app: friend}}}]
"""),
        {"friend": ALL},
    ),
    "In and Exists": (
        _into("""
  - from:
    - podSelector:
        matchExpressions:
        - {key: app, operator: In, values: [friend, x]}
        - {key: tier, operator: Exists}
"""),
        {"friend": ALL},
    ),
    "NotIn and DoesNotExist": (
        _into("""
  - from:
    - podSelector:
        matchExpressions:
        - {key: app, operator: NotIn, values: [server]}
        - {key: tier, operator: DoesNotExist}
"""),
        {"stranger": ALL},
    ),
    "a namespace": (
        _into("""
  - from: [{namespaceSelector: {matchLabels: {team: blue}}}]
"""),
        {"guest": ALL},
    ),
    "a namespace by its name": (
        _into("""
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]
"""),
        {"guest": ALL},
    ),
    "pods of all namespaces": (
        _into("""
  - from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: friend}}}]
"""),
        {"friend": ALL, "guest": ALL},
    ),
    "a network": (
        _into("""
  - from: [{ipBlock: {cidr: 172.31.0.0/24}}, {ipBlock: {cidr: 'fd00:172::/64'}}]
"""),
        {"outside": ALL},
    ),
    "a network less one address": (
        _into("""
  - from:
    - ipBlock: {cidr: 172.31.0.0/24, except: [172.31.0.9/32]}
    - ipBlock: {cidr: 'fd00:172::/64', except: ['fd00:172::9/128']}
"""),
        {},
    ),
    "a range of ports": (
        _into("""
  - ports: [{port: 8080, endPort: 8090}]
"""),
        _each(_NOT_THE_NODE, "tcp/8080", "tcp/8085"),
    ),
    "named ports": (
        _into("""
  - from: [{podSelector: {}}]
    ports: [{port: http}, {port: dns, protocol: UDP}, {port: nonesuch}]
"""),
        _each(_HERE, "tcp/8080", "udp/5353"),
    ),
    "a port of SCTP": (
        _into("""
  - from: [{podSelector: {}}]
    ports: [{port: 36412, protocol: SCTP}]
"""),
        _each(_HERE, "sctp/36412"),
    ),
    "all ports of a protocol": (
        _into("""
  - ports: [{protocol: TCP}]
"""),
        _each(_NOT_THE_NODE, "tcp/8080", "tcp/8085", "tcp/8091"),
    ),
    "Cilium: endpoints": (
        f"""{_CILIUM}
  ingress: [{{fromEndpoints: [{{matchLabels: {{app: friend}}}}]}}]
""",
        {"friend": ALL},
    ),
    "Cilium: endpoints of a namespace": (
        f"""{_CILIUM}
  ingress: [{{fromEndpoints: [{{matchLabels: {{k8s:io.kubernetes.pod.namespace: shop}}}}]}}]
""",
        {"guest": ALL},
    ),
    "Cilium: the world": (
        f"""{_CILIUM}
  ingress: [{{fromEntities: [world]}}]
""",
        {"outside": ALL},
    ),
    "Cilium: the cluster": (
        f"""{_CILIUM}
  ingress: [{{fromEntities: [cluster]}}]
""",
        dict.fromkeys(PODS, ALL),
    ),
    "Cilium: networks": (
        f"""{_CILIUM}
  ingress: [{{fromCIDR: [172.31.0.9/32, 'fd00:172::9/128']}}]
""",
        {"outside": ALL},
    ),
    "Cilium: no network of the cluster": (
        f"""{_CILIUM}
  ingress: [{{fromCIDR: [10.1.0.0/16, 'fd00:10:1::/64']}}]
""",
        {},
    ),
    "Cilium: a network less a part": (
        f"""{_CILIUM}
  ingress:
  - fromCIDRSet:
    - {{cidr: 172.31.0.0/24, except: [172.31.0.8/30]}}
    - {{cidr: 'fd00:172::/64', except: ['fd00:172::8/126']}}
""",
        {},
    ),
    "Cilium: ports of any protocol": (
        f"""{_CILIUM}
  ingress:
  - fromEntities: [all]
    toPorts: [{{ports: [{{port: '8080', endPort: 8085}}, {{port: '5353', protocol: ANY}}]}}]
""",
        _each(_NOT_THE_NODE, "tcp/8080", "tcp/8085", "udp/5353"),
    ),
    "Cilium: a denial wins": (
        f"""{_CILIUM}
  ingress: [{{fromEntities: [all]}}]
  ingressDeny:
  - fromEndpoints: [{{matchLabels: {{app: stranger}}}}]
  - fromEntities: [world]
    toPorts: [{{ports: [{{port: '8080', protocol: TCP}}]}}]
""",
        {"friend": ALL, "guest": ALL, "outside": ALL - {"tcp/8080"}},
    ),
}
#: By name: the text, and at which ports the pods of default reach the server.
EGRESS = {
    "no rule": (_out(" []"), frozenset()),
    "a pod's port": (
        _out("""
  - to: [{podSelector: {matchLabels: {app: server}}}]
    ports: [{port: http}]
"""),
        frozenset({"tcp/8080"}),
    ),
    "another pod": (
        _out("""
  - to: [{podSelector: {matchLabels: {app: nobody}}}]
"""),
        frozenset(),
    ),
    "a network in which pods are": (
        _out("""
  - to: [{ipBlock: {cidr: 10.1.0.0/16}}, {ipBlock: {cidr: 'fd00:10:1::/64'}}]
"""),
        ALL,
    ),
}
