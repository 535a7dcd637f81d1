// Ringing over TCP: what is read as an address, every address is tried, and nothing takes longer than it may.
#include "systemd/ring_tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include "base/unique_fd.h"

BOOST_AUTO_TEST_SUITE(ring_tcp)

using namespace dormouse;
using namespace dormouse::systemd;

namespace {

struct Bell {
    UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    std::string port;

    Bell() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        BOOST_REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
        BOOST_REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port = std::to_string(ntohs(address.sin_port));
    }
    void listen(int backlog = 8) const { BOOST_REQUIRE(::listen(socket.get(), backlog) == 0); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(host_and_port_are_read) {
    for (const std::string text :
         {"db.example:7300", "10.0.0.7:1", "[::1]:65535", "[fe80::1%eth0]:7300", "localhost:80"}) {
        const auto endpoint = parse_endpoint(text);
        BOOST_REQUIRE_MESSAGE(endpoint, text);
        BOOST_TEST(to_string(*endpoint) == text);
    }
    BOOST_TEST(parse_endpoint("[::1]:7300")->host == "::1");
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused_with_an_example) {
    for (const std::string text : {"",         ":",          "host",      "host:",     ":7300",
                                   "host:0",   "host:65536", "host:-1",   "host:http", "host:7 ",
                                   "::1:7300", "[::1]",      "[::1:7300", "::1]:7300", "[host]:7300",
                                   "[]:7300",  "a b:1",      "/run/x:1",  "u@h:1",     "host:99999999999999999999"}) {
        const auto endpoint = parse_endpoint(text);
        BOOST_REQUIRE_MESSAGE(!endpoint, text);
        BOOST_TEST((endpoint.error().kind == ErrorKind::invalid));
        BOOST_TEST(endpoint.error().message.find("HOST:PORT") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_ring_is_one_connection) {
    const Bell bell;
    bell.listen();
    BOOST_TEST(systemd::ring_tcp({"127.0.0.1", bell.port}, Millis{5'000}).has_value());
    BOOST_TEST(UniqueFd(::accept(bell.socket.get(), nullptr, nullptr)).valid());
    BOOST_TEST(!UniqueFd(::accept(bell.socket.get(), nullptr, nullptr)).valid());
}

BOOST_AUTO_TEST_CASE(every_address_of_a_name_is_tried) {
    const Bell bell;  // on IPv4 alone; localhost may be ::1 first
    bell.listen();
    BOOST_TEST(systemd::ring_tcp({"localhost", bell.port}, Millis{5'000}).has_value());
}

BOOST_AUTO_TEST_CASE(nobody_there_is_an_error_that_names_the_address) {
    const Bell bell;  // bound, and does not listen
    const Status rung = systemd::ring_tcp({"127.0.0.1", bell.port}, Millis{5'000});
    BOOST_REQUIRE(!rung);
    BOOST_TEST((rung.error().kind == ErrorKind::disconnected));
    BOOST_TEST(rung.error().message == "127.0.0.1:" + bell.port + " (127.0.0.1 Connection refused)");
}

BOOST_AUTO_TEST_CASE(one_that_does_not_answer_is_given_up_in_time) {
    const Bell bell;
    bell.listen(0);
    std::vector<UniqueFd> waiting;  // fill the queue: the kernel then drops what comes
    for (int i = 0; i < 4; ++i) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(bell.port)));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    const auto began = BootClock::now();
    const Status rung = systemd::ring_tcp({"127.0.0.1", bell.port}, Millis{300});
    BOOST_REQUIRE(!rung);
    BOOST_TEST(rung.error().message.find("no answer in time") != std::string::npos, rung.error().message);
    BOOST_TEST_MESSAGE("given up after " << since(began).count() << " ms (aim: 300)");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_none_is_an_error) {
    const Status rung = systemd::ring_tcp({"no-such-host.invalid", "7300"}, Millis{5'000});
    BOOST_REQUIRE(!rung);
    BOOST_TEST(rung.error().message.find("no-such-host.invalid:7300: ") == 0U, rung.error().message);
}

BOOST_AUTO_TEST_SUITE_END()
