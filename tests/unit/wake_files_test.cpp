// The two files between a worker and the helper that runs after it.
#include "systemd/wake_files.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(wake_files)

using namespace dormouse;
using namespace dormouse::systemd;

namespace {

struct Runtime {
    testing::TemporaryDirectory directory;
    Runtime() { std::filesystem::create_directory(directory.path() + "/p"); }
    [[nodiscard]] std::string due() const {
        std::ifstream file(directory.path() + "/p/due");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    int failures(const std::string& text) const {
        std::ofstream(directory.path() + "/p.failures") << text;
        return failures_in_a_row(directory.path(), "p");
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_due_file_holds_milliseconds_or_none) {
    const Runtime runtime;
    BOOST_TEST_REQUIRE(write_due_file(runtime.directory.path(), "p", Millis{1'500}).has_value());
    BOOST_TEST(runtime.due() == "1500\n");
    BOOST_TEST_REQUIRE(write_due_file(runtime.directory.path(), "p", Millis{-5}).has_value());
    BOOST_TEST(runtime.due() == "0\n");
    BOOST_TEST_REQUIRE(write_due_file(runtime.directory.path(), "p", std::nullopt).has_value());
    BOOST_TEST(runtime.due() == "none\n");
    remove_due_file(runtime.directory.path(), "p");
    BOOST_TEST(runtime.due() == "");
}

BOOST_AUTO_TEST_CASE(a_link_in_its_place_is_not_followed) {
    const Runtime runtime;
    const std::string target = runtime.directory.path() + "/target";
    std::filesystem::create_symlink(target, runtime.directory.path() + "/p/.due");
    BOOST_TEST_REQUIRE(write_due_file(runtime.directory.path(), "p", Millis{1}).has_value());
    BOOST_TEST(!std::filesystem::exists(target));
    BOOST_TEST(runtime.due() == "1\n");
}

BOOST_AUTO_TEST_CASE(what_a_handler_has_put_in_its_place_holds_up_nothing, *boost::unit_test::timeout(10)) {
    const Runtime runtime;
    const std::string beside = runtime.directory.path() + "/p/.due";
    BOOST_TEST_REQUIRE(::mkfifo(beside.c_str(), 0600) == 0);
    BOOST_TEST(write_due_file(runtime.directory.path(), "p", Millis{1}).has_value());
    std::filesystem::create_directory(beside);
    BOOST_TEST(write_due_file(runtime.directory.path(), "p", Millis{2}).has_value());
    const std::string elsewhere = runtime.directory.path() + "/elsewhere";
    std::ofstream(elsewhere) << "somebody's";
    std::filesystem::create_hard_link(elsewhere, beside);
    BOOST_TEST(write_due_file(runtime.directory.path(), "p", Millis{3}).has_value());
    BOOST_TEST(runtime.due() == "3\n");
    BOOST_TEST(std::filesystem::file_size(elsewhere) == 10U);
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_missing_is_an_error_with_its_path) {
    const auto written = write_due_file("/nonexistent", "p", Millis{1});
    BOOST_TEST_REQUIRE(!written.has_value());
    BOOST_TEST(written.error().message.find("/nonexistent/p") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(failures_are_a_number_or_nothing) {
    const Runtime runtime;
    BOOST_TEST(failures_in_a_row(runtime.directory.path(), "p") == 0);
    BOOST_TEST(runtime.failures("7\n") == 7);
    for (const char* bad : {"", "x", "-3", "7x", "99999999999999999999"}) BOOST_TEST(runtime.failures(bad) == 0);
}

BOOST_AUTO_TEST_CASE(the_first_connect_comes_later_and_later_after_crashes) {
    BOOST_TEST(first_connect_delay(0).count() == 0);
    BOOST_TEST(first_connect_delay(2).count() == 0);
    BOOST_TEST(first_connect_delay(3).count() == 1'000);
    BOOST_TEST(first_connect_delay(4).count() == 2'000);
    BOOST_TEST(first_connect_delay(1'000'000).count() == 300'000);
}

BOOST_AUTO_TEST_SUITE_END()
