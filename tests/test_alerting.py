"""Prometheus is told to look at what there is, and whoever is called finds what to do."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shouhuan.metrics import ConsoleMetrics, OncallMetrics, StreamMetrics

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/shouhuan.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
SCRAPES = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
FROM_PROMETHEUS: dict[str, set[str]] = {"up": set(), "process_resident_memory_bytes": set()}
"""Its own, and what its client tells of every process."""
ADDED_BY_THE_SCRAPE = {"job", "process", "instance"}
PERSONAL = {"device", "wearer", "topic", "org", "contact", "operator", "path"}


def series() -> dict[str, set[str]]:
    """Every name that a scrape can hold, with its labels."""
    labels: dict[str, set[str]] = {}
    for metrics in (StreamMetrics(), OncallMetrics(lambda: math.nan), ConsoleMetrics(lambda: 0)):
        for name, collector in metrics.registry._names_to_collectors.items():
            labels[name] = set(getattr(collector, "_labelnames", ())) | ({"le"} if name.endswith("_bucket") else set())
    return labels


SERIES: Mapping[str, set[str]] = series()
OURS = sorted(name for name in SERIES if name.startswith("shouhuan_") and not name.endswith(("_created", "_bucket")))
METRICS = [name for name in OURS if f"{name}_total" not in SERIES and not name.endswith(("_sum", "_count"))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_whole_and_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
    assert rule["annotations"]["summary"]
    expression = rule["expr"]
    assert expression.count("(") == expression.count(")")
    known = SERIES | FROM_PROMETHEUS
    for name, matchers in re.findall(r"\b((?:shouhuan|process)_\w+|up)\b(?:\{([^}]*)\})?", expression):
        assert name in known, f"no process tells {name}"
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert asked <= known[name] | ADDED_BY_THE_SCRAPE
    grouped = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(",")}
    named = {name for name in known if re.search(rf"\b{name}\b", expression)}
    assert grouped <= set().union(*(known[name] for name in named))
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert shown <= grouped or shown <= ADDED_BY_THE_SCRAPE


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", [rule["alert"] for rule in RULES])
def test_every_alert_has_its_runbook(name: str) -> None:
    assert f"`{name}`" in GUIDE


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_documented(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_guide_names_only_metrics_that_there_are() -> None:
    assert set(re.findall(r"`(shouhuan_[a-z_]+)`", GUIDE)) <= set(SERIES)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_named_as_prometheus_has_it_and_about_nobody(name: str) -> None:
    assert re.fullmatch(r"shouhuan_[a-z]+(_[a-z]+)*", name)
    assert not SERIES.get(name, set()) & PERSONAL


@pytest.mark.parametrize("job", SCRAPES["scrape_configs"][0]["static_configs"], ids=lambda job: job["targets"][0])
def test_what_is_scraped_is_a_monitor_port_that_is_published_nowhere(job: dict[str, Any]) -> None:
    [target] = job["targets"]
    service, port = target.split(":")
    assert job["labels"] == {"process": service}
    assert SERVICES[service]["environment"]["SHOUHUAN_MONITOR_PORT"] == port
    assert not [published for published in SERVICES[service].get("ports", ()) if published.endswith(f":{port}")]


@pytest.mark.parametrize("name", ["stream", "console", "oncall"])
def test_health_is_asked_at_an_endpoint_that_the_service_has(name: str) -> None:
    service = SERVICES[name]
    [port] = re.findall(r"127\.0\.0\.1:(\d+)/readyz'", service["healthcheck"]["test"][-1])
    own = service["environment"].get("SHOUHUAN_CONSOLE_PORT", service["environment"]["SHOUHUAN_MONITOR_PORT"])
    assert port == own
