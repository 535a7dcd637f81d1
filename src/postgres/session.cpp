#include "postgres/session.h"

#include <algorithm>

#include "base/crash_point.h"
#include "postgres/sqlstate.h"

namespace dormouse::postgres {
namespace {

std::string last_words(const PGconn* connection) {
    std::string text = PQerrorMessage(connection);
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (char& c : text)
        if (c == '\n' || c == '\t') c = ' ';
    return text;
}

}  // namespace

Session::Session(loop::Loop& loop, ConnectionPtr connection, Events events)
    : loop_(loop),
      connection_(std::move(connection)),
      events_(std::move(events)),
      deferred_loss_(loop, "session_lost") {
    PQsetnonblocking(connection_.get(), 1);
    PQenterPipelineMode(connection_.get());
    PQsetNoticeReceiver(connection_.get(), [](void*, const PGresult*) {}, nullptr);
    poll_ = std::make_unique<loop::Poll>(loop_, PQsocket(connection_.get()), "session");
    poll_->watch(loop::Poll::readable, [this](int) {
        on_ready();
        return loop::Poll::Did::something;  // libpq takes all that there is, or the session is lost
    });
}

std::string Session::host() const {
    const char* host = PQhost(connection_.get());
    return host == nullptr ? std::string() : host;
}

void Session::exchange(std::vector<Statement> statements, Done done) {
    if (lost_) return;
    Waiting& waiting = waiting_.emplace_back();
    waiting.done = std::move(done);
    for (const Statement& statement : statements) send(waiting, statement);
    crash_point("exchange.unfinished");
    if (PQpipelineSync(connection_.get()) != 1) lose("cannot send: " + last_words(connection_.get()));
    flush();
}

void Session::send(Waiting& waiting, const Statement& statement) {
    const auto values = statement.params.pointers();
    const auto lengths = statement.params.lengths();
    const auto formats = statement.params.formats();
    int sent = 1;
    if (statement.prepare) {
        auto known = prepared_.find(statement.sql);
        std::string name;
        if (known == prepared_.end()) {
            name = "dormouse_" + std::to_string(statements_sent_);
            sent &= PQsendPrepare(connection_.get(), name.c_str(), statement.sql, 0, nullptr);
            waiting.commands.emplace_back(Command::prepare, statement.sql);
            waiting.results.emplace_back();
            prepared_names_in_flight_.emplace_back(name);
        } else {
            name = known->second;
        }
        sent &= PQsendQueryPrepared(connection_.get(), name.c_str(), statement.params.count(), values.data(),
                                    lengths.data(), formats.data(), 1);
    } else {
        sent &= PQsendQueryParams(connection_.get(), statement.sql, statement.params.count(), nullptr, values.data(),
                                  lengths.data(), formats.data(), 1);
    }
    waiting.commands.emplace_back(Command::query, statement.sql);
    waiting.results.emplace_back();
    ++statements_sent_;
    if (sent != 1) lose("cannot send: " + last_words(connection_.get()));
}

void Session::on_ready() {
    if (PQconsumeInput(connection_.get()) != 1) {
        lose(last_words(connection_.get()));
        return;
    }
    take_notifications();
    take_results();
    if (!lost_ && PQstatus(connection_.get()) == CONNECTION_BAD) {
        lose(last_words(connection_.get()));
        return;
    }
    flush();
}

void Session::flush() {
    if (lost_) return;
    const int left = PQflush(connection_.get());
    if (left < 0) {
        lose(last_words(connection_.get()));
        return;
    }
    poll_->change(left > 0 ? loop::Poll::readable | loop::Poll::writable : loop::Poll::readable);
}

void Session::take_notifications() {
    while (!lost_) {  // whoever hears of the first may shut us
        const std::unique_ptr<PGnotify, decltype(&PQfreemem)> notification(PQnotifies(connection_.get()), PQfreemem);
        if (!notification) return;
        events_.on_notification(notification->relname, notification->extra);
    }
}

void Session::take_results() {
    // Between two commands libpq answers once with "no result": more than that means that it has nothing for us.
    for (int nothing = 0; nothing < 2 && !lost_ && !waiting_.empty() && PQisBusy(connection_.get()) == 0;) {
        Reply result(PQgetResult(connection_.get()));
        take_notifications();
        nothing = result.get() != nullptr ? 0 : nothing + 1;
        if (result.get() != nullptr && take_result(std::move(result))) {
            Waiting finished = std::move(waiting_.front());
            waiting_.pop_front();
            if (finished.error) {
                finished.done(tl::unexpected(*finished.error));
            } else {
                std::vector<Reply> answers;
                for (std::size_t i = 0; i < finished.commands.size(); ++i)
                    if (finished.commands[i].first == Command::query) answers.push_back(std::move(finished.results[i]));
                finished.done(std::move(answers));
            }
        }
    }
}

/// True when the exchange at the front of the line is complete.
bool Session::take_result(Reply result) {
    Waiting& waiting = waiting_.front();
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) return true;
    if (status == PGRES_FATAL_ERROR && !waiting.error) {
        waiting.error = Undone{from_result(result.get(), "the database refused a statement"), std::nullopt,
                               std::string(result.sqlstate()), is_of_a_function(result.get())};
        if (waiting.answered < waiting.commands.size())
            waiting.error->statement = std::count_if(
                waiting.commands.begin(), waiting.commands.begin() + static_cast<std::ptrdiff_t>(waiting.answered),
                [](const auto& command) { return command.first == Command::query; });
    }
    if (waiting.answered < waiting.commands.size()) {
        const auto [command, sql] = waiting.commands[waiting.answered];
        if (command == Command::prepare) {
            if (status == PGRES_COMMAND_OK) prepared_[sql] = prepared_names_in_flight_.front();
            prepared_names_in_flight_.pop_front();
        }
        waiting.results[waiting.answered] = std::move(result);
        ++waiting.answered;
    }
    return false;
}

void Session::shut() {
    lost_ = true;
    poll_.reset();
    deferred_loss_.stop();
}

void Session::lose(const std::string& what) {
    if (lost_) return;
    lost_ = true;
    poll_.reset();
    deferred_loss_.once(Millis{0}, [this, what] {
        const auto call = std::move(events_.on_lost);
        call(Error{ErrorKind::disconnected, "the session with the database was lost: " + what});
    });
}

}  // namespace dormouse::postgres
