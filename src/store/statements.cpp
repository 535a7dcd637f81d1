#include "store/statements.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sql/embedded.h"

namespace dormouse::store {
namespace {

using postgres::Params;
using postgres::Reply;
using postgres::Statement;

Statement statement(const char* sql, Params params, bool prepare = true) {
    return Statement{sql, std::move(params), prepare};
}

/// Endings as the columns that finish.sql and put_back.sql unnest.
struct Columns {
    std::vector<Uuid> ids;
    std::vector<std::optional<std::int64_t>> fences, delays, cpu, memory;
    std::vector<std::string> fates;
    std::vector<std::optional<std::string>> results, errors;
    std::vector<std::optional<int>> exit_codes, signals;
    std::vector<bool> counts;
};

std::optional<std::string> error_json(const Ending& ending) {
    if (ending.error_class.empty()) return std::nullopt;
    std::string message = ending.error_message;
    std::replace(message.begin(), message.end(), '\0', ' ');  // jsonb knows no NUL
    const nlohmann::json error{{"class", ending.error_class}, {"message", message}};
    return error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Columns columns_of(const std::vector<Ending>& endings, bool ending_runs) {
    Columns columns;
    for (const Ending& ending : endings) {
        if (ends_run(ending.fate) != ending_runs) continue;
        columns.ids.push_back(ending.held.id);
        columns.fences.emplace_back(ending.held.fence);
        columns.fates.emplace_back(to_string(ending.fate));
        columns.results.push_back(ending.result.empty() ? std::nullopt : std::optional(ending.result));
        columns.errors.push_back(error_json(ending));
        columns.delays.push_back(ending.delay ? std::optional(std::int64_t{ending.delay->count()}) : std::nullopt);
        columns.exit_codes.push_back(ending.exit_code);
        columns.signals.push_back(ending.signal);
        columns.cpu.push_back(ending.cpu_ms);
        columns.memory.push_back(ending.peak_memory_bytes);
        columns.counts.push_back(ending.counts);
    }
    return columns;
}

Params finish_params(const Columns& c, const Uuid& worker) {
    Params params;
    params.uuid(worker).uuids(c.ids).bigints(c.fences).texts(c.fates).texts(c.results).texts(c.errors);
    params.smallints(c.exit_codes).smallints(c.signals).bigints(c.cpu).bigints(c.memory).booleans(c.counts);
    return params;
}

Params put_back_params(const Columns& c, const Uuid& worker) {
    Params params;
    params.uuid(worker).uuids(c.ids).bigints(c.fences).texts(c.fates).bigints(c.delays).booleans(c.counts).texts(
        c.errors);
    params.smallints(c.exit_codes).smallints(c.signals).bigints(c.cpu).bigints(c.memory);
    return params;
}

/// What ended runs ask for; enqueue_next.sql looks whether they have ended.
Params enqueue_params(const std::vector<Ending>& endings, const Uuid& worker) {
    std::vector<Uuid> ids;
    std::vector<std::optional<std::int64_t>> fences;
    std::vector<std::string> texts;
    for (const Ending& ending : endings) {
        if (ending.enqueue.empty()) continue;
        ids.push_back(ending.held.id);
        fences.emplace_back(ending.held.fence);
        texts.push_back(ending.enqueue);
    }
    Params params;
    params.uuid(worker).uuids(ids).bigints(fences).texts(texts);
    return params;
}

Params news_params(const std::vector<News>& news, const Uuid& worker) {
    std::vector<Uuid> ids;
    std::vector<std::optional<std::int64_t>> fences, progress, first_lines;
    std::vector<std::optional<std::string>> progress_texts, lines;
    for (const News& one : news) {
        ids.push_back(one.held.id);
        fences.emplace_back(one.held.fence);
        progress.push_back(one.progress);
        progress_texts.push_back(one.progress_text);
        first_lines.emplace_back(one.first_line);
        lines.push_back(one.lines.empty() ? std::nullopt : std::optional(one.lines));
    }
    Params params;
    params.uuid(worker).uuids(ids).bigints(fences).bigints(progress).texts(progress_texts).bigints(first_lines);
    params.texts(lines);
    return params;
}

Params held_params(const std::vector<Held>& runs, const Uuid& worker) {
    std::vector<Uuid> ids;
    std::vector<std::optional<std::int64_t>> fences;
    for (const Held& run : runs) {
        ids.push_back(run.id);
        fences.emplace_back(run.fence);
    }
    Params params;
    params.uuid(worker).uuids(ids).bigints(fences);
    return params;
}

/// A run without a queue goes into the pool's first.
Params import_params(const std::vector<Import>& imports, const Identity& who) {
    std::vector<Uuid> ids;
    std::vector<std::string> texts;
    for (const Import& one : imports) {
        ids.push_back(one.id);
        texts.push_back(one.text);
    }
    Params params;
    params.uuids(ids).texts(texts).text(who.queues.front());
    return params;
}

std::vector<Imported> imported_from(const Reply& reply) {
    std::vector<Imported> all;
    for (int row = 0; row < reply.rows(); ++row) {
        const std::string_view outcome = reply.text(row, 1);
        all.push_back({outcome == "imported" ? Imported::Outcome::imported
                       : outcome == "known"  ? Imported::Outcome::known
                                             : Imported::Outcome::refused,
                       std::string(reply.text(row, 2))});
    }
    return all;
}

Params identity_params(const Identity& who) {
    Params params;
    params.uuid(who.id).text(who.pool).texts(who.queues);
    who.unit.empty() ? params.null() : params.text(who.unit);
    params.text(who.host).integer(who.pid).bigint(who.pid_start).uuid(who.boot_id);
    who.instance_id == Uuid{} ? params.null() : params.uuid(who.instance_id);
    params.text(who.version);
    who.pid_namespace == 0 ? params.null() : params.bigint(who.pid_namespace);
    return params;
}

Params retain_params(const Retain& retain, const Identity& who) {
    Params params;
    params.text(who.pool);
    retain.finished ? params.bigint(retain.finished->count()) : params.null();
    params.bigint(retain.now.count());
    return params;
}

void take_ids(const Reply& reply, std::vector<Uuid>& into) {
    for (int row = 0; row < reply.rows(); ++row) into.push_back(reply.uuid(row, 0));
}

ClaimedRun claimed_run(const Reply& reply, int row) {
    ClaimedRun run;
    run.held = Held{reply.uuid(row, 0), reply.integer(row, 1)};
    run.queue = reply.text(row, 2);
    run.task = reply.text(row, 3);
    if (!reply.is_null(row, 4)) run.payload = reply.text(row, 4).substr(1);  // jsonb comes with its version in front
    run.attempts = static_cast<int>(reply.integer(row, 5));
    if (!reply.is_null(row, 6)) run.max_attempts = static_cast<int>(reply.integer(row, 6));
    if (!reply.is_null(row, 7)) run.timeout = Millis{reply.integer(row, 7)};
    run.traceparent = reply.text(row, 8);
    run.lost = static_cast<int>(reply.integer(row, 11));
    return run;
}

/// claim.sql returns rows in no order; the strict order of the queues, priority and age are restored here.
void take_claimed(const Reply& reply, const std::vector<std::string>& queues, Answer& answer) {
    using Key = std::tuple<std::ptrdiff_t, std::int64_t, std::int64_t, Uuid>;
    std::vector<std::pair<Key, ClaimedRun>> rows;
    for (int row = 0; row < reply.rows(); ++row) {
        ClaimedRun run = claimed_run(reply, row);
        const auto place = std::find(queues.begin(), queues.end(), run.queue) - queues.begin();
        rows.emplace_back(Key{place, reply.integer(row, 9), reply.integer(row, 10), run.held.id}, std::move(run));
    }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    answer.claimed.reserve(rows.size());
    for (auto& [key, run] : rows) {
        const auto& [place, priority, run_at, id] = key;
        const bool same = !answer.reached.empty() && answer.reached.back().last.priority == priority &&
                          answer.reached.back().last.queue == run.queue;
        if (!same) answer.reached.push_back({{run.queue, static_cast<int>(priority), 0, {}}, 0});
        Reached& reached = answer.reached.back();
        reached.last.run_at = run_at;
        reached.last.id = id;
        ++reached.runs;
        answer.claimed.push_back(std::move(run));
    }
}

void add_fronts(Params& params, const std::vector<Front>& fronts) {
    std::vector<std::string> queues;
    std::vector<std::optional<int>> priorities;
    std::vector<std::int64_t> times;
    std::vector<Uuid> ids;
    for (const Front& front : fronts) {
        queues.push_back(front.queue);
        priorities.emplace_back(front.priority);
        times.push_back(front.run_at);
        ids.push_back(front.id);
    }
    params.texts(queues).smallints(priorities).timestamps(times).uuids(ids);
}

void add_rooms(Params& params, const std::vector<Room>& rooms) {
    std::vector<std::string> tasks;
    std::vector<std::optional<std::int64_t>> slots;
    for (const Room& room : rooms) {
        tasks.push_back(room.task);
        slots.emplace_back(room.slots);
    }
    params.texts(tasks).bigints(slots);
}

std::vector<std::string> full_tasks(const std::vector<Room>& rooms) {
    std::vector<std::string> full;
    for (const Room& room : rooms)
        if (room.slots <= 0) full.push_back(room.task);
    return full;
}

/// Walks the parts of a Round in the order in which they are sent; both directions use it, so they cannot disagree.
template <typename Visit>
void for_each_part(const Round& round, const Visit& visit) {
    const auto ends = [&](bool ending_runs) {
        return std::any_of(round.endings.begin(), round.endings.end(),
                           [&](const Ending& ending) { return ends_run(ending.fate) == ending_runs; });
    };
    if (round.promise.enlist) visit(sql::promise_register);
    if (round.promise.withdraw) visit(sql::promise_withdraw);
    if (round.promise.rest) visit(sql::promise_rest);
    if (round.promise.give) visit(sql::promise_give);
    if (round.arrive) visit(sql::worker_arrives);
    if (round.release_forgotten) visit(sql::release_forgotten);
    if (!round.news.empty()) visit(sql::news);
    if (ends(true)) visit(sql::finish);
    if (round.enqueues()) visit(sql::enqueue_next);
    if (ends(false)) visit(sql::put_back);
    if (!round.extend.empty()) visit(sql::extend);
    if (!round.ask_held.empty()) visit(sql::held);
    if (round.rescue) visit(sql::rescue);
    if (!round.dead.empty()) visit(sql::rescue_own);
    if (!round.imports.empty()) visit(sql::import_runs);
    if (round.claim > 0) visit(round.only_run ? sql::claim_run : round.rooms.empty() ? sql::claim : sql::claim_capped);
    if (round.only_run) visit(sql::standing);
    if (round.ask_waking) visit(sql::waking);  // before the due time: see waking.sql
    if (round.ask_due) visit(sql::due);
    if (round.leave) visit(sql::worker_leaves);
    if (round.retain) visit(sql::retain);
}

}  // namespace

std::vector<Statement> statements_for(const Round& round, const Identity& who, Millis lease) {
    std::vector<Statement> out;
    for_each_part(round, [&](const char* sql) {
        Params params;
        bool prepare = true;
        if (sql == sql::worker_arrives) {
            params = identity_params(who);
            prepare = false;
        } else if (sql == sql::promise_register || sql == sql::promise_withdraw || sql == sql::promise_rest ||
                   sql == sql::promise_give) {
            params.texts(who.queues);
            prepare = false;
        } else if (sql == sql::release_forgotten) {
            params.texts(who.queues).uuid(who.id);
            params.bigints(std::vector<std::optional<std::int64_t>>(round.fences.begin(), round.fences.end()));
            prepare = false;
        } else if (sql == sql::finish) {
            params = finish_params(columns_of(round.endings, true), who.id);
        } else if (sql == sql::news) {
            params = news_params(round.news, who.id);
        } else if (sql == sql::enqueue_next) {
            params = enqueue_params(round.endings, who.id);
        } else if (sql == sql::put_back) {
            params = put_back_params(columns_of(round.endings, false), who.id);
        } else if (sql == sql::extend) {
            params = held_params(round.extend, who.id);
            params.bigint(lease.count());
        } else if (sql == sql::held) {
            params = held_params(round.ask_held, who.id);
        } else if (sql == sql::rescue) {
            params.texts(who.queues);
            prepare = false;
        } else if (sql == sql::rescue_own) {
            params.texts(who.queues).uuids(round.dead);
            prepare = false;
        } else if (sql == sql::import_runs) {
            params = import_params(round.imports, who);
            prepare = false;
        } else if (sql == sql::waking) {
            prepare = false;
        } else if (sql == sql::claim_run) {
            params.uuid(*round.only_run).uuid(who.id).bigint(lease.count()).bigint(round.payload_bytes);
        } else if (sql == sql::standing) {
            params.uuid(*round.only_run);
        } else if (sql == sql::claim || sql == sql::claim_capped) {
            params.texts(who.queues).integer(round.claim).uuid(who.id).bigint(lease.count());
            params.bigint(round.payload_bytes);
            sql == sql::claim ? add_fronts(params, round.fronts) : add_rooms(params, round.rooms);
        } else if (sql == sql::due) {
            params.texts(who.queues).uuid(who.id).bigint(lease.count());
            params.bigints(std::vector<std::optional<std::int64_t>>(round.fences.begin(), round.fences.end()));
            params.texts(full_tasks(round.rooms));
        } else if (sql == sql::retain) {
            params = retain_params(*round.retain, who);
            prepare = false;
        } else if (sql == sql::worker_leaves) {
            params.uuid(who.id);
            prepare = false;
        }
        out.push_back(statement(sql, std::move(params), prepare));
    });
    return out;
}

Answer answer_from(const Round& round, const std::vector<postgres::Reply>& results, const Identity& who) {
    Answer answer;
    std::size_t at = 0;
    for_each_part(round, [&](const char* sql) {
        const Reply& reply = results.at(at++);
        if (sql == sql::promise_register) {
            answer.enlisted = true;
            for (int row = 0; row < reply.rows(); ++row) answer.enlisted = answer.enlisted && reply.boolean(row, 0);
        }
        if (sql == sql::promise_rest) answer.rested = reply.boolean(0, 0);
        if (sql == sql::promise_give) answer.promised = reply.rows() > 0;
        if (sql == sql::finish || sql == sql::put_back) take_ids(reply, answer.ended);
        if (sql == sql::enqueue_next)
            for (int row = 0; row < reply.rows(); ++row) answer.enqueued.emplace_back(reply.text(row, 0));
        if (sql == sql::extend) take_ids(reply, answer.extended);
        if (sql == sql::held) take_ids(reply, answer.still_held);
        if (sql == sql::rescue || sql == sql::rescue_own) answer.rescued += reply.integer(0, 0);
        if (sql == sql::release_forgotten) answer.released = reply.integer(0, 0);
        if (sql == sql::import_runs) answer.imported = imported_from(reply);
        if (sql == sql::retain) {
            answer.retained = reply.text(0, 0);
            answer.retention_trouble = reply.text(0, 1);
        }
        if (sql == sql::waking) answer.waking = reply.boolean(0, 0);
        if (sql == sql::standing && reply.rows() > 0) {
            answer.standing = reply.text(0, 0);
            if (!reply.is_null(0, 1)) answer.due_in = Millis{std::max<std::int64_t>(reply.integer(0, 1), 0)};
        }
        if (sql == sql::claim || sql == sql::claim_capped || sql == sql::claim_run)
            take_claimed(reply, who.queues, answer);
        if (sql == sql::claim && reply.rows() > 0)
            answer.finding_took = std::chrono::microseconds{reply.integer(0, 14) - reply.integer(0, 13)};
        if (sql == sql::due && !reply.is_null(0, 0))
            answer.due_in = Millis{std::max<std::int64_t>(reply.integer(0, 0), 0)};
    });
    return answer;
}

const char* to_string(Fate fate) {
    switch (fate) {
        case Fate::completed:
            return "completed";
        case Fate::failed:
            return "failed";
        case Fate::canceled:
            return "canceled";
        case Fate::retry:
            return "retry";
        case Fate::put_off:
            return "put_off";
        case Fate::not_started:
            return "not_started";
        case Fate::handed_back:
            return "handed_back";
        case Fate::cut_off:
            return "cut_off";
    }
    return "failed";
}

bool Round::enqueues() const {
    return std::any_of(endings.begin(), endings.end(), [](const Ending& ending) { return !ending.enqueue.empty(); });
}

bool Round::empty() const {
    return !promise.any() && !arrive && !release_forgotten && news.empty() && endings.empty() && extend.empty() &&
           ask_held.empty() && !rescue && dead.empty() && imports.empty() && claim == 0 && !ask_waking && !ask_due &&
           !leave && !retain;
}

}  // namespace dormouse::store
