"""Times as Celery is given them."""

from __future__ import annotations

import datetime
import time
from typing import Any


def aware(eta: Any) -> Any:
    """Celery takes a time without a zone as UTC."""
    return eta if eta is None or eta.utcoffset() is not None else eta.replace(tzinfo=datetime.timezone.utc)


def until(expires: Any) -> float:
    """When it is too late, in seconds since 1970."""
    at = aware(expires) if isinstance(expires, datetime.datetime) else None
    return float(time.time() + float(expires) if at is None else at.timestamp())
