// Connections as they go wrong: dead addresses, silence, names that do not resolve, service and password files. No
// error holds a password.
#include "postgres/connector.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <map>

#include "loop/timer.h"
#include "postgres/target.h"
#include "support/cluster.h"
#include "support/proxy_tcp.h"

BOOST_AUTO_TEST_SUITE(connector, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using postgres::ConnectionPtr;

namespace {

struct Attempt {
    Result<ConnectionPtr> result = tl::unexpected(Error{ErrorKind::internal, "no answer"});
    Millis took{0};

    [[nodiscard]] std::string error() const { return result ? "" : result.error().message; }
};

Attempt try_target(postgres::Target target, Millis deadline = Millis{5'000}) {
    loop::Loop loop;
    Attempt attempt;
    bool over = false;
    const auto start = BootClock::now();
    {
        loop::Timer too_long(loop, "too_long");
        too_long.once(Millis{30'000}, [&] { over = true; });
        const postgres::Connector connector(loop, std::move(target), deadline, [&](Result<ConnectionPtr> result) {
            attempt.result = std::move(result);
            over = true;
        });
        while (!over) loop.turn();
    }
    attempt.took = since(start);
    return attempt;
}

Attempt try_url(const std::string& url, Millis deadline = Millis{5'000}, const std::string& passfile = "") {
    auto target = postgres::parse_target(url, passfile);
    if (!target) return Attempt{tl::unexpected(target.error()), Millis{0}};
    return try_target(std::move(*target), deadline);
}

/// Takes connections (the kernel does) and never says a word.
struct Silent {
    UniqueFd listener;
    int port = 0;

    Silent() : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        BOOST_TEST_REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
        BOOST_TEST_REQUIRE(::listen(listener.get(), 8) == 0);
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
    }
};

Cluster& with_tcp() {
    static Cluster cluster({.tcp = true, .fsync = false, .settings = {}});
    return cluster;
}

std::string port_of(const Cluster& cluster) {
    return std::to_string(cluster.port());
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_unix_socket_is_reached) {
    const TestDatabase database;
    BOOST_TEST(try_url(database.url()).error() == "");
}

BOOST_AUTO_TEST_CASE(a_name_is_tried_at_every_address_of_both_families) {
    // The server listens on ::1 and 127.0.0.1; a wrong address of either family in front does not matter.
    const Cluster& cluster = with_tcp();
    postgres::Target target = postgres::parse_target(cluster.tcp_url("postgres"), "").value();
    const std::string port = port_of(cluster);
    for (const char* last : {"127.0.0.1", "::1"}) {
        target.places = {
            {"localhost", "127.0.0.2", port}, {"localhost", "::ffff:127.0.0.3", port}, {"localhost", last, port}};
        BOOST_TEST(try_target(target).error() == "");
    }
    BOOST_TEST(
        try_url("postgresql://with_password:" + std::string(password) + "@localhost:" + port + "/postgres").error() ==
        "");
}

// Else libpq would resolve it, and the loop would wait for that.
BOOST_AUTO_TEST_CASE(libpq_is_handed_the_address_of_a_name_and_resolves_nothing) {
    const Cluster& cluster = with_tcp();
    const auto attempt =
        try_url("postgresql://with_password:" + std::string(password) + "@localhost:" + port_of(cluster) + "/postgres");
    BOOST_TEST_REQUIRE(attempt.error() == "");
    std::map<std::string, std::string> given;
    PQconninfoOption* const options = PQconninfo(attempt.result->get());
    BOOST_TEST_REQUIRE(options != nullptr);
    for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option)
        if (option->val != nullptr) given[option->keyword] = option->val;
    PQconninfoFree(options);
    BOOST_TEST(given["host"] == "localhost");  // certificates are for names
    BOOST_TEST((given["hostaddr"] == "127.0.0.1" || given["hostaddr"] == "::1"), given["hostaddr"]);
}

BOOST_AUTO_TEST_CASE(an_address_that_never_answers_has_its_own_deadline_and_the_next_one_is_tried) {
    const Cluster& cluster = with_tcp();
    const Silent silent;
    postgres::Target target = postgres::parse_target(cluster.tcp_url("postgres"), "").value();
    target.places.insert(target.places.begin(), {{"", "127.0.0.1", std::to_string(silent.port)},
                                                 {"", "127.0.0.1", std::to_string(silent.port)}});
    const Attempt attempt = try_target(target, Millis{400});
    BOOST_TEST(attempt.error() == "");
    BOOST_TEST(attempt.took.count() >= 780);
    BOOST_TEST_MESSAGE("two silent addresses, 400 ms for each: " << attempt.took.count() << " ms");
}

BOOST_AUTO_TEST_CASE(silence_is_named_with_its_place_and_its_option) {
    const Silent silent;
    const Attempt attempt =
        try_url("postgresql://u:geheim@127.0.0.1:" + std::to_string(silent.port) + "/d", Millis{200});
    BOOST_TEST(attempt.error().find(std::to_string(silent.port)) != std::string::npos);
    BOOST_TEST(attempt.error().find("database.connect_timeout") != std::string::npos);
    BOOST_TEST(attempt.error().find("geheim") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_name_that_does_not_resolve_is_named) {
    const Attempt attempt = try_url("postgresql://u:geheim@no-such-host.invalid/d", Millis{10'000});
    BOOST_TEST(attempt.error().find("no-such-host.invalid") != std::string::npos, attempt.error());
    BOOST_TEST(attempt.error().find("geheim") == std::string::npos);
    BOOST_TEST(!try_url("postgresql://u@" + std::string(300, 'x') + "/d").result.has_value());
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_denied_and_not_repeated) {
    const Cluster& cluster = with_tcp();
    const Attempt attempt = try_url("postgresql://with_password:geheim@127.0.0.1:" + port_of(cluster) + "/postgres");
    BOOST_TEST_REQUIRE(!attempt.result.has_value());
    BOOST_TEST((attempt.result.error().kind == ErrorKind::denied));
    BOOST_TEST(attempt.error().find("geheim") == std::string::npos);
    const Attempt none = try_url("postgresql://with_password@127.0.0.1:" + port_of(cluster) + "/postgres");
    BOOST_TEST((none.result.error().kind == ErrorKind::denied));
    BOOST_TEST(none.error().find("?passfile=FILE") != std::string::npos, none.error());
    BOOST_TEST(attempt.error().find("passfile") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_not_there_is_incompatible) {
    const Attempt attempt = try_url(Cluster::shared().url("nowhere"));
    BOOST_TEST_REQUIRE(!attempt.result.has_value());
    BOOST_TEST((attempt.result.error().kind == ErrorKind::incompatible));
}

BOOST_AUTO_TEST_CASE(a_passfile_opens) {
    const Cluster& cluster = with_tcp();
    const TemporaryDirectory directory;
    const std::string passfile = directory.path() + "/pgpass";
    std::ofstream(passfile) << "127.0.0.1:*:*:with_password:" << password << "\n";
    ::chmod(passfile.c_str(), 0600);
    const std::string url = "postgresql://with_password@127.0.0.1:" + port_of(cluster) + "/postgres";
    BOOST_TEST(try_url(url, Millis{5'000}, passfile).error() == "");
    BOOST_TEST(!try_url(url).result.has_value());
}

BOOST_AUTO_TEST_CASE(a_service_file_is_read_and_leaves_no_trace) {
    const Cluster& cluster = Cluster::shared();
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/services";
    std::ofstream(file) << "[here]\nhost=" << cluster.socket_directory() << "\nport=" << cluster.port()
                        << "\ndbname=postgres\nuser=postgres\n";
    ::setenv("PGSERVICEFILE", file.c_str(), 1);
    BOOST_TEST(try_url("service=here").error() == "");
    BOOST_TEST(std::getenv("PGSERVICE") == nullptr);
    BOOST_TEST(try_url("service=there").error().find("\"there\"") != std::string::npos);
    const auto target = postgres::parse_target("service=here user=other", "");
    BOOST_TEST(target->places.at(0).host == cluster.socket_directory());
    BOOST_TEST(target->options.at("user") == "other");
    BOOST_TEST(target->options.at("gssencmode") == "disable");
    const auto plain = postgres::parse_target("dbname=other", "");
    BOOST_TEST(plain->places.at(0).host == "");
    ::unsetenv("PGSERVICEFILE");
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_cut_while_it_is_made_is_an_error) {
    ProxyTcp proxy(Cluster::shared().socket_directory(), Cluster::shared().port());
    proxy.hold_answers();
    loop::Loop loop;
    std::optional<Result<ConnectionPtr>> got;
    {
        const postgres::Connector connector(loop, postgres::parse_target(proxy.url("postgres"), "").value(),
                                            Millis{10'000},
                                            [&](Result<ConnectionPtr> result) { got = std::move(result); });
        while (proxy.held() == 0) loop.turn(false);
        proxy.cut();
        while (!got) loop.turn();
    }
    BOOST_TEST(!got->has_value());
    got.reset();
}

BOOST_AUTO_TEST_SUITE_END()
