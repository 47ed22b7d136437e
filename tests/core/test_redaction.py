# SPDX-License-Identifier: Apache-2.0
"""Secrets leave nothing of themselves in what people send."""

from __future__ import annotations

import tomllib

import pytest
import yaml

from axoneme.agent.sysdump import REDACTED, Redactor, is_secret

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "name",
    [
        *("password", "db-passwd", "apiToken", "client-secret", "encryption-key", "ipsec.keys"),
        *("psk", "tls.crt", "privateKey", "ca-cert", "credentials", "key"),
    ],
)
def test_names_of_secrets(name):
    """However they are written."""
    assert is_secret(name)


@pytest.mark.parametrize("name", ["keycloak", "monkey-business", "name", "node-name", "ports"])
def test_names_of_what_is_none(name):
    """A word that only has one in it is none."""
    assert not is_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        f'[wg]\nprivate-key = "{SECRET}"\n',
        f"[wg]\nprivate-key = '''\n{SECRET}\n'''\n",
        f'[wg.tls]\nca = "{SECRET}"\nname = "{SECRET}-2"\n',
        f'wg = {{ password = "{SECRET}", port = 5 }}\n',
        f'[wg]\ntokens = [\n  "{SECRET}",\n  "{SECRET}-2",\n]\n',
        f'[wg]\npassword = "\\u0068unter2-hunter2"\nnote = "{SECRET}"\n',
        f'[wg]\n"pass\\u0077ord" = "{SECRET}"\n',
        f'[wg]\npassword = "{SECRET}\n',  # no TOML at all
    ],
)
def test_a_configuration_keeps_no_secret(text):
    """In whatever way TOML lets it be written, also where it is wrong."""
    shown = Redactor().toml(text)
    assert "hunter2" not in shown
    assert REDACTED in shown
    assert "wg" in shown


def test_a_configuration_keeps_everything_else():
    """Comments, lines, paths of keys, and switches."""
    text = (
        '# why\n[agent]\nplugins = ["tc"]  # one\n\n[wg]\nkey-file = "/etc/key"\n'
        f'enable-tls = true\npassword = "{SECRET}"\nport = 51871\n'
    )
    assert Redactor().toml(text) == text.replace(SECRET, REDACTED)


def test_a_short_secret_is_taken_out_too():
    """Where it is, if not everywhere."""
    shown = Redactor().toml('[wg.tls]\npin = "12"\nport = 1234\n')
    assert tomllib.loads(shown) if shown.startswith("[") else "'12'" not in shown


def test_manifests_keep_their_lines():
    """A secret of several lines, too; selectors by keys are none."""
    text = (
        "kind: Secret\nmetadata: {name: s}\ndata:\n  a: aHVudGVyMg==\n  b: |\n"
        f"    {SECRET}\n    more\n---\nkind: NetworkPolicy\nspec:\n  podSelector:\n"
        "    matchExpressions:\n    - {key: app, operator: In, values: [web]}\n"
        f"  password: {SECRET}\n  last: 1\n"
    )
    shown = Redactor().yaml(text)
    assert "hunter2" not in shown
    assert "aHVudGVyMg" not in shown
    assert shown.count("\n") == text.count("\n")
    secret, policy = yaml.safe_load_all(shown)
    assert secret["data"] == {"a": REDACTED, "b": REDACTED}
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["key"] == "app"
    assert (policy["spec"]["password"], policy["spec"]["last"]) == (REDACTED, 1)


def test_manifests_that_are_none_keep_no_secret():
    """Lines that look as if are redacted."""
    shown = Redactor().yaml(f"a: [\npassword: {SECRET}\n")
    assert "hunter2" not in shown


def test_what_was_secret_once_is_so_everywhere():
    """In a log, for one; and what everybody knows to be secret."""
    redactor = Redactor()
    redactor.toml(f'[wg]\npassword = "{SECRET}"\n')
    log = (
        f"INFO joined with {SECRET}\nAuthorization: Bearer abcdefghijkl\n"
        "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----\nend\n"
    )
    shown = redactor.text(log)
    for word in ("hunter2", "abcdefghijkl", "MIIabc"):
        assert word not in shown
    assert shown.startswith("INFO joined with ")
    assert shown.endswith("end\n")
