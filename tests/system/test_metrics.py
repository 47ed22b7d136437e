# SPDX-License-Identifier: Apache-2.0
"""Metrics as a real Prometheus reads them, from two nodes; what they say, and how many they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.system.shop import becomes, open_shop

from axoneme.agent.metrics import CATALOG
from axoneme.errors import AxonemeError
from axoneme.lab import Settings
from axoneme.testing import scaled

PORT = 9962
SERVER = "172.30.0.254:9090"
_GET = """
import sys, urllib.request, urllib.error
request = urllib.request.Request(sys.argv[1], method=sys.argv[2])
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers["Content-Type"])
print(answer.read().decode(), end="")
"""


@pytest.fixture(scope="module")
def shop():
    """Two nodes that serve metrics; one connection was made and one refused."""
    settings = Settings(nodes=2, sections=f'prometheus-serve-addr = ":{PORT}"')
    with open_shop(f"q{os.getpid()}", settings) as made:
        assert not made.connects("stranger", made.lab.pod("server").addresses[0], 0.5)
        yield made


def get(place, url, method="GET"):
    """Ask by HTTP from a place: status, type, and text."""
    line = place.command([sys.executable, "-c", _GET, url, method])
    result = subprocess.run(line, capture_output=True, text=True, check=True, timeout=scaled(30))
    head, _, text = result.stdout.partition("\n")
    status, _, kind = head.partition(" ")
    return int(status), kind, text


def scrape(shop, node="node1"):
    """What a node serves, asked from outside."""
    address = shop.lab.node(node).addresses[0]
    status, kind, text = get(shop.lab.outside, f"http://{address}:{PORT}/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return text


def samples(text):
    """The values by name and labels."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


@contextmanager
def prometheus(shop, directory):
    """A Prometheus outside of the nodes that scrapes both."""
    targets = [f"{node.addresses[0]}:{PORT}" for node in shop.lab.nodes]
    config = directory / "prometheus.yml"
    scraping = {"job_name": "axoneme", "static_configs": [{"targets": targets}]}
    config.write_text(
        json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [scraping]})
    )
    words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data"]
    line = shop.lab.outside.command([*words, f"--web.listen-address={SERVER}"])
    with (directory / "log").open("w") as log, subprocess.Popen(line, stderr=log) as process:
        try:
            yield lambda path: get(shop.lab.node("node1").place, f"http://{SERVER}{path}")
        finally:
            process.terminate()


def test_a_real_prometheus_scrapes_two_nodes(shop, tmp_path):
    """Both are up, and a question over both is answered."""
    with prometheus(shop, tmp_path) as ask:

        def answer(path):
            try:
                return json.loads(ask(path)[2])["data"]
            except (subprocess.CalledProcessError, ValueError):
                return {}

        def health():
            targets = answer("/api/v1/targets").get("activeTargets", [])
            return [target["health"] for target in targets]

        assert becomes(lambda: health() == ["up", "up"], 30), health()
        found = answer("/api/v1/query?query=sum%20by%20(instance)%20(cilium_endpoint)")
        values = {row["metric"]["instance"]: row["value"][1] for row in found["result"]}
        assert values == {"172.30.0.1:9962": "2", "172.30.0.2:9962": "1"}
        assert answer("/api/v1/query?query=up%20==%200")["result"] == []


