"""What the server counts about itself, for Prometheus; no label ever holds a name, an id or a client's text."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


M = TypeVar("M", bound=MetricWrapperBase)


@lru_cache(maxsize=1024)
def labelled(metric: M, *labels: object) -> M:
    """`metric.labels(*labels)`, kept: the library makes texts of them and takes a lock each time."""
    return metric.labels(*labels)


class Metrics:
    """The counters of one process; several workers of one server share them through files."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "roster_http_requests",
            "HTTP requests answered",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "roster_http_request_seconds",
            "Time until an HTTP answer was sent whole",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.operations = Counter(
            "roster_operations",
            "GraphQL operations answered; outcome is OK or the code of the first error",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.ways = Counter(
            "roster_reads",
            "Queries by how they were answered: compiled, by the ordinary resolvers, by these for an error of the"
            " caller's (refused), by these for a fault of ours (broken)",
            ("way",),
            registry=self.registry,
        )
        self.operation_seconds = Histogram(
            "roster_operation_seconds",
            "Time from the request to the answer of a GraphQL query or mutation",
            ("kind",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.streams = Gauge(
            "roster_open_subscriptions",
            "Subscriptions that are open now",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def watch(self, name: str, what: str, read: Callable[[], Mapping[str, int]]) -> None:
        """Offer a gauge with a label `state` that is read when somebody asks."""
        self.registry.register(_Watched(name, what, read))

    def text(self) -> bytes:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # noqa: TID251  the library's own switch
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the library leaves it untyped
        return generate_latest(shared)


class _Watched(Collector):
    def __init__(self, name: str, what: str, read: Callable[[], Mapping[str, int]]) -> None:
        self._name, self._what, self._read = name, what, read

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._what, labels=("state",))
        for state, value in self._read().items():
            family.add_metric((state,), value)
        yield family
