// What a handler sees of its worker, whose account it has: not the password, not the memory.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/cluster.h"
#include "support/paths.h"
#include "support/process.h"

using namespace dormouse::testing;

namespace {

boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(::geteuid() == 0);
    if (!result) result.message() << "only root can start a worker as somebody else";
    return result;
}

constexpr const char* account = "60001";

}  // namespace

BOOST_AUTO_TEST_SUITE(secrets, *boost::unit_test::precondition(has_postgres) * boost::unit_test::precondition(is_root))

BOOST_AUTO_TEST_CASE(a_handler_reads_neither_environment_nor_memory_nor_descriptors_of_its_worker) {
    TestDatabase database;
    TemporaryDirectory directory;
    const std::string file = directory.path() + "/peeks.toml";
    std::ofstream(file)
        << "[worker]\nidle_exit = \"1s\"\n[paths]\nruntime_directory = \"" << directory.path()
        << "\"\nspool_directory = \"" << directory.path() << "\"\n[task.peek]\ncommand = [\"/bin/sh\", \"-c\", "
        << R"("for f in environ mem maps fd/0; do cat /proc/$PPID/$f >/dev/null 2>&1 && echo \"$f \"; done; )"
        << R"(cat /proc/$PPID/stat >/dev/null && cat /proc/self/environ >/dev/null && echo end; exit 0"])" << "\n";
    namespace fs = std::filesystem;
    fs::permissions(directory.path(), fs::perms(0777));
    const fs::path sockets(Cluster::shared().socket_directory());
    for (const fs::path& one : {sockets, sockets.parent_path()})
        fs::permissions(one, fs::perms::others_exec, fs::perm_options::add);
    database.exec("SELECT dormouse.enqueue('peek')");
    const Ended ended = run({{"setpriv", std::string("--reuid=") + account, std::string("--regid=") + account,
                              "--clear-groups", dormouse_binary, "worker", "peeks", "--config", file, "--drain"},
                             "",
                             {{"DATABASE_URL", database.url()}, {"PGPASSWORD", "hunter2"}},
                             ""});
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(database.value("SELECT result #>> '{}' FROM dormouse.runs") == "end");
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "completed");
}

BOOST_AUTO_TEST_SUITE_END()
