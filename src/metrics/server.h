// GET /metrics by HTTP/1.0, for whoever may reach the socket: one request a connection, a few connections at once, each
// with a deadline and a bound on what it may send. It takes no file and no argument from a client. Nobody waits for a
// client: it is served as far as it reads, and gone with the worker.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "loop/loop.h"
#include "loop/poll.h"
#include "loop/timer.h"

namespace dormouse::metrics {

/// What is answered to a whole request head; `body` is called if it is wanted.
std::string answer_to(const std::string& head, const std::function<std::string()>& body);

class Server {
  public:
    static constexpr std::size_t most_connections = 8;
    static constexpr std::size_t most_request_bytes = 4'096;
    static constexpr Millis longest_connection{5'000};

    Server(loop::Loop& loop, std::function<std::string()> body);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// At a unix socket's path or ADDRESS:PORT. A socket that nobody listens at any more is replaced. Errors: invalid
    /// (somebody else listens there, or something else lies there), or from the system.
    Status listen(const std::string& address);

  private:
    struct Connection {
        Connection(loop::Loop& loop, UniqueFd socket);
        UniqueFd socket;
        loop::Poll poll;
        loop::Timer deadline;
        std::string in;
        std::string out;
    };
    using Connections = std::list<std::unique_ptr<Connection>>;

    loop::Poll::Did accept();
    loop::Poll::Did on_readable(Connection& connection);
    loop::Poll::Did on_writable(Connection& connection);
    loop::Poll::Did drop(Connection& connection);
    void watch();

    loop::Loop& loop_;
    std::function<std::string()> body_;
    std::string path_;  ///< of the socket that we have made
    UniqueFd listener_;
    std::unique_ptr<loop::Poll> poll_;
    loop::Timer pause_;  ///< no descriptor was left
    Connections connections_;
};

}  // namespace dormouse::metrics
