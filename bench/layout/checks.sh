# shellcheck shell=bash disable=SC2154,SC2016  # sourced by run.sh: work, here, PGHOST and its functions
# What a draining rate does not show: plans and claim times with stale statistics, with plans made while the table was empty,
# behind a million rows, and behind 100,000 dead ones, with and without a snapshot that keeps them. Prints plans and JSON
# lines with "check". Everything in two commits a batch, so that a claim round trip is the claim and its commit.
CHECK_VARIANTS=${CHECK_VARIANTS:-ours robust robust_cursor}
: >"$OUT"

check() { # name, variant, arguments of layout
    local name=$1 variant=$2; shift 2
    drain "$variant" form=two sessions=1 limit_s=20 "$@" | sed "s/^{/{\"check\": \"$name\", /" | tee -a "$OUT"
}

# One claim and its finish under EXPLAIN, with the generic plan.
plans() { # name, variant
    local w="'00000000-0000-4000-8000-000000000000'" from=''
    ! grep -q '\$8' "$work/$2.claim.sql" || from=", '{NULL}', '{NULL}', '{NULL}'"
    echo "-- $1, $2"
    { echo 'SET plan_cache_mode = force_generic_plan;'; cat "$here/variants/$2/session.sql" 2>/dev/null || true; echo '; PREPARE c AS'; cat "$work/$2.claim.sql"; echo '; PREPARE f AS'
      cat "$work/$2.finish.sql"; echo ';'
      echo "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) EXECUTE c('{default}', 64, $w, 300000, 65536$from);"
      echo "SELECT array_agg(id) AS i, array_agg(fence) AS f, array_fill(NULL::text, ARRAY[64]) AS n FROM dormouse.runs WHERE status = 'running' \\gset"
      echo "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) EXECUTE f($w, :'i', :'f', array_fill('completed'::text, ARRAY[64]),
            array_fill('{\"ok\": true}'::text, ARRAY[64]), :'n', :'n', :'n', :'n', :'n', array_fill(true, ARRAY[64]));"
    } | sql -A -t -d bench | grep -E 'Scan|Join|Loop|Cond|Execution|Planning Time|JIT|Functions|Timing|cost=[0-9.]+ rows=[0-9]+ width=[0-9]+\) *$|^(Update|CTE)|Buffers: ' | cut -c1-180
}

for variant in $CHECK_VARIANTS; do
    make_template "$variant" "t_$variant" 0
    fresh "t_$variant"
    fill bench 100000
    plans 'stale statistics: analysed empty, then 100,000 rows' "$variant"
    check 'stale statistics' "$variant" batch=64 runs=12800
    fresh "t_$variant"
    check 'planned on the empty table' "$variant" batch=64 runs=6400 after_look="$(fill_sql 100000)"

    make_template "$variant" "t_$variant" 100000
    fresh "t_$variant"
    plans '100,000 queued, analysed' "$variant"
    check '100,000 queued' "$variant" batch=64 runs=12800

    for held in no yes; do
        fresh "t_$variant"
        if [ $held = yes ]; then
            psql -X -q -d bench -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT count(*) FROM dormouse.runs' -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 &
            holder=$!
            until [ "$(sql -At -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND backend_xmin IS NOT NULL")" = 1 ]; do :; done
        fi
        drain "$variant" batch=1000 form=one >/dev/null
        fill bench 30000
        check "100,000 dead in front, snapshot held: $held" "$variant" batch=64 runs=6400
        if [ $held = yes ]; then
            sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'" >/dev/null
            wait "$holder" || true
        fi
    done

    make_template "$variant" "t_$variant" 1000000
    fresh "t_$variant"
    plans '1,000,000 queued, analysed' "$variant"
    check '1,000,000 queued' "$variant" batch=64 runs=6400
    check '1,000,000 queued, jit off' "$variant" batch=64 runs=6400 session='SET jit = off'
    sql -c 'DROP DATABASE bench' -c "DROP DATABASE t_$variant"
done
