// A blocking session for the command line and for tests: connect, ask, wait for a notification. Driven by one
// command from one thread. The worker must not use it: there nothing may block (connection.h).
#pragma once

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "postgres/result.h"

namespace dormouse::postgres {

struct Notification {
    std::string topic;  ///< of those that listen() was given; of another channel: the channel's name
    std::string payload;
};

struct BlockingOptions {
    std::string application_name = "dormouse";
    std::string passfile;            ///< empty: libpq's own search. The connection string's own comes first
    Millis connect_timeout{10'000};  ///< for each address; whole seconds, 2 at least
};

class BlockingConnection {
  public:
    /// A statement's parameters as text; the server infers their types, so the SQL casts where it matters.
    using Texts = std::vector<std::optional<std::string>>;

    /// Connects. `url` is a libpq URL or keyword string; what it says wins over the options. The session
    /// speaks UTF-8. Errors: invalid (the string cannot be read), disconnected, denied, transient. None holds
    /// the string or a password.
    static Result<BlockingConnection> open(const std::string& url, const BlockingOptions& options);

    /// Runs one statement. Errors: as sqlstate.h maps them, starting with `what`.
    Result<Reply> ask(const std::string& what, const std::string& sql, const Texts& parameters = {});
    /// Runs any number of statements; without BEGIN in it they are one transaction. Errors: as ask(); a
    /// syntax error comes with its line.
    Status script(const std::string& what, const std::string& sql);
    /// LISTENs to what is told of `topics` ("done", "queue:NAME", … as sql/migrations/0001_baseline/02_notify.sql has
    /// them). The session is not ended for idleness from then on. Where a pooler answers in the server's place (it
    /// shows another pid) nothing is done, as a LISTEN may become another client's.
    Status listen(const std::vector<std::string>& topics);
    /// There will be no notifications: wait() does so for a second at most.
    void look_each_second() { looks_each_second_ = true; }
    /// Waits for the next notification; nullopt when it is time to look again: `deadline` has passed (none: never), or
    /// a second, after look_each_second() or where listen() has found a pooler. Errors: disconnected.
    Result<std::optional<Notification>> wait(std::optional<BootClock::time_point> deadline);

    /// COPY … FROM STDIN: begin, then rows in whatever portions, then the end. After an error the COPY is over. Errors:
    /// as ask().
    Status begin_copy(const std::string& what, const std::string& sql);
    Status put_copy(const std::string& what, std::string_view rows);
    Status end_copy(const std::string& what);
    /// The row of the COPY that the last error is about, from 1; 0: about none.
    [[nodiscard]] std::int64_t copy_line() const { return copy_line_; }

    [[nodiscard]] PGconn* get() const { return connection_.get(); }

  private:
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    explicit BlockingConnection(PGconn* connection) : connection_(connection) {}
    Status copy_result(const std::string& what);

    bool looks_each_second_ = false;
    std::map<std::string, std::string> topic_of_;  ///< by the channel it is told on
    std::int64_t copy_line_ = 0;
    std::unique_ptr<PGconn, Finish> connection_;
};

}  // namespace dormouse::postgres
