"""What one server takes upon itself at most."""

from typing import Annotated

from ganglion.settings import Count, above, settings


@settings
class Limits:
    """Bounds of a server, so that no request and no number of requests can exhaust the machine."""

    queue: Count = 128
    """Requests that are read, wait or are answered at once; further ones get 429."""
    batch: Count = 64
    """Samples that are put to the network together; a request with more is asked alone."""
    largest_body: Count = 16 << 20
    """Bytes of a request; all requests together may hold sixteen times as many."""
    largest_number: Count = 1000
    """Largest whole number that a question may ask for, such as samples to draw; seeds are free."""
    timeout: Annotated[float, above(0)] = 30.0
    """Seconds after which a request is given up that was not sent (408) or not answered (504)."""
    grace: Annotated[float, above(0)] = 30.0
    """Seconds that requests under way may take once the server is told to stop."""

    @property
    def all_bodies(self) -> int:
        """Bytes that all requests together may hold."""
        return 16 * self.largest_body
