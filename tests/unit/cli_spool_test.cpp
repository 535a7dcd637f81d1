// dormouse enqueue --spool: a file that a worker takes, without a database.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "spool/entry.h"
#include "support/cluster.h"
#include "support/process.h"
#include "systemd/local_rings.h"

namespace cli_spool {

using namespace dormouse;
using namespace dormouse::testing;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct Scene {
    TemporaryDirectory directory;
    std::string spool = directory.path() + "/spool";
    std::map<std::string, std::string> environment{{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_SPOOL_DIRECTORY", spool}};

    Scene() {
        pool("mail", R"(["default"])");
        pool("slow", R"(["slow"])");
        for (const char* name : {"/mail", "/slow"}) fs::create_directories(spool + name);
    }
    void pool(const std::string& name, const std::string& queues) const {
        std::ofstream(directory.path() + "/" + name + ".toml")
            << "[database]\nurl = \"postgresql:///nowhere\"\n[worker]\nqueues = " << queues << "\n";
    }
    Ended enqueue(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"enqueue", "--spool"});
        return run(cli_program(std::move(arguments), environment));
    }
    /// The one file of that pool.
    [[nodiscard]] std::string text(const std::string& pool, const std::string& id) const {
        std::ifstream file(spool + "/" + pool + "/" + id + ".json");
        std::ostringstream out;
        out << file.rdbuf();
        return out.str();
    }
};

}  // namespace

}  // namespace cli_spool

BOOST_FIXTURE_TEST_SUITE(cli_spool, Scene)

BOOST_AUTO_TEST_CASE(the_file_carries_the_id_and_says_what_was_asked_for) {
    const Ended ended = enqueue({"work", R"({"n": 1.50000000000000000001})", "--priority", "3", "--key", "k",
                                 "--max-attempts", "2", "--timeout", "90s", "--json"});
    BOOST_TEST_REQUIRE(ended.exit_code == 0, ended.err);
    const json said = json::parse(ended.out);
    BOOST_TEST(said.at("spooled") == "mail");
    const std::string written = text("mail", said.at("id"));
    BOOST_TEST(
        written ==
        R"({"task":"work","queue":"default","priority":3,"key":"k","max_attempts":2,"timeout":"90000 ms","payload":{"n": 1.50000000000000000001}})"
        "\n");
}

BOOST_AUTO_TEST_CASE(a_worker_takes_what_was_written) {
    const Ended ended = enqueue({"work", "--in", "1h"});
    BOOST_TEST_REQUIRE(ended.exit_code == 0, ended.err);
    const std::string written = text("mail", ended.out.substr(0, 36));
    BOOST_TEST((spool::judge(written, {"default"}).kind == spool::Judged::Kind::good), written);
    BOOST_TEST(json::parse(written).at("run_at").get<std::string>().ends_with("Z"));
}

BOOST_AUTO_TEST_CASE(the_queue_chooses_the_pool) {
    BOOST_TEST(enqueue({"work", "--queue", "slow"}).exit_code == 0);
    BOOST_TEST(!fs::is_empty(spool + "/slow"));
    BOOST_TEST(fs::is_empty(spool + "/mail"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_spooled_is_told_with_its_remedy) {
    const auto fails = [&](const std::vector<std::string>& arguments, int exit_code, const std::string& because) {
        const Ended ended = enqueue(arguments);
        BOOST_TEST(ended.exit_code == exit_code, ended.err);
        BOOST_TEST(ended.err.find(because) != std::string::npos, ended.err);
        BOOST_TEST(ended.out.empty());
    };
    fails({"work", "--queue", "other"}, 9, "serves queue \"other\"");
    fails({"work", "--queue", "slow", "--pool", "mail"}, 9, "pool mail does not serve queue");
    fails({"work", "{"}, 2, "not JSON");
    fails({"work", R"({"a": "\u0000"})"}, 2, "payload.a has a NUL character");
    fails({"work", "--in", "1h", "--at", "2030-01-01 00:00"}, 2, "--in excludes --at");
    fails({"work", "--wait"}, 2, "--wait");
    fails({"work", "--database-url", "postgresql:///x"}, 2, "exclude each other");
    fs::remove_all(spool + "/mail");
    fails({"work"}, 9,
          "logs why it cannot (spool_closed); if none has started: " + dormouse::systemd::start_command("mail"));
}

BOOST_AUTO_TEST_CASE(a_link_in_place_of_a_spool_leads_nobody_elsewhere) {
    const std::string elsewhere = directory.path() + "/elsewhere";
    fs::create_directory(elsewhere);
    fs::remove_all(spool + "/mail");
    fs::create_directory_symlink(elsewhere, spool + "/mail");
    const Ended ended = enqueue({"work"});
    BOOST_TEST(ended.exit_code != 0);
    BOOST_TEST(ended.err.find(spool + "/mail") != std::string::npos, ended.err);
    BOOST_TEST(fs::is_empty(elsewhere));
}

BOOST_AUTO_TEST_SUITE_END()
