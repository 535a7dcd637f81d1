// A spool on a real file system, with what people and accidents put into it.
#include "spool/spool.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "spool/entry.h"
#include "spool/file.h"
#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(spool)

using namespace dormouse;
using namespace dormouse::spool;
using dormouse::testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

const std::string good = R"({"task": "t"})";

struct Scene {
    TemporaryDirectory directory;
    Terms terms{{"default"}, 4'096};
    Spool spool = std::move(*Spool::open(directory.path(), "p", Spool::Make::yes));
    std::string path = directory.path() + "/p";
    std::string rejected = path + ".rejected";

    void put(const std::string& name, const std::string& text) const { std::ofstream(path + "/" + name) << text; }
    Scan scan(Millis later = Millis{0}) { return spool.scan(terms, BootClock::now() + later); }
    [[nodiscard]] std::size_t files(const std::string& where) const {
        if (!fs::exists(where)) return 0;
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(where), fs::directory_iterator()));
    }
    [[nodiscard]] std::string reason(const std::string& name) const {
        std::ifstream file(rejected + "/" + name + ".reason");
        std::string line;
        std::getline(file, line);
        return line;
    }
};

boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id /*id*/) {
    boost::test_tools::assertion_result answer(::geteuid() == 0);
    if (::geteuid() != 0) answer.message() << "only root can be somebody else";
    return answer;
}

void make_older(const std::string& path, std::chrono::seconds age) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - age);
}

}  // namespace

BOOST_AUTO_TEST_CASE(it_is_made_for_its_group_and_kept_as_it_is) {
    Scene scene;
    BOOST_TEST((fs::status(scene.path).permissions() == fs::perms(01770)));
    fs::permissions(scene.path, fs::perms(0700));
    BOOST_TEST(Spool::open(scene.directory.path(), "p", Spool::Make::yes).has_value());
    BOOST_TEST((fs::status(scene.path).permissions() == fs::perms(0700)));
    BOOST_TEST(!Spool::open(scene.directory.path(), "other", Spool::Make::no).has_value());
    BOOST_TEST(!fs::exists(scene.directory.path() + "/other"));
}

BOOST_AUTO_TEST_CASE(a_good_file_is_given_an_id_once_and_kept_until_it_is_removed) {
    Scene scene;
    scene.put("nightly.json", good);
    const Scan first = scene.scan();
    BOOST_TEST_REQUIRE(first.entries.size() == 1U);
    BOOST_TEST(first.entries[0].text == good);
    BOOST_TEST(first.entries[0].name == "nightly." + first.entries[0].id.to_string() + ".json");
    const Scan second = scene.scan();
    BOOST_TEST_REQUIRE(second.entries.size() == 1U);
    BOOST_TEST((second.entries[0].id == first.entries[0].id));
    BOOST_TEST(scene.spool.remove(first.entries[0].name).has_value());
    BOOST_TEST(scene.scan().entries.empty());
    BOOST_TEST(!scene.spool.has_entries());
}

BOOST_AUTO_TEST_CASE(files_come_in_the_order_of_their_names_and_as_many_as_asked_for) {
    Scene scene;
    scene.terms.most_files = 2;
    for (const char* name : {"c.json", "a.json", "b.json"}) scene.put(name, good);
    const Scan scan = scene.scan();
    BOOST_TEST_REQUIRE(scan.entries.size() == 2U);
    BOOST_TEST(scan.more);
    BOOST_TEST(scan.entries[0].name.starts_with("a."));
    BOOST_TEST(scan.entries[1].name.starts_with("b."));
}

BOOST_AUTO_TEST_CASE(names_that_are_being_written_are_not_looked_at) {
    Scene scene;
    scene.put(".a.json", "{");
    scene.put("a.json.tmp", "{");
    const Scan scan = scene.scan();
    BOOST_TEST(scan.entries.empty());
    BOOST_TEST(scan.rejected.empty());
    BOOST_TEST(!scene.spool.has_entries());
}

