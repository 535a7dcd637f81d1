// A TCP port of the loopback that leads to a Postgres's unix socket, and can count, hold back, lose and cut what
// passes. It stands between a worker and its database in tests of silence, of lost answers and of a network that goes
// away. Runs on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace dormouse::testing {

class ProxyTcp {
  public:
    /// Leads to the server whose socket is DIRECTORY/.s.PGSQL.PORT. `before_connect` is called, on a thread of the
    /// proxy's, before each connection is passed on.
    ProxyTcp(const std::string& socket_directory, int port, std::function<void()> before_connect = {});
    ~ProxyTcp();
    ProxyTcp(const ProxyTcp&) = delete;
    ProxyTcp& operator=(const ProxyTcp&) = delete;

    [[nodiscard]] int port() const { return port_; }
    /// postgresql://postgres@127.0.0.1:PORT/DATABASE
    [[nodiscard]] std::string url(const std::string& database) const;
    /// Both ways together, as far as it was passed on.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    /// When that happened last.
    [[nodiscard]] BootClock::time_point last_passed() const {
        return BootClock::time_point{BootClock::duration{last_passed_.load()}};
    }
    [[nodiscard]] int connections() const { return connections_; }
    /// Keeps what the server says from now on; let_go() passes it on.
    void hold_answers();
    void let_go();
    /// What the server has said and was held back.
    [[nodiscard]] std::uint64_t held() const { return held_; }
    /// Says the second for the first in each answer; both are equally long. Before the first connection.
    void say_instead(std::string what, std::string instead) { said_ = {std::move(what), std::move(instead)}; }
    /// A connection on which one side says more than that without the other passes nothing from there on, as if that
    /// took too long.
    void carry_at_most(std::uint64_t bytes) { at_most_ = bytes; }
    /// Ends every connection; what was held back is lost. New connections are taken.
    void cut();
    /// What a client says for the nth time from now on (1: the next) ends every connection as cut() does: before the
    /// server hears of it, or once the server has answered, which the client never hears.
    void cut_at(int nth, bool heard);
    /// How often clients have said something.
    [[nodiscard]] int said() const { return questions_; }
    /// Half-open: from now on bytes are taken and lost, in both directions, and connections stay; new ones too.
    void swallow();
    /// As cut(), and each new connection is ended as well.
    void refuse();
    /// After swallow() or refuse(): bytes pass again. Connections that have lost some end.
    void pass();

  private:
    struct Pair;
    enum class Mode { pass, swallow, refuse };
    void turn(Mode mode);
    void run();
    void passed(std::size_t bytes);
    bool is_stuck(Pair& pair, std::size_t said, std::size_t answered) const;
    bool is_cut(Pair& pair, const std::string& question, const std::string& answer);
    void nudge() const;

    std::function<void()> before_connect_;
    std::pair<std::string, std::string> said_;
    std::string server_path_;
    int port_ = 0;
    UniqueFd listener_;
    UniqueFd nudge_;
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<BootClock::rep> last_passed_{BootClock::now().time_since_epoch().count()};
    std::atomic<std::uint64_t> held_{0};
    std::atomic<std::uint64_t> at_most_{UINT64_MAX};
    std::atomic<int> connections_{0};
    std::atomic<int> questions_{0};
    std::atomic<int> cut_at_{0};
    std::atomic<bool> cut_is_heard_{false};
    std::atomic<bool> holding_{false};
    std::atomic<int> cuts_{0};
    std::atomic<Mode> mode_{Mode::pass};
    std::atomic<bool> over_{false};
    std::thread thread_;
};

}  // namespace dormouse::testing
