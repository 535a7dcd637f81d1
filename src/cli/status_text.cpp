#include "cli/status_text.h"

#include <algorithm>
#include <set>

#include "cli/endings.h"
#include "cli/when.h"

namespace dormouse::cli {
namespace {

constexpr std::size_t rows_of_a_screen = 12;

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

/// Those that live or hold runs, and a few of the others: where each container has a name of its own there are many.
Cell worker_cell(const PoolSeen& pool) {
    constexpr int most_gone = 3;
    if (pool.workers.empty()) return {"never seen", Colour::none};
    std::string text;
    Colour colour = Colour::none;
    int gone = 0;
    for (const WorkerSeen& worker : pool.workers) {
        const bool lives = worker.state == "awake" || worker.state == "resting";
        if (!lives && worker.runs == 0 && ++gone > most_gone) continue;
        const bool stopped = worker.state == "asleep" && (pool.off() || pool.removed());
        text += (text.empty() ? "" : ", ") + (stopped ? "stopped" : worker.state) + " on " + worker.host;
        if (worker.runs > 0) text += " (" + std::to_string(worker.runs) + (worker.runs == 1 ? " run)" : " runs)");
        if (!worker.run.empty()) text += " (run " + worker.run + " alone: " + worker.run_status + ")";
        if (lives && colour != Colour::red) colour = Colour::green;
        if (worker.state == "gone") colour = Colour::red;
    }
    if (gone > most_gone) text += ", " + std::to_string(gone - most_gone) + " more that have ended";
    return {text, colour};
}

std::string last_seen(const PoolSeen& pool, double now) {
    double last = 0;
    for (const WorkerSeen& worker : pool.workers) {
        if (worker.state == "awake") return "now";
        last = std::max(last, worker.seen_at.value_or(worker.left_at.value_or(worker.started_at)));
    }
    return pool.workers.empty() ? "" : relative(last, now);
}

/// How soon somebody should see it: what is wrong, what works, what sleeps.
int rank(const PoolSeen& pool) {
    const bool gone = std::any_of(pool.workers.begin(), pool.workers.end(),
                                  [](const WorkerSeen& worker) { return worker.state == "gone"; });
    if (gone || configured(pool).colour != Colour::none) return 0;
    const bool works = std::any_of(pool.workers.begin(), pool.workers.end(),
                                   [](const WorkerSeen& worker) { return worker.runs > 0 || worker.state == "awake"; });
    return works ? 1 : 2;
}

int rank(const QueueSeen& queue) {
    if (queue.served_by.empty() || queue.due > 0) return 0;
    return queue.running > 0 || queue.retrying > 0 || queue.blocked > 0 ? 1 : 2;
}

/// All of them as they come, if that is few or asked for; else the one that is meant, and those that matter most.
template <typename Row>
std::vector<const Row*> of_a_screen(const std::vector<Row>& rows, bool all, const std::string& meant = {}) {
    std::vector<const Row*> shown;
    for (const Row& row : rows) shown.push_back(&row);
    if (all || shown.size() <= rows_of_a_screen) return shown;
    const auto place = [&](const Row* row) { return row->name == meant ? -1 : rank(*row); };
    std::stable_sort(shown.begin(), shown.end(), [&](const Row* a, const Row* b) { return place(a) < place(b); });
    shown.resize(rows_of_a_screen);
    return shown;
}

void tell_rest(std::size_t rest, const char* what) {
    if (rest > 0) print("and " + std::to_string(rest) + " " + what + "; --all shows them\n");
}

/// Only while it makes a difference.
void print_scaled(const Overview& overview) {
    std::string lines;
    for (const PoolSeen& pool : overview.pools) {
        if (!pool.scaled) continue;
        std::set<std::int64_t> configured;
        for (const WorkerSeen& worker : pool.workers)
            if (worker.run.empty() && worker.configured > 0) configured.insert(worker.configured);
        if (configured == std::set{pool.scaled->concurrency}) continue;
        lines += "pool " + escaped(pool.name) + " is scaled: " + scaled_text(*pool.scaled, configured, overview.now) +
                 "; dormouse scale " + escaped(pool.name) + " --reset undoes it\n";
    }
    if (!lines.empty()) print("\n" + lines);
}

std::string capped(std::int64_t count, bool more) {
    return std::to_string(count) + (more ? " or more" : "");
}

void print_queues(const Overview& overview, bool all) {
    if (overview.queues.empty()) return print("\nall queues are empty\n");
    Table table({"QUEUE", "DUE", "LATER", "RUNNING", "RETRYING", "BLOCKED", "WAITING SINCE", "NEXT", "SERVED BY"});
    const auto shown = of_a_screen(overview.queues, all);
    for (const QueueSeen* const queue : shown)
        table.add({{queue->name},
                   {capped(queue->due, queue->more.due)},
                   {capped(queue->put_off, queue->more.put_off)},
                   {capped(queue->running, queue->more.running)},
                   {capped(queue->retrying, queue->more.retrying)},
                   {capped(queue->blocked, queue->more.blocked)},
                   {queue->oldest_due_at ? relative(*queue->oldest_due_at, overview.now) : ""},
                   {queue->next_run_at ? relative(*queue->next_run_at, overview.now) : ""},
                   {queue->served_by.empty() ? "nobody" : joined(queue->served_by),
                    queue->served_by.empty() ? Colour::red : Colour::none}});
    print("\n" + table.text());
    tell_rest(overview.queues.size() - shown.size(), "more queues");
    if (overview.more_queues) print("more than 1,000 queues: the others were not looked at\n");
}

void print_failing(const Overview& overview) {
    if (overview.failing.empty()) return;
    Table table({"FAILING TASK", "LAST HOUR", "LAST DAY", "RETRYING", "LAST ERROR"});
    for (const FailingTask& task : overview.failing)
        table.add({{cut(task.task, 40)},
                   {capped(task.failed_in_an_hour, task.more && task.failed_in_an_hour > 0)},
                   {capped(task.failed_in_a_day, task.more && task.failed_in_a_day > 0)},
                   {capped(task.retrying, task.retrying >= 1'000)},
                   {cut(brief(task.error_message), 60)}});
    print("\n" + table.text());
}

void print_endings(const Overview& overview) {
    if (!overview.endings.empty()) print("\n" + endings_text(overview.endings));
}

void print_attention(const std::vector<Attention>& found, bool all) {
    constexpr std::size_t most = 20;
    if (found.empty()) return;
    print("\n" + paint(Colour::yellow, "attention") + "\n");
    const std::size_t shown = all ? found.size() : std::min(found.size(), most);
    for (std::size_t n = 0; n < shown; ++n) {
        const Attention& one = found[n];
        print(paint(one.level == Severity::critical ? Colour::red : Colour::none, escaped(one.about)) + ": " +
              escaped(one.text) + "; " + escaped(one.remedy) + "\n");
    }
    tell_rest(found.size() - shown, "more that need attention");
}

void print_stuck(const Overview& overview) {
    if (overview.stuck.empty()) return;
    Table table({"STUCK RUN", "TASK", "QUEUE", "STATUS", "SINCE", "WHY"});
    for (const StuckRun& run : overview.stuck)
        table.add({{run.id},
                   {cut(run.task, 40)},
                   {run.queue},
                   {run.status},
                   {relative(run.since, overview.now)},
                   {run.reason}});
    print("\n" + table.text());
    const auto more = overview.stuck_count - static_cast<std::int64_t>(overview.stuck.size());
    if (more > 0) print((overview.more_stuck ? "and at least " : "and ") + std::to_string(more) + " more\n");
}

}  // namespace

Cell configured(const PoolSeen& pool) {
    if (pool.removed()) return {"no file here", Colour::yellow};
    if (!pool.local) return {"elsewhere"};
    if (!pool.local->problem.empty()) return {"here, broken", Colour::red};
    if (pool.off()) return {"here, off", Colour::red};
    if (pool.stopping()) return {"here, stopping", Colour::yellow};
    if (pool.units && pool.units->socket == "failed") return {"here, doorbell failed", Colour::red};
    return {pool.listening ? "here, doorbell" : "here, no doorbell"};
}

void print_pools(const Overview& overview, const PoolsShown& which) {
    if (overview.pools.empty())
        return print("no pool is configured on this machine, and none has been seen in the database\n");
    Table table({"POOL", "QUEUES", "CONFIGURED", "WORKER", "LAST SEEN"});
    const auto shown = of_a_screen(overview.pools, which.all, which.pool);
    for (const PoolSeen* const pool : shown)
        table.add({{pool->name},
                   {joined(pool->queues)},
                   configured(*pool),
                   which.with_database ? worker_cell(*pool) : Cell{"unknown"},
                   {last_seen(*pool, overview.now)}});
    print(table.text());
    tell_rest(overview.pools.size() - shown.size(), "more pools");
}

void print_screen(const Overview& overview, const std::vector<Attention>& found, const PoolsShown& which) {
    print_pools(overview, which);
    print_scaled(overview);
    print_queues(overview, which.all);
    print_endings(overview);
    print_failing(overview);
    print_attention(found, which.all);
    print_stuck(overview);
}

}  // namespace dormouse::cli
