-- Many runs without a key at once, by a login that may INSERT.
COPY dormouse.runs (task, payload, queue, priority, run_at, max_attempts, timeout_ms, traceparent) FROM STDIN
