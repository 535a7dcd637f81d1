SET jit = off; SET enable_seqscan = off
