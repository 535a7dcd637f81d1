#!/bin/bash
# The main job: a run is enqueued and rung while nobody is there; it is executed, and everything goes back to sleep.
source "$(dirname "$0")/../lib.sh"
pool=round-trip
new_pool $pool
wait_for 20 asleep $pool
run=$(enqueue work)
equal "nobody is there" "$(processes dormouse@$pool.service)" 0
ring $pool
wait_for 20 completed "$run"
say "ring to completion: $(sql "SELECT round(extract(epoch FROM finished_at - created_at) * 1000) FROM dormouse.runs WHERE id = '$run'") ms"
wait_for 20 asleep $pool
equal "nothing is armed" "$(armed $pool)" ""
equal "result of the unit" "$(property dormouse@$pool.service Result)" success
