"""What a server counts, as Prometheus reads it."""

from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@final
class Metrics:
    """Counters of one server; none is shared with another in the same process."""

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self._requests = Counter(
            "ganglion_requests", "Requests by route and status.", ("route", "status"), registry=self._all
        )
        self._seconds = Histogram(
            "ganglion_request_seconds",
            "From the first byte to the answer.",
            ("route",),
            registry=self._all,
            buckets=SECONDS,
        )
        self._joined = Histogram(
            "ganglion_joined_requests", "Requests put to the network as one.", registry=self._all, buckets=SIZES
        )
        self._asking = Counter("ganglion_network_seconds", "Seconds spent in the network.", registry=self._all)
        self._under_way = Gauge(
            "ganglion_requests_under_way", "Requests read, waiting or answered.", registry=self._all
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def asked(self, requests: int, seconds: float) -> None:
        self._joined.observe(requests)
        self._asking.inc(seconds)

    def under_way(self, requests: int) -> None:
        self._under_way.set(requests)

    def text(self) -> bytes:
        """Return all of them in the text format of Prometheus."""
        return generate_latest(self._all)
