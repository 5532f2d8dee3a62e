"""The files to deploy with say what is so: commands, settings, times, addresses, metrics."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from server.commands.app import app
from server.config import Config, variable_of
from tests.harness import Installation, free_port
from tests.serving import environment

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "server" / "deploy"
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
PRIVATE = (
    "10.1.2.3",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
)


def kinds(kind: str) -> dict[str, Any]:
    """The objects of a kind by their names."""
    return {found["metadata"]["name"]: found for found in KUBERNETES if found["kind"] == kind}


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What a Deployment runs: the pod and its container."""
    for found in kinds("Deployment").values():
        pod = found["spec"]["template"]["spec"]
        yield pod, pod["containers"][0]


def settings() -> Config:
    """The settings that the pods get. Raises ConfigError for one that does not exist."""
    (plain,), (secret,) = kinds("ConfigMap").values(), kinds("Secret").values()
    return Config.read(plain["data"] | secret["stringData"])


def test_procfile(own_installation: Installation) -> None:
    """Each role of the Procfile runs as it stands there; together they are ready, and end when they are told to."""
    settings = {name.removeprefix("TASKARRAY_"): value for name, value in own_installation.environment.items()
                if name.startswith("TASKARRAY_") or name == "REDIS_URL"}  # fmt: skip
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    port = free_port()
    told = environment(PORT=str(port), **settings) | {"PATH": path}
    roles = dict(re.findall(r"^(\w+): (.+)$", (ROOT / "Procfile").read_text(), re.M))
    assert roles.keys() == {"web", "worker", "sweeper"}
    for line in roles.values():
        process = subprocess.Popen(f"exec {line}", shell=True, cwd=ROOT, env=told)
        own_installation.processes[process] = port if "gateway" in line else 0
    own_installation.wait_ready(1)
    for process in own_installation.processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(20) for process in own_installation.processes] == [0, 0, 0]


def test_compose() -> None:
    """Every part of the composition is a command, has the settings that exist, and mounts files that are there."""
    services = COMPOSE["services"]
    for name in ("gateway", "worker", "sweeper"):
        program, part = services[name]["command"]
        assert program == "taskarray" and part in COMMANDS
        assert Config.read(services[name]["environment"]).redis_url == "redis://redis:6379"
    mounted = [volume.split(":")[0] for service in services.values() for volume in service["volumes"]]
    assert not [path for path in mounted if path.startswith("./") and not (DEPLOY / path).exists()]
    assert {path for path in mounted if not path.startswith("./")} == COMPOSE["volumes"].keys()
    assert {"--appendonly", "noeviction"} <= set(services["redis"]["command"])


def test_stops() -> None:
    """Whoever ends a part waits for its drain and ten seconds more."""
    grace = {service["stop_grace_period"] for service in COMPOSE["services"].values() if "env_file" in service}
    assert grace == {f"{Config().drain_timeout + 10:.0f}s"}
    for pod, _ in pods():
        assert pod["terminationGracePeriodSeconds"] == settings().drain_timeout + 10


def test_kubernetes(installation: Installation) -> None:
    """The pods run commands, as no privileged user, with settings that exist; what is probed answers."""
    assert settings().host == "0.0.0.0"
    scraped = kinds("Deployment")["taskarray-gateway"]["spec"]["template"]["metadata"]["annotations"]
    assert scraped["prometheus.io/port"] == str(settings().metrics_port)
    for pod, container in pods():
        assert container["args"][0] == "taskarray" and container["args"][1] in COMMANDS
        assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
        for probe in (container[name] for name in container if name.endswith("Probe")):
            assert installation.get(probe["httpGet"]["path"])


def test_egress() -> None:
    """What fetches for clients reaches no private address but that of Redis; a gateway reaches no port but HTTPS and
    Redis."""
    policies = kinds("NetworkPolicy")
    open_to, public = policies["taskarray-fetching"]["spec"]["egress"][-1]["to"]
    closed = [ipaddress.ip_network(block) for block in open_to["ipBlock"]["except"]]
    assert all(any(ipaddress.ip_address(address) in block for block in closed) for address in PRIVATE)
    assert ipaddress.ip_network(public["ipBlock"]["cidr"]).is_global
    ports = [port["port"] for rule in policies["taskarray-gateway"]["spec"]["egress"] for port in rule["ports"]]
    assert set(ports) == {53, 6379, 443}


def test_keda(installation: Installation) -> None:
    """Workers are scaled by a number that the server tells, and never to none."""
    spec = yaml.safe_load((DEPLOY / "keda.yaml").read_text())["spec"]
    assert spec["scaleTargetRef"]["name"] in kinds("Deployment")
    assert spec["minReplicaCount"] >= 1
    (metric,) = re.findall(r"taskarray_\w+", spec["triggers"][0]["metadata"]["query"])
    assert f"\n{metric} " in installation.get("/metrics")


def test_dockerfile() -> None:
    """What the image is made of is there, its command and its health check exist, and it runs as nobody's user."""
    text = (DEPLOY / "Dockerfile").read_text()
    copied = [path for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for path in line.split()]
    assert all((ROOT / path).exists() for path in copied)
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text()
    assert all(f"!{path}\n" in allowed for path in copied)
    commands = re.findall(r'CMD \["taskarray", "(\w+)"\]', text)
    assert len(commands) == 2 and all(command in COMMANDS for command in commands)
    assert "\nUSER 10001" in text
    assert Config.read(dict(re.findall(r"(TASKARRAY_\w+|PORT)=(\S+)", text))).port == 8000


@pytest.mark.parametrize("name", ["prometheus.yaml", "grafana-datasource.yaml", "grafana-provisioning.yaml"])
def test_monitoring(name: str) -> None:
    """What Prometheus and Grafana are told lies where the composition puts it."""
    targets = {volume.split(":")[1] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    told = yaml.safe_load((DEPLOY / name).read_text())
    assert set(told.get("rule_files", ())) <= targets
    for provider in told.get("providers", ()):
        assert any(target.startswith(provider["options"]["path"]) for target in targets)
    for source in told.get("datasources", ()):
        assert source["url"].removeprefix("http://").partition(":")[0] in COMPOSE["services"]


def test_words(installation: Installation) -> None:
    """The settings and metrics that the page on deployment, the README and the files speak of exist."""
    texts = [ROOT / "README.md", ROOT / "server" / "manual" / "prose" / "deploy.md", *DEPLOY.iterdir()]
    text = "\n".join(path.read_text() for path in texts)
    known = {variable_of(name) for name in Config.model_fields}
    assert {name.removesuffix("_FILE") for name in re.findall(r"TASKARRAY_[A-Z_]*[A-Z]", text)} <= known
    told = set(re.findall(r"^# HELP (taskarray_\w+)", installation.get("/metrics"), re.M))
    spoken = set(re.findall(r"\btaskarray_[a-z_]+[a-z]\b", text))
    assert {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in spoken} <= {
        re.sub(r"_total$", "", name) for name in told
    }
