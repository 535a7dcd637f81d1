// What keeps a database awake: looked at once a second for a while, over one session of its own. Driven by
// doctor_idle.cpp, which says what it means; changes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "postgres/blocking.h"

namespace dormouse::cli {

/// Sessions that are alike.
struct WhoSeen {
    std::string kind;  ///< "client backend", "walsender", "autovacuum worker", …; empty: it is not told
    std::string login;
    std::string application;
    std::string client;  ///< an address; empty: a socket of the server's machine, or not told
    std::string database;
    auto operator<=>(const WhoSeen&) const = default;
};

struct Activity {
    std::int64_t sessions = 0;
    std::int64_t statements = 0;  ///< at least: of several between two looks one is seen
    bool busy = false;            ///< in a statement or a transaction at some look
};

struct IdleStatement {
    std::string login;
    std::string database;
    std::string text;  ///< without its values
    std::int64_t calls = 0;
};

struct IdleSeen {
    std::map<WhoSeen, Activity> who;
    std::set<int> workers;  ///< processes of pools: a worker and what it has started
    std::set<int> relays;
    std::int64_t sessions_new = 0;          ///< in this database, of those that were seen
    std::int64_t sessions_unseen = 0;       ///< came and went between two looks, by the server's count
    std::int64_t made_elsewhere = 0;        ///< in all other databases, by that count
    std::int64_t transactions = 0;          ///< in this database, this watch's own left out; may be some late
    std::vector<IdleStatement> statements;  ///< the most frequent ones
    bool counts_statements = false;         ///< there is pg_stat_statements
    bool sees_all = true;                   ///< false: of others' sessions it is not told what they do
    std::int64_t looks = 0;                 ///< each is one statement of this watch's own
    double cost_ms = 0;                     ///< until they were answered, all together
};

/// Watches for so long. `pools`: whose processes count as workers.
Result<IdleSeen> watch_idle(postgres::BlockingConnection& connection, const std::vector<std::string>& pools,
                            Millis duration);

}  // namespace dormouse::cli
