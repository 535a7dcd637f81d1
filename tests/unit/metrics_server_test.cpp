// GET /metrics from clients of all kinds: none holds up another for long, none costs more than a bound.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <optional>

#include "loop/timer.h"
#include "metrics/server.h"
#include "support/cluster.h"

namespace metrics_server {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Scene {
    TemporaryDirectory directory;
    std::string path = directory.path() + "/metrics.sock";
    loop::Loop loop;
    loop::Timer deadline{loop, "test.deadline"};
    int asked = 0;
    std::string body = "dormouse_claims_total{pool=\"mail\"} 1\n";
    std::optional<metrics::Server> server;

    Scene() {
        server.emplace(loop, [this] { return ++asked, body; });
        BOOST_REQUIRE(server->listen(path).has_value());
        deadline.once(Millis{30'000}, [] {});
    }
    [[nodiscard]] UniqueFd connect() const {
        UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) client.reset();
        return client;
    }
    /// All that comes until the server hangs up.
    std::string rest(const UniqueFd& client) {
        std::string text;
        std::array<char, 65'536> some{};
        while (deadline.armed()) {
            const ssize_t count = ::recv(client.get(), some.data(), some.size(), MSG_DONTWAIT);
            if (count > 0) text.append(some.data(), static_cast<std::size_t>(count));
            if (count == 0 || (count < 0 && errno != EAGAIN)) break;
            if (count < 0) loop.turn();
        }
        return text;
    }
    std::string ask(const std::string& request) {
        const UniqueFd client = connect();
        BOOST_REQUIRE(::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL) > 0);
        return rest(client);
    }
};

}  // namespace

}  // namespace metrics_server

BOOST_FIXTURE_TEST_SUITE(metrics_server, Scene)

BOOST_AUTO_TEST_CASE(a_request_gets_the_metrics_and_others_get_why_not) {
    const std::string answer = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(answer.starts_with("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    BOOST_TEST(answer.ends_with("\r\n\r\n" + body));
    BOOST_TEST(ask("GET /metrics?x=1 HTTP/1.0\n\n").starts_with("HTTP/1.0 200 "));
    BOOST_TEST(ask("HEAD /metrics HTTP/1.0\r\n\r\n").ends_with("\r\n\r\n"));
    BOOST_TEST(asked == 3);
    BOOST_TEST(ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 404 "));
    BOOST_TEST(ask("GET /metrics/../../etc/passwd HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 404 "));
    BOOST_TEST(ask("POST /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 405 "));
    for (const char* const nonsense : {"\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "\x16\x03\x01\n\n", " \n\n"})
        BOOST_TEST(ask(nonsense).starts_with("HTTP/1.0 400 "), nonsense);
    BOOST_TEST(asked == 3);
}

BOOST_AUTO_TEST_CASE(a_request_may_come_byte_by_byte_and_not_without_end) {
    const UniqueFd client = connect();
    for (const char c : std::string("GET /metrics HTTP/1.0\r\n\r\n")) {
        BOOST_REQUIRE(::send(client.get(), &c, 1, MSG_NOSIGNAL) == 1);
        loop.turn(false);
    }
    BOOST_TEST(rest(client).starts_with("HTTP/1.0 200 "));
    const std::string endless(metrics::Server::most_request_bytes, 'x');
    BOOST_TEST(ask(endless).starts_with("HTTP/1.0 413 "));
}

BOOST_AUTO_TEST_CASE(silent_clients_are_gone_after_a_while_and_whoever_waits_behind_them_is_served) {
    std::vector<UniqueFd> silent;
    for (std::size_t i = 0; i < metrics::Server::most_connections; ++i) {
        silent.push_back(connect());
        BOOST_TEST_REQUIRE(silent.back().valid());
    }
    const auto start = BootClock::now();
    BOOST_TEST(ask("GET /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 "));
    BOOST_TEST((since(start) >= metrics::Server::longest_connection - Millis{100}));
    for (const UniqueFd& one : silent) BOOST_TEST(rest(one).empty());
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_is_given_up_and_the_loop_is_free_meanwhile) {
    body.assign(8 << 20, '#');
    const UniqueFd greedy = connect();
    const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
    BOOST_REQUIRE(::send(greedy.get(), request.data(), request.size(), MSG_NOSIGNAL) > 0);
    while (asked == 0) loop.turn();
    const std::string other = ask(request);
    BOOST_TEST(other.size() > body.size());
    const auto armed = [&] { return loop.armed_timers().size() > 1; };
    while (deadline.armed() && armed()) loop.turn();
    BOOST_TEST(deadline.armed());
    BOOST_TEST(rest(greedy).size() < body.size());
}

BOOST_AUTO_TEST_CASE(without_clients_there_is_no_timer_and_the_end_takes_the_socket_away) {
    BOOST_TEST(ask("GET /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 "));
    BOOST_TEST(loop.armed_timers() == std::vector<std::string>{"test.deadline"}, boost::test_tools::per_element());
    const UniqueFd client = connect();
    loop.turn(false);
    server.reset();
    BOOST_TEST(::access(path.c_str(), F_OK) != 0);
    BOOST_TEST(!connect().valid());
}

BOOST_AUTO_TEST_CASE(the_socket_of_a_killed_worker_is_replaced_and_nobody_elses) {
    metrics::Server second(loop, [] { return std::string(); });
    const auto taken = second.listen(path);
    BOOST_TEST(!taken.has_value());
    const std::string left = directory.path() + "/left.sock";
    {
        const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        left.copy(address.sun_path, sizeof address.sun_path - 1);
        BOOST_REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    BOOST_TEST(second.listen(left).has_value());
    const std::string file = directory.path() + "/file";
    std::ofstream(file) << "somebody's";
    metrics::Server third(loop, [] { return std::string(); });
    BOOST_TEST(!third.listen(file).has_value());
    BOOST_TEST(::access(file.c_str(), F_OK) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
