#include "metrics/catalog.h"

#include <algorithm>

namespace dormouse::metrics {
namespace {

using enum Kind;

constexpr Family table[] = {
    {Metric::pool_size, "dormouse_pool_size", gauge, "",
     "Runs that the pool's worker executes at once at most (worker.concurrency, or dormouse scale)."},
    {Metric::slots_busy, "dormouse_slots_busy", gauge, "", "Runs that were being executed at the snapshot."},
    {Metric::runs_queued, "dormouse_runs_queued", gauge, "queue",
     "Runs that were due and not claimed, of the tasks that the pool knows, when it was last asked "
     "(dormouse_backlog_timestamp_seconds); 10000 of a queue are counted at most."},
    {Metric::oldest_due_age, "dormouse_oldest_due_age_seconds", gauge, "queue",
     "For how long the first of them had been due when it was last asked (dormouse_backlog_timestamp_seconds); 0: none "
     "was."},
    {Metric::backlog_time, "dormouse_backlog_timestamp_seconds", gauge, "",
     "Unix time at which the worker last asked for its backlog: with a round that it made anyway, every 15 s at most, "
     "and with its last."},
    {Metric::next_due, "dormouse_next_due_timestamp_seconds", gauge, "",
     "Unix time at which somebody must look next, as the last worker knew when it left; +Inf: nothing is due, ever; "
     "absent: not known."},
    {Metric::awake, "dormouse_awake", gauge, "",
     "1 while a worker is awake, 0 when the last one has left; stays 1 when it was killed."},
    {Metric::snapshot_time, "dormouse_snapshot_timestamp_seconds", gauge, "",
     "Unix time at which all of this was written down."},
    {Metric::runs_completed, "dormouse_runs_completed_total", counter, "task", "Runs that this pool has completed."},
    {Metric::runs_failed, "dormouse_runs_failed_total", counter, "task", "Runs that failed for good."},
    {Metric::runs_canceled, "dormouse_runs_canceled_total", counter, "task",
     "Runs that ended as canceled by their handler."},
    {Metric::runs_retried, "dormouse_runs_retried_total", counter, "task",
     "Attempts that failed and put their run back, to be tried again."},
    {Metric::runs_put_off, "dormouse_runs_put_off_total", counter, "task",
     "Attempts whose handler asked to be tried again later."},
    {Metric::runs_handed_back, "dormouse_runs_handed_back_total", counter, "task",
     "Claims that went back to the queue: not started, fetched ahead in vain, or interrupted by the worker's end."},
    {Metric::runs_lost, "dormouse_runs_lost_total", counter, "",
     "Attempts of any worker that was gone, whose runs this pool has taken back."},
    {Metric::results_refused, "dormouse_results_refused_total", counter, "task",
     "Endings that were not written, because the run was no longer this worker's."},
    {Metric::run_duration, "dormouse_run_duration_seconds", histogram, "task",
     "How long handlers took, for each attempt whose ending was written."},
    {Metric::run_wait, "dormouse_run_wait_seconds", histogram, "task",
     "How long runs had been due when they were claimed, by the clock of the database."},
    {Metric::claims, "dormouse_claims_total", counter, "", "Looks that have brought runs."},
    {Metric::empty_looks, "dormouse_empty_looks_total", counter, "", "Looks that have brought none."},
    {Metric::cold_starts, "dormouse_cold_starts_total", counter, "", "Worker processes that were started."},
    {Metric::wakes, "dormouse_wakes_total", counter, "doorbell",
     "What started them: socket (a ring), path (a file in the spool, or a wake file), timer (a due time), other (a "
     "boot, a restart, a person)."},
    {Metric::rings, "dormouse_rings_total", counter, "",
     "Rings that an awake worker has answered; several may be one."},
    {Metric::awake_seconds, "dormouse_awake_seconds_total", counter, "", "How long workers were awake."},
    {Metric::session_seconds, "dormouse_database_session_seconds_total", counter, "",
     "How long sessions with the database were open; two of them count twice."},
    {Metric::statements, "dormouse_database_statements_total", counter, "",
     "Statements that workers have sent to the database, those that open a session included."},
};
static_assert(std::size(table) == static_cast<std::size_t>(Metric::count_));

}  // namespace

std::span<const Family> families() {
    return table;
}

const Family& family_of(Metric metric) {
    return table[static_cast<std::size_t>(metric)];
}

const Family* find_family(std::string_view name) {
    const auto* const found =
        std::find_if(std::begin(table), std::end(table), [&](const Family& family) { return family.name == name; });
    return found == std::end(table) ? nullptr : found;
}

}  // namespace dormouse::metrics
