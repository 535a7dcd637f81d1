#include "store/parts.h"

#include <algorithm>

#include "base/crash_point.h"
#include "sql/embedded.h"
#include "store/part_answers.h"
#include "store/part_params.h"

namespace dormouse::store {
namespace {

using postgres::Reply;

bool ends_some(const Round& round, bool ending_runs) {
    if (!round.endings) return false;
    return std::any_of(round.endings->begin(), round.endings->end(),
                       [&](const Ending& ending) { return ends_run(ending.kind) == ending_runs; });
}
/// Without endings the statement is sent all the same, to see whether it is taken.
bool finishes(const Round& round) {
    return ends_some(round, true) || (round.endings && round.endings->empty());
}
bool puts_back(const Round& round) {
    return ends_some(round, false) || (round.endings && round.endings->empty());
}

#define WHEN(condition) [](const Round& round) -> bool { return (condition); }
#define WITH(expression)                                                                                           \
    []([[maybe_unused]] const Round& round, [[maybe_unused]] const Identity& who, [[maybe_unused]] Millis lease) { \
        return (expression);                                                                                       \
    }
#define READ(statement)                                                                                              \
    []([[maybe_unused]] const Reply& reply, [[maybe_unused]] const Identity& who, [[maybe_unused]] Answer& answer) { \
        statement;                                                                                                   \
    }

constexpr bool often = true;
constexpr bool rarely = false;
constexpr Remedy halves = Remedy::by_halves;
constexpr Remedy later = Remedy::later;

// clang-format off
const std::vector<PartRow> rows{
    {Part::enlist, "enlist", sql::promise_register, rarely, later,
     WHEN(round.promise.enlist), WITH(queues_params(who)), READ(read_enlisted(reply, answer))},
    {Part::rest, "rest", sql::promise_rest, rarely, later,
     WHEN(round.promise.rest), WITH(queues_params(who)), READ(answer.rested = reply.boolean(0, 0))},
    {Part::promise, "promise", sql::promise_give, rarely, later,
     WHEN(round.promise.give), WITH(queues_params(who)), READ(answer.promised = reply.rows() > 0)},
    {Part::arrive, "arrive", sql::worker_arrives, rarely, later,
     WHEN(round.arrive), WITH(identity_params(who)), READ()},
    {Part::scale, "scale", sql::pool_scale, rarely, later,
     WHEN(round.ask_scale), WITH(pool_params(who)), READ(read_scaled(reply, answer))},
    {Part::release_forgotten, "release_forgotten", sql::release_forgotten, rarely, later,
     WHEN(round.release_forgotten), WITH(forgotten_params(round, who)), READ(answer.released = reply.integer(0, 0))},
    {Part::patience, "patience", sql::patience, rarely, later,
     WHEN(round.patience.has_value()), WITH(patience_params(*round.patience)), READ()},
    {Part::news, "news", sql::news, often, halves,
     WHEN(round.news.has_value()), WITH(news_params(*round.news, who)), READ()},
    {Part::finish, "finish", sql::finish_fast, often, halves,
     WHEN(finishes(round)), WITH(finish_params(*round.endings, who)), READ(read_ids(reply, answer.ended)), sql::finish},
    {Part::enqueue, "enqueue", sql::enqueue_next, often, halves,
     WHEN(round.enqueues()), WITH(enqueue_params(*round.endings, who)),
     READ(for (int row = 0; row < reply.rows(); ++row) answer.enqueued.emplace_back(reply.text(row, 0)))},
    {Part::put_back, "put_back", sql::put_back, often, halves,
     WHEN(puts_back(round)), WITH(put_back_params(*round.endings, who)), READ(read_ids(reply, answer.ended))},
    {Part::extend, "extend", sql::extend, often, halves,
     WHEN(round.extend.has_value()), WITH(held_params(*round.extend, who).bigint(lease.count())),
     READ(read_ids(reply, answer.extended))},
    {Part::held, "held", sql::held, often, later,
     WHEN(!round.ask_held.empty()), WITH(held_params(round.ask_held, who)), READ(read_held(reply, answer))},
    {Part::rescue, "rescue", sql::rescue, rarely, halves,
     WHEN(round.rescue.has_value()), WITH(rescue_params(round, who)), READ(answer.rescued += reply.integer(0, 0))},
    {Part::list_lost, "list_lost", sql::lost_candidates, rarely, later,
     WHEN(round.list_lost.has_value()), WITH(lost_params(round, who)), READ(read_ids(reply, answer.lost))},
    {Part::rescue_ids, "rescue_ids", sql::rescue_ids, rarely, halves,
     WHEN(round.rescue_ids.has_value()), WITH(rescue_ids_params(round, who)),
     READ(answer.rescued += reply.integer(0, 0))},
    {Part::rescue_own, "rescue_own", sql::rescue_own, rarely, later,
     WHEN(!round.dead.empty()), WITH(queues_params(who).uuids(round.dead)), READ(answer.rescued += reply.integer(0, 0))},
    {Part::import, "import", sql::import_runs, rarely, halves,
     WHEN(round.imports.has_value()), WITH(import_params(*round.imports, who)), READ(read_imported(reply, answer))},
    {Part::claim, "claim", sql::claim, often, halves,
     WHEN(round.claim.has_value()), WITH(claim_params(*round.claim, who, lease)), READ(read_claimed(reply, who, answer))},
    {Part::candidates, "candidates", sql::candidates, rarely, later,
     WHEN(round.candidates.has_value()), WITH(candidates_params(*round.candidates, who)),
     READ(read_ids(reply, answer.candidates))},
    {Part::claim_ids, "claim_ids", sql::claim_ids, rarely, halves,
     WHEN(round.claim_ids.has_value()), WITH(claim_ids_params(*round.claim_ids, who, lease)),
     READ(read_claimed(reply, who, answer))},
    {Part::refuse, "refuse", sql::refuse_waiting, rarely, later,
     WHEN(round.refuse.has_value()), WITH(refuse_params(*round.refuse)), READ(answer.refused = reply.rows() > 0)},
    {Part::standing, "standing", sql::standing, rarely, later,
     WHEN(round.standing.has_value()), WITH(uuid_params(*round.standing)),
     READ(if (reply.rows() > 0) answer.standing = reply.text(0, 0); read_due(reply, 1, answer))},
    {Part::waking, "waking", sql::waking, rarely, later,  // before the due time: see waking.sql
     WHEN(round.ask_waking), WITH(postgres::Params()), READ(answer.waking = reply.boolean(0, 0))},
    {Part::due, "due", sql::due, often, later,
     WHEN(round.due.has_value()), WITH(due_params(round, who, lease)), READ(read_due(reply, 0, answer))},
    {Part::backlog, "backlog", sql::backlog, rarely, later,
     WHEN(!round.backlog.empty()), WITH(backlog_params(round, who)), READ(read_backlog(reply, answer))},
    {Part::leave, "leave", sql::worker_leaves, rarely, later,
     WHEN(round.leave || round.rest.has_value()), WITH(leave_params(round, who)), READ()},
    {Part::retain, "retain", sql::retain, rarely, later,
     WHEN(round.retain.has_value()), WITH(retain_params(*round.retain, who)),
     READ(answer.retained = reply.text(0, 0); answer.retention_trouble = reply.text(0, 1))},
};
// clang-format on

#undef WHEN
#undef WITH
#undef READ

void crash(const Parts& parts, const char* when) {
#ifdef DORMOUSE_CRASH_POINTS
    for (const PartRow& row : rows)
        if (has(parts, row.part)) crash_point(std::string(row.name) + when);
#else
    static_cast<void>(parts);
    static_cast<void>(when);
#endif
}

}  // namespace

const std::vector<PartRow>& part_rows() {
    return rows;
}

const PartRow& row_of(Part part) {
    return rows.at(static_cast<std::size_t>(part));
}

Parts parts_of(const Round& round) {
    Parts set;
    for (const PartRow& row : rows)
        if (row.wanted(round)) set.set(static_cast<std::size_t>(row.part));
    return set;
}

std::vector<postgres::Statement> statements_for(const Round& round, const Identity& identity, Millis lease,
                                                const Columns& columns) {
    std::vector<postgres::Statement> statements;
    for (const PartRow& row : rows)
        if (row.wanted(round))
            statements.push_back({columns.fit(round.careful && row.careful_sql != nullptr ? row.careful_sql : row.sql),
                                  row.params(round, identity, lease), row.prepare});
    return statements;
}

Answer answer_from(const Parts& parts, const std::vector<Reply>& replies, const Identity& identity) {
    Answer answer;
    std::size_t at = 0;
    for (const PartRow& row : rows)
        if (has(parts, row.part)) row.read(replies.at(at++), identity, answer);
    return answer;
}

void crash_after_sending(const Parts& parts) {
    crash(parts, ".sent");
}

void crash_before_telling(const Parts& parts) {
    crash(parts, ".answered");
}

bool Round::enqueues() const {
    return endings &&
           std::any_of(endings->begin(), endings->end(), [](const Ending& one) { return !one.enqueue.empty(); });
}

const char* to_string(Ending::Kind kind) {
    switch (kind) {
        case Ending::completed:
            return "completed";
        case Ending::failed:
            return "failed";
        case Ending::canceled:
            return "canceled";
        case Ending::retry:
            return "retry";
        case Ending::put_off:
            return "put_off";
        case Ending::not_started:
            return "not_started";
        case Ending::handed_back:
            return "handed_back";
        case Ending::cut_off:
            return "cut_off";
    }
    return "failed";
}

}  // namespace dormouse::store
