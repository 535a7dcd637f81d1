"""What other queues call an option of enqueue(): whoever comes from one of them is told what it is here."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "timeout": ("job_timeout", "time_limit", "soft_time_limit", "expireInSeconds"), "key": ("job_id", "task_id", "jobId", "jobKey", "job_key", "singletonKey"),
    "delay": ("countdown", "startAfter"), "run_at": ("eta", "runAt", "at"), "priority=-10": ("at_front", "lifo"),
    "max_attempts, the first attempt included": ("retry", "retries", "max_retries", "retryLimit", "attempts", "maxAttempts"),
    "a part of the payload": ("args", "kwargs", "meta", "description", "data"), "docs/moving/flows.md": ("depends_on", "unique", "link", "on_success", "rate_limit"),
    "on_failure in the task's table of the pool's file": ("on_failure", "link_error"), "expires in the task's table of the pool's file": ("ttl", "expires"),
    "backoff in the task's table of the pool's file": ("backoff", "retryDelay", "retry_backoff"),
    "finished in [retention] of the pool's file": ("result_ttl", "failure_ttl", "removeOnComplete", "removeOnFail"),
}
_HERE = {theirs: here for here, names in _NAMES.items() for theirs in names}


def refuse(function: str, others: dict[str, Any], there_are: str) -> None:
    for name in others:
        here = f"; here it is {_HERE[name]}" if name in _HERE else ""
        raise TypeError(f"{function}() has no {name}={here}. It has {there_are}")
