// What dormouse-due takes from a file that the worker could have written, and what it makes of its command
// line.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/pool_name.h"
#include "base/unique_fd.h"
#include "systemd/due_file.h"
#include "systemd/due_options.h"
#include "systemd/due_tool.h"
#include "systemd/wake_files.h"

BOOST_AUTO_TEST_SUITE(due)

using namespace dormouse;
using namespace dormouse::systemd;
namespace fs = std::filesystem;

namespace {

/// A directory as the worker's, for one case.
struct Directory {
    Directory() {
        std::string name = (fs::temp_directory_path() / "dormouse-due-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
        fd.reset(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    ~Directory() { fs::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    void put(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }
    [[nodiscard]] bool has(const std::string& name) const { return fs::exists(fs::symlink_status(path / name)); }

    fs::path path;
    UniqueFd fd;
};

bool is_none(const Due& due) {
    return std::holds_alternative<NothingDue>(due);
}
bool is_unknown(const Due& due) {
    return std::holds_alternative<DueUnknown>(due);
}
long long delay_of(const Due& due) {
    const auto* in = std::get_if<DueIn>(&due);
    return in == nullptr ? -1 : static_cast<long long>(in->delay.count());
}

}  // namespace

BOOST_AUTO_TEST_CASE(none_and_milliseconds_are_understood) {
    BOOST_TEST(is_none(parse_due("none\n")));
    BOOST_TEST(is_none(parse_due("none")));
    BOOST_TEST(delay_of(parse_due("0\n")) == 0);
    BOOST_TEST(delay_of(parse_due("1500\n")) == 1500);
    BOOST_TEST(delay_of(parse_due("0000000000007")) == 7);
}

BOOST_AUTO_TEST_CASE(a_far_due_time_is_cut_to_366_days) {
    BOOST_TEST(delay_of(parse_due("31622400000")) == 31'622'400'000);
    BOOST_TEST(delay_of(parse_due("31622400001")) == 31'622'400'000);
    BOOST_TEST(delay_of(parse_due("18446744073709551615")) == 31'622'400'000);
}

BOOST_AUTO_TEST_CASE(anything_else_is_unknown) {
    for (const std::string text :
         {"", "\n", "soon", "-5000", "+5", " 5", "5 ", "5\n6", "5\n\n", "5.5", "5e3", "0x10", "none none", "NONE",
          "\n5", "18446744073709551616", "1000000000000000000000000000000", "٣"}) {
        BOOST_TEST(is_unknown(parse_due(text)), "'" << text << "' was believed");
    }
    BOOST_TEST(is_unknown(parse_due(std::string("5\0\n", 3))));
}

BOOST_AUTO_TEST_CASE(what_the_worker_writes_is_what_the_helper_takes_and_only_once) {
    const Directory directory;
    const std::string parent = directory.path.parent_path();
    const std::string pool = directory.path.filename();
    for (const long long delay : {0LL, 1LL, 86'400'000LL}) {
        BOOST_TEST(write_due_file(parent, pool, Millis(delay)).has_value());
        BOOST_TEST(delay_of(take_due(directory.fd.get())) == delay);
        BOOST_TEST(is_unknown(take_due(directory.fd.get())));
    }
    BOOST_TEST(write_due_file(parent, pool, std::nullopt).has_value());
    BOOST_TEST(is_none(take_due(directory.fd.get())));
}

BOOST_AUTO_TEST_CASE(a_due_time_in_the_past_or_thousands_of_years_away_is_written_so_that_it_is_taken) {
    const Directory directory;
    const std::string parent = directory.path.parent_path();
    const std::string pool = directory.path.filename();
    BOOST_TEST(write_due_file(parent, pool, Millis(-5000)).has_value());
    BOOST_TEST(delay_of(take_due(directory.fd.get())) == 0);
    BOOST_TEST(write_due_file(parent, pool, Millis::max()).has_value());
    BOOST_TEST(delay_of(take_due(directory.fd.get())) == longest_due.count());
}

BOOST_AUTO_TEST_CASE(links_are_neither_followed_nor_left) {
    const Directory directory;
    directory.put("secret", "5\n");
    fs::create_symlink("secret", directory.path / "due");
    BOOST_TEST(is_unknown(take_due(directory.fd.get())));
    BOOST_TEST(!directory.has("due"));
    fs::create_hard_link(directory.path / "secret", directory.path / "due");
    BOOST_TEST(is_unknown(take_due(directory.fd.get())));
    BOOST_TEST(!directory.has("due"));
    BOOST_TEST(directory.has("secret"));
}

BOOST_AUTO_TEST_CASE(what_is_not_a_file_is_not_waited_for) {
    const Directory directory;
    const std::string due = directory.path / "due";
    BOOST_REQUIRE(::mkfifo(due.c_str(), 0600) == 0);
    BOOST_TEST(is_unknown(take_due(directory.fd.get())));
    BOOST_TEST(!directory.has("due"));
    fs::create_directory(due);
    BOOST_TEST(is_unknown(take_due(directory.fd.get())));
    BOOST_TEST(!directory.has("due"));
    fs::create_directories(due + "/full");
    BOOST_TEST(is_unknown(take_due(directory.fd.get())));
    BOOST_TEST(directory.has("due"));
}

// Under a user's own manager the helper is nobody special; as root it reads everything.
BOOST_AUTO_TEST_CASE(a_file_that_the_helper_may_not_read_is_unknown_and_goes) {
    constexpr uid_t nobody = 65'534;
    const Directory directory;
    directory.put("due", "5\n");
    fs::permissions(directory.path / "due", fs::perms::none);
    const bool root = ::geteuid() == 0;
    if (root) {
        BOOST_TEST_REQUIRE(::chown(directory.path.c_str(), nobody, static_cast<gid_t>(-1)) == 0);
        BOOST_TEST_REQUIRE(::seteuid(nobody) == 0);
    }
    const Due due = take_due(directory.fd.get());
    if (root) BOOST_TEST_REQUIRE(::seteuid(0) == 0);
    BOOST_TEST(is_unknown(due));
    BOOST_TEST(!directory.has("due"));
}

BOOST_AUTO_TEST_CASE(a_large_file_is_not_read) {
    const Directory directory;
    directory.put("due", std::string(1 << 20, '1'));
    BOOST_TEST(is_unknown(take_due(directory.fd.get())));
    BOOST_TEST(!directory.has("due"));
}

BOOST_AUTO_TEST_CASE(ends_in_a_row_double_the_delay_from_ten_seconds_to_ten_minutes) {
    BOOST_TEST(unknown_delay(0).count() == 10'000);
    const long long wanted[] = {10, 20, 40, 80, 160, 320, 600, 600};
    for (std::uint64_t failures = 1; failures <= 8; ++failures) {
        BOOST_TEST(unknown_delay(failures).count() == wanted[failures - 1] * 1000);
    }
    BOOST_TEST(unknown_delay(UINT64_MAX).count() == 600'000);
}

BOOST_AUTO_TEST_CASE(the_count_of_failures_can_be_read_by_the_worker) {
    const Directory directory;
    BOOST_TEST(write_number(directory.fd.get(), "mail.failures", 7).has_value());
    BOOST_TEST(read_number(directory.fd.get(), "mail.failures").value_or(0) == 7U);
    BOOST_TEST(failures_in_a_row(directory.path, "mail") == 7);
    const auto mode = fs::status(directory.path / "mail.failures").permissions();
    BOOST_TEST(static_cast<unsigned>(mode) == 0644U);
}

BOOST_AUTO_TEST_CASE(what_is_not_a_number_is_no_number) {
    const Directory directory;
    for (const std::string text : {"", "many", "-1", "99999999999999999999", "1 2"}) {
        directory.put("mail.timer", text);
        BOOST_TEST(!read_number(directory.fd.get(), "mail.timer").has_value(), "'" << text << "' was taken");
    }
    BOOST_TEST(!read_number(directory.fd.get(), "missing").has_value());
}

BOOST_AUTO_TEST_CASE(pool_names_are_their_own_escaped_form) {
    for (const char* name : {"a", "mail", "mail-2", "A_b.c", "0", "_x", "a-"}) {
        BOOST_TEST(valid_pool_name(name), name);
    }
    BOOST_TEST(valid_pool_name(std::string(63, 'x')));
    for (const char* name : {"", ".", "..", "a..b", ".a", "-a", "a/b", "a b", "a\\x2db", "a@b", "a\n", "ä", "%i",
                             "a.sock", "a.failures", "a.timer", "a.ended", "a.toml", "a.rejected"}) {
        BOOST_TEST(!valid_pool_name(name), name);
    }
    BOOST_TEST(!valid_pool_name(std::string(64, 'x')));
}

BOOST_AUTO_TEST_CASE(the_command_line_has_the_defaults_of_the_system_units) {
    const auto options = parse_due_options({"mail"});
    BOOST_REQUIRE(options.has_value());
    BOOST_TEST(options->runtime_directory == "/run/dormouse");
    BOOST_TEST(options->unit == "dormouse@mail.service");
    BOOST_TEST(options->target == "dormouse@mail.target");
    BOOST_TEST(!options->user);
}

BOOST_AUTO_TEST_CASE(the_command_line_takes_what_a_user_manager_needs) {
    const auto options = parse_due_options(
        {"--user", "--runtime-directory", "/run/user/7/dormouse", "--unit", "x.service", "--target", "none", "mail"});
    BOOST_REQUIRE(options.has_value());
    BOOST_TEST(options->user);
    BOOST_TEST(options->runtime_directory == "/run/user/7/dormouse");
    BOOST_TEST(options->unit == "x.service");
    BOOST_TEST(options->target.empty());
}

BOOST_AUTO_TEST_CASE(a_wrong_command_line_is_refused) {
    BOOST_TEST(!parse_due_options({}).has_value());
    BOOST_TEST(!parse_due_options({"../x"}).has_value());
    BOOST_TEST(!parse_due_options({"a", "b"}).has_value());
    BOOST_TEST(!parse_due_options({"a", "--unit"}).has_value());
    BOOST_TEST(!parse_due_options({"a", "--unit", ""}).has_value());
    BOOST_TEST(!parse_due_options({"a", "--unit", "--force"}).has_value());
    BOOST_TEST(!parse_due_options({"a", "--nonsense"}).has_value());
}

BOOST_AUTO_TEST_CASE(a_program_is_given_its_exit_code_and_nothing_else) {
    const auto run = [](const std::string& script) {
        return run_tool({"/bin/sh", "-c", script}, {"ONLY=this"}, Millis(10'000), ToolErrors::hidden);
    };
    BOOST_TEST(run("exit 3").value() == 3);
    BOOST_TEST(run("test \"$ONLY\" = this && test -z \"$HOME\"").value() == 0);
    BOOST_TEST(!run("kill -9 $$").has_value());
    BOOST_TEST(!run_tool({"/nowhere/at/all"}, {}, Millis(10'000), ToolErrors::hidden).has_value());
}

BOOST_AUTO_TEST_CASE(a_program_that_hangs_is_killed_at_the_deadline) {
    const auto result = run_tool({"/bin/sleep", "1000"}, {}, Millis(50), ToolErrors::hidden);
    BOOST_REQUIRE(!result.has_value());
    BOOST_TEST(result.error().message.find("no answer") != std::string::npos);
    BOOST_TEST(::waitpid(-1, nullptr, WNOHANG) == -1);  // none is left behind
}

BOOST_AUTO_TEST_SUITE_END()
