/^), finished AS (/i\
), logged AS (\
    INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome, exit_code, signal, cpu_ms, peak_memory_bytes, error)\
    SELECT id, worker, fence, started_at, new_status, new_exit_code, new_signal, new_cpu_ms, new_peak_memory_bytes, new_error\
      FROM moved
