// A worker whose log nobody reads goes on with its work: a pipe that is full, a journald that is stopped.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>

#include "support/foreground_worker.h"
#include "support/paths.h"

namespace worker_log {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr int runs = 60;  // a hundred lines each: more than a pipe or a queue of datagrams, and the log's own, take

const std::string talk = "[task.talk]\ncommand = [\"/bin/sh\", \"-c\", \"seq 100 >&2\"]\n";

struct Scene {
    TestDatabase database;
    TemporaryDirectory directory;
    PoolTasks tasks;

    Program worker(const std::string& redirection, std::map<std::string, std::string> environment) const {
        const std::string file = directory.path() + "/silent.toml";
        std::ofstream(file) << pool_toml(database.url(), {.worker = "concurrency = 4", .rest = talk}, tasks);
        return {{"/bin/sh", "-c", "exec \"$@\" " + redirection, "sh", dormouse_binary, "worker", "silent", "--config",
                 file, "--verbose"},
                {},
                std::move(environment),
                {},
                Millis{240'000}};
    }
    /// All of them, or how many were when it took too long.
    int completed() {
        const auto count = [&] {
            return std::stoi(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"));
        };
        const auto end = BootClock::now() + Millis{120'000};
        while (count() < runs && BootClock::now() < end) eventually([&] { return count() == runs; });
        return count();
    }
};

}  // namespace

}  // namespace worker_log

BOOST_FIXTURE_TEST_SUITE(worker_log, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_reads_does_not_stop_a_worker) {
    Process process(worker("", {}));  // its stderr is a pipe, and is not read from here on
    database.value("SELECT count(dormouse.enqueue('talk')) FROM generate_series(1, " + std::to_string(runs) + ")");
    BOOST_TEST(completed() == runs);
    BOOST_TEST(process.saw_error("lines of the log were lost: the reader of stderr did not read"));
    process.signal(SIGTERM);
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(ended.err.find("worker_pool_stopped") != std::string::npos);
}

#ifdef DORMOUSE_CRASH_POINTS  // elsewhere the journal's socket is the machine's
BOOST_AUTO_TEST_CASE(a_journald_that_does_not_read_does_not_stop_a_worker) {
    const std::string path = directory.path() + "/journal";
    const UniqueFd journal(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    BOOST_REQUIRE(::bind(journal.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);  // NOLINT
    struct stat null{};
    ::stat("/dev/null", &null);
    Process process(
        worker("2>/dev/null", {{"JOURNAL_STREAM", std::to_string(null.st_dev) + ":" + std::to_string(null.st_ino)},
                               {"DORMOUSE_JOURNAL_SOCKET", path}}));
    database.value("SELECT count(dormouse.enqueue('talk')) FROM generate_series(1, " + std::to_string(runs) + ")");
    BOOST_TEST(completed() == runs);

    const auto reads = [&](const std::string& what) {
        const auto end = BootClock::now() + Millis{60'000};
        std::array<char, 65'536> entry{};
        while (BootClock::now() < end) {
            pollfd readable{journal.get(), POLLIN, 0};
            ::poll(&readable, 1, 1'000);
            const ssize_t size = ::recv(journal.get(), entry.data(), entry.size(), 0);
            if (size > 0 &&
                std::string_view(entry.data(), static_cast<std::size_t>(size)).find(what) != std::string::npos)
                return true;
        }
        return false;
    };
    BOOST_TEST(reads("lines of the log were lost: journald did not read"));
    process.signal(SIGTERM);
    BOOST_TEST(reads("DORMOUSE_EVENT=worker_pool_stopped"));
    BOOST_TEST(process.wait().exit_code == 0);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
