// A guest whose thread cannot be made: the program is told, keeps its signals, and may try again.
#include <dormouse/worker.h>
#include <pthread.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

BOOST_AUTO_TEST_SUITE(embed_start)

using namespace std::chrono_literals;

namespace {

/// No thread can be made while it lives: its stack would be larger than what can be addressed.
class NoThreads {
  public:
    NoThreads() {
        ::pthread_getattr_default_np(&before_);
        pthread_attr_t huge;
        ::pthread_attr_init(&huge);
        ::pthread_attr_setstacksize(&huge, std::size_t{1} << 62U);
        BOOST_REQUIRE(::pthread_setattr_default_np(&huge) == 0);
        ::pthread_attr_destroy(&huge);
    }
    ~NoThreads() {
        ::pthread_setattr_default_np(&before_);
        ::pthread_attr_destroy(&before_);
    }
    NoThreads(const NoThreads&) = delete;
    NoThreads& operator=(const NoThreads&) = delete;

  private:
    pthread_attr_t before_{};
};

bool is_blocked(int signal) {
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    return ::sigismember(&blocked, signal) == 1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_thread_that_cannot_be_made_is_an_error_and_not_the_end) {
    std::string directory = (std::filesystem::temp_directory_path() / "dormouse-test.XXXXXX").string();
    BOOST_TEST_REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const std::string file = directory + "/guest.toml";
    std::ofstream(file) << "[database]\nurl = \"postgresql:///none?host=" + directory + "\"\n";
    dormouse::Worker worker{{.pool = "guest", .file = file, .log = [](const dormouse::LogEvent&) {}}};
    worker.task("nothing", [](dormouse::Run&) { return dormouse::Result::completed(); });
    for (int i = 0; i < 2; ++i) {
        const NoThreads none;
        BOOST_CHECK_EXCEPTION(worker.start(), std::exception, [](const std::exception& error) {
            BOOST_TEST_MESSAGE(error.what());
            return std::string(error.what()).find("no thread can be started") != std::string::npos;
        });
        BOOST_TEST(!is_blocked(SIGTERM));
        BOOST_TEST(!is_blocked(SIGINT));
        BOOST_TEST(worker.stop(5s));  // there is nothing to wait for
    }
    worker.start();
    BOOST_TEST(worker.stop(30s));
    BOOST_TEST(!is_blocked(SIGTERM));
    std::filesystem::remove_all(directory);
}

BOOST_AUTO_TEST_SUITE_END()
