#include "postgres/pooler_check.h"

#include <utility>

#include "postgres/hosts.h"

namespace dormouse::postgres {
namespace {

Statement ask_pid() {
    return Statement{"SELECT pg_backend_pid()", Params{}, false};
}

}  // namespace

Error shared_sessions(const std::string& where, const std::string& host) {
    const std::string direct = direct_host_for(host);
    return Error{ErrorKind::incompatible,
                 "the pooler at " + where + " hands sessions around (transaction mode), so LISTEN cannot work: " +
                     "put the direct host into database.url" + (direct.empty() ? "" : " (" + direct + ")")};
}

PoolerCheck::PoolerCheck(loop::Loop& loop, Target target, Millis connect_timeout, Session& ours, Done done)
    : loop_(loop), ours_(ours), done_(std::move(done)), turn_(loop, "pooler_check.done") {
    target.options["application_name"] = "dormouse pooler probe";
    connector_ =
        std::make_unique<Connector>(loop, std::move(target), connect_timeout, [this](Result<ConnectionPtr> connection) {
            if (!connection) return finish(tl::unexpected(connection.error()));
            on_connected(std::move(*connection));
        });
}

void PoolerCheck::on_connected(ConnectionPtr connection) {
    Session::Events events;
    events.on_notification = [](const std::string&, const std::string&) {};
    events.on_lost = [this](Error error) { finish(tl::unexpected(std::move(error))); };
    theirs_ = std::make_unique<Session>(loop_, std::move(connection), std::move(events));
    connector_.reset();
    ask();
}

// If the second session is given the backend that served ours a moment ago, sessions are shared.
void PoolerCheck::ask() {
    ours_.exchange({ask_pid()}, [this](Replies ours) {
        if (!ours) return finish(tl::unexpected(ours.error()));
        const auto first = static_cast<int>(ours->at(0).integer(0, 0));
        // BEGIN keeps the backend while ours, idle, may lose it.
        theirs_->exchange({Statement{"BEGIN", {}, false}, ask_pid()},
                          [this, first](const Replies& theirs) { on_theirs(first, theirs); });
    });
}

void PoolerCheck::on_theirs(int first, const Replies& theirs) {
    if (!theirs) return finish(tl::unexpected(theirs.error()));
    // Ours would wait for its backend if that was the pooler's only one.
    if (theirs->at(1).integer(0, 0) == first) return finish(true);
    ours_.exchange({ask_pid()}, [this, first](Replies again) {
        if (!again) return finish(tl::unexpected(again.error()));
        finish(again->at(0).integer(0, 0) != first);
    });
}

// On a turn of its own: this may run inside a callback of what the owner then destroys.
void PoolerCheck::finish(Result<bool> shared) {
    if (std::exchange(finished_, true)) return;
    turn_.once(Millis{0}, [this, shared = std::move(shared)] {
        const auto call = std::move(done_);
        call(shared);
    });
}

}  // namespace dormouse::postgres
