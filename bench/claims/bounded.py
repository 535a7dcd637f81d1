# bounded.py CLAIM.SQL: the claim with lower bounds. $6, $7, $8 are arrays: of queue $6[i] nothing is due before priority $7[i], and of that
# priority nothing before $8[i].
import sys

BOUND = "(SELECT b.{} FROM unnest($6::text[], $7::smallint[], $8::timestamptz[]) AS b (queue, priority, run_at) WHERE b.queue = lane.queue)"
LEVEL = ("                    WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry')\n"
         "                    ORDER BY l.priority, l.run_at LIMIT 1)\n")

text = open(sys.argv[1], encoding="utf-8").read()
if text.count(LEVEL) != 1:
    sys.exit("bounded.py: claim.sql has changed, and is not what this was made for")
bound = f"(coalesce({BOUND.format('priority')}, -32768), coalesce({BOUND.format('run_at')}, '-infinity'))"
print(text.replace(LEVEL, LEVEL.replace("'retry')\n", f"'retry')\n                      AND (l.priority, l.run_at) >= {bound}\n")), end="")