BOOST_AUTO_TEST_CASE(a_wrong_file_is_moved_away_with_the_reason_and_the_others_are_not_held_up) {
    Scene scene;
    scene.put("a.json", "no");
    scene.put("b.json", good);
    const Scan scan = scene.scan();
    BOOST_TEST(scan.entries.size() == 1U);
    BOOST_TEST_REQUIRE(scan.rejected.size() == 1U);
    BOOST_TEST(scan.rejected[0].name == "a.json");
    BOOST_TEST(fs::exists(scene.rejected + "/a.json"));
    BOOST_TEST(!scene.reason("a.json").empty());
    BOOST_TEST(scan.rejected[0].reason.starts_with(scene.reason("a.json")));
    BOOST_TEST(scene.scan().rejected.empty());
}

// Accounts of this machine: who is in the spool's group may put files there, and not read what others have put there
// once it has been put aside.
BOOST_AUTO_TEST_CASE(what_was_put_aside_is_for_the_workers_account_alone, *boost::unit_test::precondition(is_root)) {
    static constexpr gid_t group = 50'317;
    Scene scene;
    BOOST_TEST_REQUIRE(::chmod(scene.directory.path().c_str(), 0755) == 0);
    BOOST_TEST_REQUIRE(::chown(scene.directory.path().c_str(), 0, group) == 0);
    BOOST_TEST_REQUIRE(::chmod(scene.directory.path().c_str(), 02755) == 0);
    const auto can_read = [](const std::string& file) {
        const pid_t child = ::fork();
        if (child == 0) {
            const bool other = ::setgroups(1, &group) == 0 && ::setgid(group) == 0 && ::setuid(50'317) == 0;
            ::_exit(!other ? 2 : ::open(file.c_str(), O_RDONLY | O_CLOEXEC) >= 0 ? 1 : 0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
    };
    for (const bool made_before : {false, true}) {
        if (made_before) BOOST_TEST_REQUIRE(::chmod(scene.rejected.c_str(), 0750) == 0);
        const std::string name = made_before ? "b.json" : "a.json";
        scene.put(name, "no");
        BOOST_TEST_REQUIRE(::chown((scene.path + "/" + name).c_str(), 50'318, group) == 0);
        BOOST_TEST_REQUIRE(::chmod((scene.path + "/" + name).c_str(), 0640) == 0);
        BOOST_TEST(scene.scan().rejected.size() == 1U);
        for (const std::string& file : {name, name + ".reason"}) {
            BOOST_TEST(fs::exists(scene.rejected + "/" + file));
            BOOST_TEST(can_read(scene.rejected + "/" + file) == 0, file);
        }
    }
}

BOOST_AUTO_TEST_CASE(two_wrong_files_of_one_name_are_both_kept) {
    Scene scene;
    for (int i = 0; i < 2; ++i) {
        scene.put("a.json", "no");
        BOOST_TEST(scene.scan().rejected.size() == 1U);
    }
    BOOST_TEST(scene.files(scene.rejected) == 4U);  // two files and two reasons
}

BOOST_AUTO_TEST_CASE(a_truncated_file_is_left_for_a_minute) {
    Scene scene;
    scene.put("a.json", R"({"task": )");
    const Scan young = scene.scan();
    BOOST_TEST(young.rejected.empty());
    BOOST_TEST_REQUIRE(young.look_again.has_value());
    BOOST_TEST((*young.look_again > Millis{55'000} && *young.look_again <= Millis{60'000}));
    scene.put("a.json", good);
    BOOST_TEST(scene.scan().entries.size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_old_truncated_file_is_rejected) {
    Scene scene;
    for (const char* name : {"empty.json", "half.json"}) {
        scene.put(name, name[0] == 'e' ? "" : "{");
        make_older(scene.path + "/" + name, std::chrono::seconds(61));
    }
    const Scan scan = scene.scan();
    BOOST_TEST(scan.rejected.size() == 2U);
    BOOST_TEST(!scan.look_again.has_value());
}

BOOST_AUTO_TEST_CASE(a_truncated_file_from_the_future_is_not_left_for_ever) {
    Scene scene;
    scene.put("a.json", "{");
    make_older(scene.path + "/a.json", std::chrono::hours(-24 * 365));
    BOOST_TEST((*scene.scan().look_again <= Millis{60'000}));
    make_older(scene.path + "/a.json", std::chrono::hours(-24 * 365));
    BOOST_TEST(scene.scan(Millis{60'001}).rejected.size() == 1U);
}

BOOST_AUTO_TEST_CASE(links_pipes_sockets_and_directories_are_moved_away_and_never_followed) {
    Scene scene;
    scene.put("../target", good);
    fs::create_symlink(scene.directory.path() + "/target", scene.path + "/link.json");
    fs::create_symlink("nowhere", scene.path + "/dangling.json");
    fs::create_directory(scene.path + "/directory.json");
    fs::create_directory(scene.path + "/no-json");
    BOOST_TEST(::mkfifo((scene.path + "/pipe.json").c_str(), 0666) == 0);
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (scene.path + "/s.json").copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_TEST(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const Scan scan = scene.scan();
    BOOST_TEST(scan.entries.empty());
    BOOST_TEST(scan.stuck.empty());
    BOOST_TEST(scan.rejected.size() == 5U);
    BOOST_TEST(fs::exists(scene.directory.path() + "/target"));
    BOOST_TEST(fs::is_symlink(scene.rejected + "/link.json"));
    BOOST_TEST(!scene.spool.has_entries());
}

BOOST_AUTO_TEST_CASE(a_huge_file_is_moved_away_unread) {
    Scene scene;
    scene.put("huge.json", "");
    fs::resize_file(scene.path + "/huge.json", 100 << 20);
    const Scan scan = scene.scan();
    BOOST_TEST_REQUIRE(scan.rejected.size() == 1U);
    BOOST_TEST(scan.rejected[0].reason.find("104857600 bytes, more than the 4096") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_set_group_id_bit_is_inherited) {
    const TemporaryDirectory directory;
    fs::permissions(directory.path(), fs::perms(02755));
    BOOST_TEST(Spool::open(directory.path(), "p", Spool::Make::yes).has_value());
    BOOST_TEST((fs::status(directory.path() + "/p").permissions() == fs::perms(03770)));
}

BOOST_AUTO_TEST_CASE(a_link_in_the_place_of_the_rejected_files_is_not_followed) {
    Scene scene;
    const TemporaryDirectory elsewhere;
    fs::create_directory_symlink(elsewhere.path(), scene.rejected);
    scene.put("a.json", "no");
    BOOST_TEST(scene.scan().rejected.size() == 1U);
    BOOST_TEST(scene.files(elsewhere.path()) == 0U);
    BOOST_TEST(fs::exists(scene.path + "/a.json.rejected"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_moved_out_of_the_spool_is_moved_out_of_sight) {
    Scene scene;
    std::ofstream(scene.rejected) << "a file in the way";
    for (int i = 0; i < 2; ++i) {
        scene.put("a.json", "no");
        BOOST_TEST(scene.scan().rejected.size() == 1U);
    }
    BOOST_TEST(fs::exists(scene.path + "/a.json.rejected"));
    BOOST_TEST(fs::exists(scene.path + "/a.json.rejected.reason"));
    BOOST_TEST(scene.files(scene.path) == 4U);
    BOOST_TEST(!scene.spool.has_entries());
}

BOOST_AUTO_TEST_CASE(a_writer_leaves_all_of_a_file_or_nothing) {
    Scene scene;
    const UniqueFd directory(::open(scene.path.c_str(), O_RDONLY | O_DIRECTORY));
    BOOST_TEST(write_file(directory.get(), "a.json", good, 0640).has_value());
    BOOST_TEST(!write_file(directory.get(), "a.json", "other", 0640).has_value());  // nothing is overwritten
    BOOST_TEST(scene.files(scene.path) == 1U);
    const Scan scan = scene.scan();
    BOOST_TEST_REQUIRE(scan.entries.size() == 1U);
    BOOST_TEST(scan.entries[0].text == good);
}

BOOST_AUTO_TEST_CASE(of_very_many_files_the_first_are_looked_at_and_those_that_have_to_wait_hold_up_nobody) {
    Scene scene;
    constexpr int waiting = 41'000;
    for (int i = 0; i < waiting; ++i) scene.put("a" + std::to_string(i) + ".json", "");  // not written yet
    scene.put("z.json", good);
    Scan seen = scene.scan();
    BOOST_TEST(seen.entries.empty());
    BOOST_TEST(seen.more);
    while (seen.entries.empty() && seen.more) seen = scene.scan();
    BOOST_TEST_REQUIRE(seen.entries.size() == 1U);
    BOOST_TEST(seen.entries.front().name.starts_with("z."));
    BOOST_TEST(!seen.more);
    BOOST_TEST(scene.files(scene.path) == waiting + 1U);
}

BOOST_AUTO_TEST_SUITE_END()