def test_promtool_finds_nothing_wrong(shop):
    """Neither in the format nor in the names."""
    text = scrape(shop)
    check = ["promtool", "check", "metrics"]
    result = subprocess.run(check, input=text, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_promtool_would_find_something(shop):
    """It is really asked."""
    text = scrape(shop).replace("# TYPE cilium_endpoint gauge", "# TYPE cilium_endpoint counter")
    check = ["promtool", "check", "metrics"]
    result = subprocess.run(check, input=text, capture_output=True, text=True, check=False)
    assert result.returncode != 0


def test_every_metric_is_one_of_the_catalogue(shop):
    """By its name, its kind and its labels, none missing; so the documentation is whole."""
    families = {f.name: f for f in text_string_to_metric_families(scrape(shop))}
    own = {name for name in families if name.startswith(("cilium_", "axoneme_"))}
    assert own == CATALOG.keys()
    for name, known in CATALOG.items():
        assert (families[name].type, families[name].documentation) == (known.kind, known.help)
        for sample in families[name].samples:
            assert sample.labels.keys() - {"le"} == set(known.labels)


def test_what_was_dropped_is_counted_by_reason_and_direction(shop):
    """The stranger's connection on its way into the server, as Cilium's dashboards ask for it."""
    found = samples(scrape(shop))
    reason = ("reason", "Policy denied")
    assert found["cilium_drop_count_total", ("direction", "INGRESS"), reason] > 0
    assert found["cilium_drop_bytes_total", ("direction", "INGRESS"), reason] > 0
    assert found["cilium_forward_count_total", ("direction", "EGRESS")] > 0


def test_what_is_there_is_counted(shop):
    """Endpoints, policies and where they hold, addresses, nodes, plugins, programs."""
    found = samples(scrape(shop))
    assert found["cilium_endpoint_state", ("endpoint_state", "ready")] == 2
    assert found["cilium_policy",] == 1
    enforcement = "cilium_policy_endpoint_enforcement_status"
    assert found[enforcement, ("enforcement", "ingress")] == 1
    assert found[enforcement, ("enforcement", "none")] == 1
    assert found["cilium_ip_addresses", ("family", "ipv4")] == 2
    assert found["cilium_ipam_capacity", ("family", "ipv4")] == 254
    assert found["axoneme_nodes",] == 2
    assert found["axoneme_plugins", ("status", "on")] == 2
    assert found["axoneme_lanes", ("stage", "track")] == 1
    assert found["axoneme_verified_instructions", ("trunk", "from_pod")] > 0
    assert found["axoneme_verifier_seconds", ("trunk", "from_pod")] > 0
    assert found["cilium_identity", ("type", "cluster_local")] >= 3
    assert found["axoneme_drift",] == 0


def test_requests_and_changes_are_timed(shop):
    """An ADD for each pod of the node, the policy, and the start."""
    found = samples(scrape(shop))
    added = ("method", "ADD"), ("path", "/cni"), ("return_code", "0")
    assert found["cilium_api_process_time_seconds_count", *added] == 2
    assert 0 < found["cilium_api_process_time_seconds_sum", *added] < scaled(20)
    delay = "cilium_policy_implementation_delay"
    assert found[f"{delay}_count", ("source", "embedded")] > 0
    assert found["cilium_policy_max_revision",] > 0
    started = "cilium_agent_bootstrap_seconds"
    assert found[started, ("outcome", "success"), ("scope", "datapath")] > 0


def test_maps_tell_how_full_they_are(shop):
    """The map of endpoints has two rows a pod."""
    pressure = ("cilium_bpf_map_pressure", ("map_name", "endpoints"))
    assert becomes(lambda: samples(scrape(shop)).get(pressure, 0) > 0, 20)
    found = samples(scrape(shop))
    capacity = found["cilium_bpf_map_capacity", ("map_group", "endpoints")]
    assert found[pressure] * capacity == pytest.approx(4)


def test_a_swap_and_a_refused_configuration_are_counted(shop):
    """And the refusal is an error in the log."""
    node = shop.lab.node("node2")
    text = node.config.read_text()
    before = samples(scrape(shop, "node2"))
    try:
        assert "swapped" in node.ask("reload")
        node.config.write_text(f"{text}\n[tc]\nforwrd = true\n")
        with pytest.raises(AxonemeError, match="refused"):
            node.ask("reload")
        after = samples(scrape(shop, "node2"))
    finally:
        node.config.write_text(text)
    success = ("axoneme_swaps_total", ("outcome", "success"))
    assert after[success] == before.get(success, 0) + 1
    assert after["axoneme_swap_seconds_count",] == before["axoneme_swap_seconds_count",] + 1
    logged = ("cilium_errors_warnings_total", ("level", "error"), ("subsystem", "agent"))
    assert after[logged] > before.get(logged, 0)


def test_traffic_and_pods_make_no_series(shop):
    """No label has a pod, an address or a port, and the number of series is bounded."""
    text = scrape(shop)
    addresses = [address for pod in shop.lab.pods for address in pod.addresses]
    labels = "".join(re.findall(r"\{.*?\}", text))
    for word in ("default/server", "friend", "8080", *addresses):
        assert word not in labels
    assert len(samples(text)) < 400


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/metrics?x=1", "GET", 200),
        ("/metrics", "HEAD", 200),
        ("/metrics", "POST", 405),
    ],
)
def test_nothing_else_is_served(shop, path, method, status):
    """Other paths and methods are refused."""
    address = shop.lab.node("node1").addresses[0]
    assert get(shop.lab.outside, f"http://{address}:{PORT}{path}", method)[0] == status


def test_a_peer_that_says_nothing_keeps_nobody_waiting(shop):
    """The next is answered at once."""
    address = str(shop.lab.node("node1").addresses[0])
    script = f"import socket, time; socket.create_connection(('{address}', {PORT})); time.sleep(60)"
    line = shop.lab.outside.command([sys.executable, "-c", script])
    with subprocess.Popen(line) as idle:
        try:
            time.sleep(0.5)
            started = time.monotonic()
            scrape(shop)
            assert time.monotonic() - started < scaled(5)
        finally:
            idle.kill()


def test_the_command_prints_the_same_families(shop):
    """Also where nothing is served."""
    printed = {f.name for f in text_string_to_metric_families(shop.run("metrics").stdout)}
    assert printed == {f.name for f in text_string_to_metric_families(scrape(shop))}
