// Ringing a unix socket: never blocks, never lies.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "support/cluster.h"
#include "systemd/ring.h"

BOOST_AUTO_TEST_SUITE(systemd_ring)

using namespace dormouse;
using dormouse::systemd::ring;

namespace {

UniqueFd listener(const std::string& path, int backlog) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    BOOST_REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_REQUIRE(::listen(socket.get(), backlog) == 0);
    return socket;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_ring_is_one_connection_that_is_closed_at_once) {
    const testing::TemporaryDirectory directory;
    const UniqueFd bell = listener(directory.path() + "/pool.sock", 8);
    BOOST_TEST(ring(directory.path() + "/pool.sock").has_value());
    const UniqueFd caller(::accept(bell.get(), nullptr, nullptr));
    BOOST_REQUIRE(caller.valid());
    char byte = 0;
    BOOST_TEST(::read(caller.get(), &byte, 1) == 0);
    BOOST_TEST(::accept(bell.get(), nullptr, nullptr) == -1);
}

BOOST_AUTO_TEST_CASE(a_doorbell_that_is_full_of_rings_is_rung_and_does_not_block) {
    const testing::TemporaryDirectory directory;
    const UniqueFd bell = listener(directory.path() + "/pool.sock", 2);
    const auto start = BootClock::now();
    for (int i = 0; i < 100; ++i) BOOST_TEST(ring(directory.path() + "/pool.sock").has_value());
    BOOST_TEST_MESSAGE("100 rings at a full doorbell: " << since(start).count() << " ms");
}

BOOST_AUTO_TEST_CASE(nobody_there_is_an_error_that_names_the_socket) {
    const testing::TemporaryDirectory directory;
    const std::string path = directory.path() + "/pool.sock";
    const Status missing = ring(path);
    BOOST_REQUIRE(!missing);
    BOOST_TEST((missing.error().kind == ErrorKind::disconnected));
    BOOST_TEST(missing.error().message.find(path) == 0U);
    listener(path, 1).reset();  // the file stays, nobody listens
    BOOST_TEST(!ring(path).has_value());
    std::ofstream(directory.path() + "/file") << "x";
    BOOST_TEST(!ring(directory.path() + "/file").has_value());
}

BOOST_AUTO_TEST_CASE(a_path_that_fits_no_socket_is_refused_not_cut) {
    const Status status = ring("/" + std::string(200, 'a'));
    BOOST_REQUIRE(!status);
    BOOST_TEST((status.error().kind == ErrorKind::invalid));
}

BOOST_AUTO_TEST_SUITE_END()
