#include "store/part_answers.h"

#include <algorithm>
#include <tuple>

namespace dormouse::store {
namespace {

using postgres::Reply;

/// Of two times as Postgres sends them, in microseconds; either may be infinite, which is the least or greatest number.
Millis between(std::int64_t due, std::int64_t claimed) {
    constexpr std::int64_t longest_us = 31'536'000'000'000;  // a year
    if (due >= claimed) return Millis{0};
    if (due < claimed - longest_us) return Millis{longest_us / 1'000};
    return Millis{(claimed - due) / 1'000};
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
    run.waited = between(reply.integer(row, 10), reply.integer(row, 13));
    return run;
}

}  // namespace

void read_ids(const Reply& reply, std::vector<Uuid>& into) {
    for (int row = 0; row < reply.rows(); ++row) into.push_back(reply.uuid(row, 0));
}

/// Triggers are to blame only if none of the rows is locked.
void read_held(const Reply& reply, Answer& answer) {
    read_ids(reply, answer.still_held);
    for (int row = 0; row < reply.rows(); ++row) {
        answer.passed_over_by = reply.text(row, 1);
        if (reply.is_null(row, 1)) return;
    }
}

void read_enlisted(const Reply& reply, Answer& answer) {
    answer.enlisted = true;
    for (int row = 0; row < reply.rows(); ++row) answer.enlisted = answer.enlisted && reply.boolean(row, 0);
}

/// Whatever is there: only what dormouse.scale() could have said counts (as in the view dormouse.scaled).
void read_scaled(const Reply& reply, Answer& answer) {
    constexpr std::int64_t most = 10'000;
    constexpr std::int64_t longest_us = 8LL * 86'400 * 1'000'000;
    if (reply.rows() == 0 || reply.is_null(0, 0) || reply.is_null(0, 1)) return;
    const std::int64_t concurrency = reply.integer(0, 0);
    const std::int64_t until = reply.integer(0, 1);
    const std::int64_t now = reply.integer(0, 3);
    if (concurrency < 1 || concurrency > most || until <= now || until > now + longest_us) return;
    answer.scaled = Scaled{static_cast<int>(concurrency), Millis{(until - now + 999) / 1'000},
                           std::string(reply.text(0, 2).substr(0, 63))};
}

void read_imported(const Reply& reply, Answer& answer) {
    using Kind = Imported::Kind;
    for (int row = 0; row < reply.rows(); ++row) {
        const std::string_view word = reply.text(row, 1);
        const Kind kind = word == "imported" ? Kind::imported : word == "known" ? Kind::known : Kind::refused;
        answer.imported.push_back({kind, std::string(reply.text(row, 2))});
    }
}

void read_claimed(const Reply& reply, const Identity& who, Answer& answer) {
    using Key = std::tuple<std::ptrdiff_t, std::int64_t, std::int64_t, Uuid>;
    std::vector<std::pair<Key, ClaimedRun>> rows;
    for (int row = 0; row < reply.rows(); ++row) {
        ClaimedRun run = claimed_run(reply, row);
        const auto place = std::find(who.queues.begin(), who.queues.end(), run.queue) - who.queues.begin();
        rows.emplace_back(Key{place, reply.integer(row, 9), reply.integer(row, 10), run.held.id}, std::move(run));
    }
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    answer.claimed.reserve(answer.claimed.size() + rows.size());
    for (auto& row : rows) answer.claimed.push_back(std::move(row.second));
}

void read_backlog(const Reply& reply, Answer& answer) {
    for (int row = 0; row < reply.rows(); ++row)
        answer.backlog.push_back({std::string(reply.text(row, 0)), reply.integer(row, 1),
                                  Millis{std::max<std::int64_t>(reply.integer(row, 2), 0)}});
}

void read_due(const Reply& reply, int column, Answer& answer) {
    if (reply.rows() > 0 && !reply.is_null(0, column))
        answer.due_in = Millis{std::max<std::int64_t>(reply.integer(0, column), 0)};
}

}  // namespace dormouse::store
