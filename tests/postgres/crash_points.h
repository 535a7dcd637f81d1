// Every crash point that a worker passes, with the scene that leads there. scripts/check_crash.sh compares with src/.
#pragma once

#include <vector>

#include "support/crash_bench.h"

namespace dormouse::testing {

/// Before the first look is answered: nobody has been started.
inline const std::vector<Moment> start_points{
    {.name = "due_file.removed", .nobody_in_flight = true},
    {.name = "pool.ready", .nobody_in_flight = true},
    {.name = "spool.made"},  // by another thread, while the session is opened
    {.name = "session.opened", .nobody_in_flight = true},
    {.name = "listen.sent", .nobody_in_flight = true},
    {.name = "listen.done", .nobody_in_flight = true},
    {.name = "ring.answered", .nobody_in_flight = true},
    {.name = "wake_file.answered", .nobody_in_flight = true},
    {.name = "scale.sent", .nobody_started = true, .waits_for_lease = true},  // with the claim
    {.name = "scale.answered", .nobody_started = true},
    {.name = "claim.sent", .nobody_started = true, .waits_for_lease = true},
    {.name = "claim.answered", .nobody_started = true},
    {.name = "claim.answered:2"},
};

/// Handlers and what is written about them.
inline const std::vector<Moment> run_points{
    {.name = "handler.spawned"},
    {.name = "handler.started:3"},
    {.name = "handler.exited"},
    {.name = "handler.reaped"},
    {.name = "handler.landed", .waits_for_lease = true},
    {.name = "ending.waiting"},
    {.name = "exchange.unfinished:4"},
    {.name = "exchange.unfinished:5"},
    {.name = "exchange.unfinished:6"},
    {.name = "news.sent"},
    {.name = "news.answered"},
    {.name = "finish.sent"},
    {.name = "finish.answered"},
    {.name = "finish.sent:3"},
    {.name = "put_back.sent"},
    {.name = "put_back.answered"},
    {.name = "extend.sent"},
    {.name = "extend.answered", .waits_for_lease = true},
};

/// In conformance/killed_test.cpp: of handlers that stay, and of functions of the worker's own program.
inline const std::vector<Moment> warm_points{
    {.name = "warm.given"},
    {.name = "warm.given:2"},
    {.name = "warm.answered"},
    {.name = "warm.answered:2"},
};
inline const std::vector<Moment> function_points{
    {.name = "function.taken"},
    {.name = "function.taken:2"},
    {.name = "function.returned"},
    {.name = "function.returned:2"},
};

/// What goes along with other rounds.
inline const std::vector<Moment> round_points{
    {.name = "arrive.sent"},
    {.name = "arrive.answered"},
    {.name = "rescue.sent"},
    {.name = "rescue.answered", .waits_for_lease = true},
    {.name = "due.sent"},
    {.name = "due.answered"},
    {.name = "backlog.sent"},
    {.name = "backlog.answered"},
    {.name = "held.sent", .scene = Scene::cut_off},
    {.name = "held.answered", .scene = Scene::cut_off},
    {.name = "release_forgotten.sent", .scene = Scene::cut_off},
    {.name = "release_forgotten.answered", .scene = Scene::cut_off},
};

/// In a pipeline of pools (worker_enqueue_test.cpp): around the commit of completions with follow-up runs.
inline const std::vector<Moment> enqueue_points{
    {.name = "enqueue.sent"},
    {.name = "enqueue.sent:2"},
    {.name = "enqueue.answered"},
    {.name = "enqueue.answered:2"},
};

/// In reliance_others_test.cpp: of a worker that promises to look again.
inline const std::vector<Moment> promise_points{
    {.name = "enlist.sent"},  {.name = "enlist.answered"},  {.name = "rest.sent"},     {.name = "rest.answered"},
    {.name = "promise.sent"}, {.name = "promise.answered"}, {.name = "enlist.sent:2"}, {.name = "enlist.answered:2"},
};

/// In crash_search_test.cpp: while it is found out which run the database refuses, which run was lost, how one run
/// stands.
inline const std::vector<Moment> search_points{
    {.name = "candidates.sent"},    {.name = "candidates.answered"}, {.name = "claim_ids.sent"},
    {.name = "claim_ids.answered"}, {.name = "claim_ids.sent:3"},    {.name = "refuse.sent"},
    {.name = "refuse.answered"},    {.name = "list_lost.sent"},      {.name = "list_lost.answered"},
    {.name = "rescue_ids.sent"},    {.name = "rescue_ids.answered"}, {.name = "patience.sent"},
    {.name = "patience.answered"},
};
inline const std::vector<Moment> errand_points{{.name = "standing.sent"}, {.name = "standing.answered"}};
inline const std::vector<Moment> spool_points{
    {.name = "import.renamed"}, {.name = "import.sent"},        {.name = "import.answered"},
    {.name = "import.removed"}, {.name = "import.removed:3"},   {.name = "reject.made"},
    {.name = "reject.moved"},   {.name = "spool_file.written"}, {.name = "reject.explained"},
};

inline const std::vector<Moment> exit_points{
    {.name = "exit.decided", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "waking.sent", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "waking.answered", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "retain.sent", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "retain.answered", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "leave.sent", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "leave.answered", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "session.closed", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "due_file.written", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "due_file.renamed", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "pool.stopped", .scene = Scene::released, .nobody_in_flight = true},
    {.name = "handlers.stopped", .scene = Scene::terminated},
};

}  // namespace dormouse::testing
