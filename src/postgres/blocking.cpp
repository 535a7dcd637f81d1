#include "postgres/blocking.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "base/utf8.h"
#include "postgres/engine.h"
#include "postgres/sqlstate.h"
#include "postgres/tls.h"
#include "sql/embedded.h"

namespace dormouse::postgres {

namespace {

std::string at_line(const PGresult* result, const std::string& sql) {
    const char* const position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    if (position == nullptr) return {};
    const auto characters = std::strtoul(position, nullptr, 10);
    std::size_t bytes = 0;
    for (std::size_t seen = 0; bytes < sql.size(); ++bytes) {
        if (!utf8::continues(sql[bytes]) && ++seen == characters) break;
    }
    return ", line " +
           std::to_string(1 + std::count(sql.begin(), sql.begin() + static_cast<std::ptrdiff_t>(bytes), '\n'));
}

Error with_tls_hint(Error error) {
    error.message += tls_hint(error.message);
    return error;
}

int remaining_ms(std::optional<BootClock::time_point> deadline) {
    if (!deadline) return -1;
    const auto left = std::chrono::ceil<Millis>(*deadline - BootClock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

}  // namespace

Result<BlockingConnection> BlockingConnection::open(const std::string& url, const BlockingOptions& options) {
    const auto target = parse_target(url, options.passfile);
    if (!target) return tl::unexpected(target.error());
    const std::string sslmode = sslmode_of(*target);
    const std::string require_auth = require_auth_of(*target);
    const std::string seconds =
        std::to_string(std::max<std::int64_t>(2, (options.connect_timeout.count() + 999) / 1000));
    // Of two equal keywords the later counts, so what the string says wins.
    const std::array keywords{"connect_timeout",
                              "application_name",
                              "gssencmode",
                              "client_encoding",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "passfile",
                              "dbname",
                              "sslmode",
                              require_auth.empty() ? nullptr : "require_auth",
                              static_cast<const char*>(nullptr)};
    const std::array values{seconds.c_str(),
                            options.application_name.c_str(),
                            "disable",
                            "UTF8",
                            "30",
                            "10",
                            "3",
                            "30000",
                            options.passfile.c_str(),
                            url.c_str(),
                            sslmode.c_str(),
                            require_auth.c_str(),
                            static_cast<const char*>(nullptr)};
    BlockingConnection connection(PQconnectdbParams(keywords.data(), values.data(), 1));
    if (PQstatus(connection.get()) != CONNECTION_OK)
        return tl::unexpected(with_tls_hint(from_connection(connection.get(), "database")));
    if (!require_version(PQserverVersion(connection.get()))) {
        const auto version = connection.ask("what server this is", "SELECT pg_catalog.version()");
        return fail(ErrorKind::incompatible,
                    unfit_server(version ? version->text(0, 0) : "Postgres", PQserverVersion(connection.get())));
    }
    PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
    return connection;
}

Result<Reply> BlockingConnection::ask(const std::string& what, const std::string& sql, const Texts& parameters) {
    std::vector<const char*> values;
    for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
    Reply reply(
        PQexecParams(get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0));
    if (reply.ok()) return reply;
    if (PQstatus(get()) != CONNECTION_OK && reply.sqlstate().empty())
        return tl::unexpected(from_connection(get(), what));
    return tl::unexpected(from_result(reply.get(), what));
}

Status BlockingConnection::script(const std::string& what, const std::string& sql) {
    const Reply reply(PQexec(get(), sql.c_str()));
    if (reply.ok()) return {};
    if (PQstatus(get()) != CONNECTION_OK && reply.sqlstate().empty())
        return tl::unexpected(from_connection(get(), what));
    return tl::unexpected(from_result(reply.get(), what + at_line(reply.get(), sql)));
}

Status BlockingConnection::begin_copy(const std::string& what, const std::string& sql) {
    copy_line_ = 0;
    const Reply reply(PQexec(get(), sql.c_str()));
    if (PQresultStatus(reply.get()) == PGRES_COPY_IN) return {};
    if (PQstatus(get()) != CONNECTION_OK && reply.sqlstate().empty())
        return tl::unexpected(from_connection(get(), what));
    return tl::unexpected(from_result(reply.get(), what));
}

Status BlockingConnection::put_copy(const std::string& what, std::string_view rows) {
    if (rows.empty()) return {};
    // what the server has to say about earlier rows is heard before more are sent
    const bool alive = PQconsumeInput(get()) == 1;
    if (alive && PQputCopyData(get(), rows.data(), static_cast<int>(rows.size())) == 1) return {};
    if (PQstatus(get()) != CONNECTION_OK) return tl::unexpected(from_connection(get(), what));
    Status status = copy_result(what);
    return status ? fail(ErrorKind::internal, what + ": the server took no more rows") : status;
}

Status BlockingConnection::end_copy(const std::string& what) {
    PQputCopyEnd(get(), nullptr);
    return copy_result(what);
}

/// "COPY runs, line 17, column payload: …" is in the context of an error about a row.
Status BlockingConnection::copy_result(const std::string& what) {
    Status status;
    while (PGresult* const result = PQgetResult(get())) {
        const Reply reply(result);
        if (reply.ok() || !status) continue;
        const char* const context = PQresultErrorField(result, PG_DIAG_CONTEXT);
        const std::string said = context == nullptr ? "" : context;
        constexpr std::string_view mark = ", line ";
        const auto copy = said.rfind("COPY ");  // the last one: what a column's own parser says comes before it
        if (const auto at = copy == std::string::npos ? copy : said.find(mark, copy); at != std::string::npos)
            copy_line_ = std::strtoll(said.c_str() + at + mark.size(), nullptr, 10);
        status = PQstatus(get()) != CONNECTION_OK && reply.sqlstate().empty()
                     ? Status(tl::unexpected(from_connection(get(), what)))
                     : Status(tl::unexpected(from_result(result, what)));
    }
    return status;
}

Status BlockingConnection::listen(const std::vector<std::string>& topics) {
    const auto backend = ask("LISTEN", "SELECT pg_catalog.pg_backend_pid()");
    if (!backend) return tl::unexpected(backend.error());
    if (backend->integer(0, 0) != PQbackendPID(get())) {
        look_each_second();
        return {};
    }
    if (const Status status = script("LISTEN", "SET idle_session_timeout = 0"); !status) return status;
    for (const std::string& topic : topics) {
        const auto channel = ask("LISTEN", sql::cli::listen, {topic});
        if (!channel) return tl::unexpected(channel.error());
        topic_of_[std::string(channel->text(0, 0))] = topic;
    }
    return {};
}

Result<std::optional<Notification>> BlockingConnection::wait(std::optional<BootClock::time_point> deadline) {
    if (looks_each_second_) {
        const auto look = BootClock::now() + std::chrono::seconds(1);
        deadline = deadline ? std::min(*deadline, look) : look;
    }
    while (true) {
        // first what has come already, also with the answer to another statement
        if (PQconsumeInput(get()) != 1) return tl::unexpected(from_connection(get(), "waiting for a notification"));
        if (PGnotify* const notify = PQnotifies(get()); notify != nullptr) {
            const auto known = topic_of_.find(notify->relname);
            Notification notification{known == topic_of_.end() ? notify->relname : known->second, notify->extra};
            PQfreemem(notify);
            return notification;
        }
        if (PQstatus(get()) != CONNECTION_OK)
            return tl::unexpected(from_connection(get(), "waiting for a notification"));
        const int left = remaining_ms(deadline);
        if (left == 0) return std::nullopt;
        pollfd descriptor{PQsocket(get()), POLLIN, 0};
        if (::poll(&descriptor, 1, left) < 0 && errno != EINTR) return tl::unexpected(from_errno(errno, "poll"));
    }
}

}  // namespace dormouse::postgres
