#include "postgres/pooler_check.h"

#include <utility>

#include "base/uuid.h"
#include "postgres/hosts.h"

namespace dormouse::postgres {
namespace {

/// Enough for the next server of a pooler that takes them in turn, and, most often, for one that takes any.
constexpr int turns = 4;
constexpr const char* pid_sql = "SELECT pg_catalog.pg_backend_pid()";

Statement plain(const char* sql) {
    return Statement{sql, Params{}, false};
}

}  // namespace

Error shared_sessions(const std::string& host, const std::string& why) {
    const std::string direct = direct_host_for(host);
    return Error{ErrorKind::incompatible, "the pooler at " + (host.empty() ? "database.url" : host) +
                                              " hands sessions around (transaction mode; " + why +
                                              "), so LISTEN cannot work: put the direct host into database.url" +
                                              (direct.empty() ? "" : " (" + direct + ")")};
}

PoolerCheck::PoolerCheck(loop::Loop& loop, Target target, Millis connect_timeout, Session& ours, Done done)
    : loop_(loop),
      patience_(connect_timeout / 2),
      ours_(ours),
      done_(std::move(done)),
      turn_(loop, "pooler_check.done"),
      silence_(loop, "pooler_check.silence"),
      nonce_(Uuid::random().to_string()) {
    target.options["application_name"] = "dormouse pooler probe";
    connector_ =
        std::make_unique<Connector>(loop, std::move(target), connect_timeout, [this](Result<ConnectionPtr> connection) {
            if (!connection) return finish(tl::unexpected(connection.error()));
            on_connected(std::move(*connection));
        });
}

// First what leaves nothing behind in anybody's session. BEGIN keeps a backend while ours, idle, may lose its own; not
// before it is known to be another one: ours would wait for its backend if that was the pooler's only one.
void PoolerCheck::on_connected(ConnectionPtr connection) {
    Session::Events events;
    events.on_notification = [](const std::string&, const std::string&) {};
    events.on_lost = [this](Error error) { finish(tl::unexpected(std::move(error))); };
    theirs_ = std::make_unique<Session>(loop_, std::move(connection), std::move(events));
    connector_.reset();
    keeps(ours_, our_backend_, 1, [this] {
        keeps(*theirs_, their_backend_, turns, [this] {
            theirs_->exchange({plain("BEGIN"), plain(pid_sql)}, [this](const Replies& begun) {
                if (!begun) return finish(tl::unexpected(begun.error()));
                if (begun->at(1).integer(0, 0) != their_backend_) return refuse("its backend changes");
                keeps(ours_, our_backend_, turns, [this] { hear(); });
            });
        });
    });
}

void PoolerCheck::keeps(Session& session, int& backend, int left, Then then) {
    if (left == 0) return then();
    session.exchange({plain(pid_sql)}, [this, &session, &backend, left, then = std::move(then)](Replies replies) {
        if (!replies) return finish(tl::unexpected(replies.error()));
        const auto pid = static_cast<int>(replies->at(0).integer(0, 0));
        if (backend == 0) backend = pid;
        if (pid != backend) return refuse("its backend changes");
        if (our_backend_ == their_backend_) return refuse("two sessions have one backend");
        keeps(session, backend, left - 1, then);
    });
}

// And then what a worker lives on: it is told while it is idle.
void PoolerCheck::hear() {
    ours_.exchange({plain("LISTEN dormouse_pooler_check")}, [this](const Replies& listening) {
        if (!listening) return finish(tl::unexpected(listening.error()));
        Params nonce;
        nonce.text(nonce_);
        theirs_->exchange({plain("COMMIT"), Statement{"SELECT pg_catalog.pg_notify('dormouse_pooler_check', $1::text)",
                                                      std::move(nonce), false}},
                          [this](const Replies& told) {
                              if (!told) return finish(tl::unexpected(told.error()));
                          });
        silence_.once(patience_, [this] {
            unlisten(tl::unexpected(shared_sessions(ours_.host(), "it passes no notification on")));
        });
    });
}

void PoolerCheck::heard(const std::string& payload) {
    if (payload != nonce_ || !silence_.armed()) return;
    silence_.stop();
    unlisten(our_backend_);
}

void PoolerCheck::unlisten(Result<int> backend) {
    ours_.exchange({plain("UNLISTEN dormouse_pooler_check")},
                   [this, backend = std::move(backend)](const Replies& done) mutable {
                       if (!done && backend) return finish(tl::unexpected(done.error()));
                       finish(std::move(backend));
                   });
}

void PoolerCheck::refuse(const std::string& why) {
    finish(tl::unexpected(shared_sessions(ours_.host(), why)));
}

// On a turn of its own: this may run inside a callback of what the owner then destroys.
void PoolerCheck::finish(Result<int> backend) {
    if (std::exchange(finished_, true)) return;
    silence_.stop();
    turn_.once(Millis{0}, [this, backend = std::move(backend)] {
        const auto call = std::move(done_);
        call(backend);
    });
}

}  // namespace dormouse::postgres
