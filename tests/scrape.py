"""What a Prometheus server would see of a process."""

import json
from http.client import HTTPConnection
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Probe(NamedTuple):
    """A process's monitor port."""

    port: int

    def get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def problems(self, path: str = "/readyz") -> list[str]:
        """The checks that fail; empty where all is well."""
        status, body = self.get(path)
        said: dict[str, Any] = json.loads(body)
        problems = [problem["check"] for problem in said.get("problems", [])]
        assert (status == 200) == (not problems)
        return problems

    def samples(self) -> dict[str, float]:
        """Each sample by its name and labels, as in ``shouhuan_dead_letters_total{reason=malformed}``."""
        status, body = self.get("/metrics")
        assert status == 200
        families = text_string_to_metric_families(body)
        return {_name(sample.name, sample.labels): sample.value for family in families for sample in family.samples}


def _name(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
