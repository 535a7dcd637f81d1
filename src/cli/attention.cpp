#include "cli/attention.h"

#include <algorithm>

#include "cli/account.h"
#include "cli/failing.h"
#include "cli/text.h"
#include "cli/version.h"
#include "cli/when.h"

namespace dormouse::cli {
namespace {

/// From the ring to the claim: whoever is not there by then does not come by itself.
constexpr double time_to_start_s = 5;
/// What waits longer beside somebody who is awake is told, too.
constexpr double long_wait_s = 300;

using All = std::vector<Attention>;

std::string target_of(const PoolSeen& pool) {
    return "dormouse@" + pool.name + ".target";
}

std::string runs(std::int64_t count, bool more = false) {
    return std::to_string(count) + (more ? " or more" : "") + (count == 1 && !more ? " run" : " runs");
}

bool is_coming(const PoolSeen& pool) {
    return pool.awake() || (pool.units && (pool.units->service == "active" || pool.units->service == "activating"));
}

bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// How many runs are due in the pool's queues that no other pool serves; empty: none.
std::string due_for_it_alone(const Overview& overview, const PoolSeen& pool) {
    std::int64_t due = 0;
    bool more = false;
    for (const QueueSeen& queue : overview.queues) {
        if (!has(pool.queues, queue.name)) continue;
        if (!queue.served_by.empty() && queue.served_by != std::vector{pool.name}) continue;
        due += queue.due;
        more = more || queue.more.due;
    }
    return due > 0 ? runs(due, more) : "";
}

void about_units(All& all, const Overview& overview, const PoolSeen& pool) {
    const std::string name = "pool " + pool.name;
    if (pool.off()) {
        const std::string due = due_for_it_alone(overview, pool);
        all.push_back({due.empty() ? Severity::warning : Severity::critical, name,
                       "it is switched off on this machine" + (due.empty() ? "" : ", and " + due + " due"),
                       pool.units->target == "masked" ? "systemctl unmask " + target_of(pool)
                                                      : "systemctl enable --now " + target_of(pool)});
        return;
    }
    if (pool.stopping())
        all.push_back({Severity::warning, name, "it is being stopped: its worker takes nothing new",
                       "systemctl start " + target_of(pool) + ", unless that is meant"});
    if (!pool.units || !pool.units->on()) return;
    for (const auto& [unit, state] : {std::pair{"socket", &pool.units->socket}, std::pair{"path", &pool.units->path}})
        if (*state != "active" && *state != "activating")
            all.push_back({Severity::warning, name,
                           std::string("its doorbell dormouse@") + pool.name + "." + unit + " is " +
                               (state->empty() ? "not there" : *state) + ", so it cannot be woken that way",
                           *state == "masked" ? "systemctl unmask dormouse@" + pool.name + "." + unit
                                              : "systemctl restart " + target_of(pool)});
    if (pool.units->service == "masked")
        all.push_back({Severity::critical, name, "its service is masked, so no worker can be started",
                       "systemctl unmask dormouse@" + pool.name + ".service"});
    if (pool.units->service == "failed" || pool.units->service_sub == "auto-restart")
        all.push_back({Severity::warning, name, "its worker does not stay up",
                       "journalctl --unit=dormouse@" + pool.name + ".service --lines=50"});
    if (pool.units->relay == "failed")
        all.push_back({Severity::warning, name,
                       "its relay does not stay up, so nothing rings for producers on other hosts",
                       "journalctl --unit=dormouse-relay@" + pool.name + ".service --lines=50"});
    if (!pool.units->at_boot)
        all.push_back(
            {Severity::warning, name, "it is on, but not after the next boot", "systemctl enable " + target_of(pool)});
}

/// Without systemd a ring is heard by a worker that is there already.
std::string wake_command(const Overview& overview, const PoolSeen& pool) {
    return (overview.by_systemd || pool.listening ? "dormouse wake " : "dormouse worker ") + pool.name;
}

std::string how_it_ended(const WorkerSeen& worker, double now) {
    if (worker.ended == "session lost" && worker.seen_at)
        return " has lost its session; it was there " + relative(*worker.seen_at, now);
    if (worker.ended == "abandoned") return " has not extended its leases";
    if (worker.ended == "lost") return " died or was cut off";
    if (worker.ended == "left" || worker.ended == "replaced" || worker.ended == "reaped") return " has left";
    return " ended unexpectedly";
}

/// Until then nobody else takes its runs.
std::string leases(const WorkerSeen& worker, double now) {
    if (worker.runs == 0 || !worker.lease_until) return "";
    return std::string(worker.runs == 1 ? ", whose lease " : ", whose leases ") +
           (*worker.lease_until <= now ? "ended "
            : worker.runs == 1         ? "ends "
                                       : "end ") +
           relative(*worker.lease_until, now);
}

void about_workers(All& all, const PoolSeen& pool, double now) {
    for (const WorkerSeen& worker : pool.workers)
        if (worker.state == "gone" && (worker.runs > 0 || worker.here))
            all.push_back({Severity::warning, "pool " + pool.name,
                           "its worker on " + worker.host + how_it_ended(worker, now) +
                               (worker.runs > 0 ? " and holds " + runs(worker.runs) : std::string()) +
                               leases(worker, now),
                           worker.uncertain && worker.lease_until && *worker.lease_until > now
                               ? "nothing, they go back to their queue then; dormouse cancel ID for one that shall not"
                           : worker.here ? "dormouse reap --force"
                                         : "dormouse reap --force, on that host"});
}

/// During an upgrade both are right; one that stays is of a host that was left out.
void about_versions(All& all, const PoolSeen& pool) {
    const std::string own(release());
    for (const WorkerSeen& worker : pool.workers)
        if ((worker.state == "awake" || worker.state == "resting") && !worker.version.empty() && worker.version != own)
            all.push_back({Severity::warning, "version",
                           "the worker of pool " + pool.name + " on " + worker.host + " is " + worker.version +
                               ", this is " + own,
                           "systemctl try-reload-or-restart dormouse@" + pool.name + ".service" +
                               (worker.here ? "" : ", on its machine")});
}

void about_spool(All& all, const PoolSeen& pool) {
    if (pool.put_aside == 0 || !pool.local) return;
    const std::string spool = pool.local->spool_directory + "/" + pool.name;
    all.push_back({Severity::warning, "spool of pool " + pool.name,
                   (pool.put_aside >= 1'000 ? "1,000 or more" : std::to_string(pool.put_aside)) +
                       (pool.put_aside == 1 ? " file has" : " files have") + " been put aside, each with the reason",
                   "find " + spool + ".rejected " + spool +
                       " -name '*.reason' -exec head {} +, and remove those that are settled"});
}

void about_hidden(All& all, const PoolSeen& pool) {
    if (!pool.hidden || !pool.local) return;
    const spool::Hidden& hidden = *pool.hidden;
    all.push_back({Severity::critical, "spool of pool " + pool.name,
                   (hidden.files >= 1'000 ? "1,000 or more" : std::to_string(hidden.files)) +
                       (hidden.files == 1 ? " file that would be a run lies" : " files that would be runs lie") +
                       " below what is mounted at " + hidden.mount + ", where no worker sees them",
                   "mount --bind " + shell_word(hidden.above) + " /mnt; mv /mnt/" + shell_word(hidden.rest) +
                       "/*.json " + shell_word(pool.local->spool_directory + "/" + pool.name) +
                       "; umount /mnt; systemctl restart dormouse@" + pool.name + ".path"});
}

void about_queue(All& all, const Overview& overview, const QueueSeen& queue) {
    const std::string name = "queue " + queue.name;
    std::vector<const PoolSeen*> serving;
    for (const PoolSeen& pool : overview.pools)
        if (has(queue.served_by, pool.name)) serving.push_back(&pool);
    if (serving.empty()) {
        const auto off = std::find_if(overview.pools.begin(), overview.pools.end(),
                                      [&](const PoolSeen& pool) { return pool.off() && has(pool.queues, queue.name); });
        if (off != overview.pools.end()) return;  // said of the pool
        const bool broken = std::any_of(overview.pools.begin(), overview.pools.end(), [&](const PoolSeen& pool) {
            return pool.local && !pool.local->problem.empty() && (pool.queues.empty() || has(pool.queues, queue.name));
        });
        if (broken) return;  // likewise
        all.push_back({queue.due > 0 ? Severity::critical : Severity::warning, name, "no pool serves it, its runs wait",
                       "add it to worker.queues of a pool"});
        return;
    }
    const auto first =
        std::find_if(serving.begin(), serving.end(), [](const PoolSeen* pool) { return pool->local.has_value(); });
    const bool somebody =
        std::any_of(serving.begin(), serving.end(), [](const PoolSeen* pool) { return is_coming(*pool); });
    const double waits = queue.oldest_due_at ? overview.now - *queue.oldest_due_at : 0;
    if (!somebody && waits > time_to_start_s)
        all.push_back(
            {Severity::critical, name,
             runs(queue.due, queue.more.due) + " due, the first one for " + length(waits) + ", and no worker is awake",
             first == serving.end() ? "dormouse wake " + serving.front()->name + ", on its machine"
                                    : wake_command(overview, **first)});
    else if (somebody && waits > long_wait_s)
        all.push_back({Severity::warning, name,
                       runs(queue.due, queue.more.due) + " due, the first one for " + length(waits) +
                           ": too few slots, or no task of it can start",
                       "dormouse runs --queue " + queue.name});
    // Asleep, with something to come: a timer has to be there. Only where systemd says so of every pool that might.
    const bool unarmed = std::all_of(serving.begin(), serving.end(), [](const PoolSeen* pool) {
        return !is_coming(*pool) && pool->units && pool->units->on() && !pool->units->due_timer;
    });
    if (unarmed && queue.next_run_at && queue.due == 0)
        all.push_back({Severity::warning, name,
                       "a run is due " + relative(*queue.next_run_at, overview.now) +
                           ", and no timer is armed for it: nobody has rung since it came",
                       "dormouse wake " + serving.front()->name});
}

void about_task(All& all, const Overview& overview, const UnknownTask& task) {
    const std::string how_many = (task.runs >= 1'000 ? std::string("1,000 or more runs") : runs(task.runs)) +
                                 (task.runs == 1 ? " waits" : " wait") + ", the first one " +
                                 relative(task.oldest, overview.now);
    const std::string section = "[task.\"" + task.task + "\"]";
    const auto knows = [&](const PoolSeen& pool) { return pool.local && has(pool.local->tasks, task.task); };
    const auto other = std::find_if(overview.pools.begin(), overview.pools.end(), knows);
    const Severity severity = task.oldest <= overview.now ? Severity::critical : Severity::warning;
    if (other == overview.pools.end())
        return all.push_back({severity, "task " + task.task,
                              "no pool of this machine knows it, " + how_many + " in queue " + task.queue,
                              "add " + section + " to a pool's file, or start the pool that has it"});
    all.push_back({severity, "task " + task.task,
                   "pool " + other->name + " has it and does not serve queue " + task.queue + ", where " + how_many,
                   "add \"" + task.queue + "\" to worker.queues of pool " + other->name + ", or " + section +
                       " to a pool that serves it; new ones: dormouse enqueue --queue " +
                       (other->queues.empty() ? other->name : other->queues.front())});
}

}  // namespace

std::vector<Attention> attention(const Overview& overview) {
    All all;
    if (!overview.units_trouble.empty())
        all.push_back({Severity::warning, "systemd", overview.units_trouble + "; whether pools are on is not known",
                       "systemctl status"});
    for (const PoolSeen& pool : overview.pools) {
        if (pool.local && !pool.local->problem.empty())
            all.push_back({Severity::critical, "pool " + pool.name, pool.local->problem,
                           "dormouse worker " + pool.name + " --check"});
        about_units(all, overview, pool);
        about_workers(all, pool, overview.now);
        about_versions(all, pool);
        about_spool(all, pool);
        about_hidden(all, pool);
    }
    for (const QueueSeen& queue : overview.queues) about_queue(all, overview, queue);
    for (const UnknownTask& task : overview.unknown) about_task(all, overview, task);
    for (const FailingTask& task : overview.failing)
        if (auto one = attention_of(overview, task)) all.push_back(std::move(*one));
    for (const Holder& one : overview.holders)
        all.push_back({Severity::warning, "queue " + one.queue,
                       one.who + (one.since ? ", " + relative(*one.since, overview.now) : "") + ": " + one.why,
                       one.remedy});
    for (const Hindered& one : overview.retention)
        all.push_back({Severity::warning, "retention of pool " + one.pool, "last step: " + one.trouble,
                       one.trouble.starts_with("locked by ") ? "end that session, or wait for it"
                                                             : "see table dormouse.retention; dormouse doctor"});
    if (overview.stuck_count > 0)
        all.push_back({Severity::critical, runs(overview.stuck_count, overview.more_stuck), "stuck, listed below",
                       "dormouse show ID"});
    std::stable_sort(all.begin(), all.end(), [](const Attention& a, const Attention& b) { return a.level > b.level; });
    return all;
}

}  // namespace dormouse::cli
