// dormouse new: with the name hello it writes the packaged examples, its table is read as a task, the first try is
// made, and nothing that is there is written over.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/cluster.h"
#include "support/paths.h"
#include "support/process.h"

namespace new_handler {

using namespace dormouse::testing;

namespace {

std::string contents(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

struct Fixture {
    TemporaryDirectory directory;
    std::string pool = directory.path() + "/default.toml";
    std::string handlers = directory.path() + "/handlers";
    std::map<std::string, std::string> environment{{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"PYTHONPATH", std::string(source_directory) + "/clients/python"},
                                                   {"PYTHONDONTWRITEBYTECODE", "1"}};

    Fixture() {
        // a last line without an end; nothing is installed here, so the client is the tree's
        std::ofstream(pool) << "[worker]\npass_environment = [\"PYTHONPATH\", \"PYTHONDONTWRITEBYTECODE\"]";
    }
    Ended make(const std::string& kind, const std::string& name, const std::string& where = "") const {
        return run(cli_program({"new", kind, name, "--directory", where.empty() ? handlers : where}, environment));
    }
    void refuses(const std::string& kind, const std::string& name, int exit_code, const std::string& word) const {
        const std::string before = contents(pool);
        const Ended ended = make(kind, name);
        BOOST_TEST(ended.exit_code == exit_code, ended.err);
        BOOST_TEST(ended.err.find(word) != std::string::npos, ended.err);
        BOOST_TEST(contents(pool) == before);
    }
};

}  // namespace

}  // namespace new_handler

BOOST_FIXTURE_TEST_SUITE(new_handler, Fixture)

BOOST_AUTO_TEST_CASE(each_kind_is_the_packaged_example) {
    for (const auto& [kind, extension] :
         {std::pair("python", ".py"), std::pair("node", ".mjs"), std::pair("shell", ".sh")}) {
        std::ofstream(pool) << "";
        make(kind, "hello");
        const std::string file = "/hello" + std::string(extension);
        BOOST_TEST(contents(handlers + file) == contents(std::string(source_directory) + "/examples/handlers" + file));
        struct stat about{};
        BOOST_TEST(::stat((handlers + file).c_str(), &about) == 0);
        BOOST_TEST((about.st_mode & 0777U) == 0755U);
        const Ended shown = run(cli_program({"config", "default", "--json"}, environment));
        BOOST_TEST(shown.out.find("task.hello.command") != std::string::npos, shown.out << shown.err);
    }
}

BOOST_AUTO_TEST_CASE(a_python_handler_is_written_and_greets_in_one_command) {
    const Ended made = make("python", "greet");
    BOOST_TEST(made.exit_code == 0, made.err);
    BOOST_TEST(made.out.find("{\"hello\":\"you\"}") != std::string::npos, made.out);
    const Ended again = run(cli_program({"try", "greet", R"({"name": "ann"})"}, environment));
    BOOST_TEST(again.out == "{\"hello\":\"ann\"}\n", again.err);
    const Ended second = make("python", "other");
    BOOST_TEST(second.exit_code == 0, second.err);
}

BOOST_AUTO_TEST_CASE(a_program_is_written_with_what_builds_it_and_what_is_missing_for_that_is_named) {
    environment["PATH"] = directory.path();
    const std::string before = contents(pool);
    const Ended made = make("cpp", "greet");
    BOOST_TEST(made.exit_code == 0, made.err);
    BOOST_TEST(made.out.find("# not built, missing: g++ cmake pkg-config libdormouse-dev") != std::string::npos,
               made.out);
    BOOST_TEST(contents(handlers + "/greet/greet.cpp").find("worker.task<Payload>(\"greet\"") != std::string::npos);
    BOOST_TEST(contents(handlers + "/greet/CMakeLists.txt").find("add_executable(greet greet.cpp)") !=
               std::string::npos);
    BOOST_TEST(contents(pool) == before);
    refuses("cpp", "greet", 9, "is there already, and is not written over");
    refuses("python", "a", 9, "needs python3, which is not here; install the package python3");
    refuses("node", "a", 9, "needs node, which is not here; install the package nodejs");
    refuses("shell", "a", 9, "needs jq, which is not here; install the package jq");
    BOOST_TEST(!std::filesystem::exists(handlers + "/a.sh"));
    refuses("cpp", "../x", 2, "lower-case letters");
}

/// The library of this build, as an installed one lies.
boost::test_tools::assertion_result has_library(boost::unit_test::test_unit_id /*test*/) {
    const std::filesystem::path build = std::filesystem::path(dormouse_binary).parent_path() / "library";
    boost::test_tools::assertion_result all(std::filesystem::exists(build / "libdormouse.a"));
    for (const char* const tool : {"cmake", "c++", "pkg-config"})
        if (!std::filesystem::exists(std::string("/usr/bin/") + tool)) all = false;
    if (!all) all.message() << "there is no libdormouse.a in this build, or no cmake, c++ or pkg-config";
    return all;
}

BOOST_AUTO_TEST_CASE(a_program_is_built_where_everything_is_there, *boost::unit_test::precondition(has_library)) {
    namespace fs = std::filesystem;
    const fs::path prefix = directory.path() + "/prefix";
    const fs::path build = fs::path(dormouse_binary).parent_path() / "library";
    fs::create_directories(prefix / "lib/cmake/dormouse");
    for (const char* const file : {"dormouseConfig.cmake", "dormouseConfigVersion.cmake"})
        fs::copy(build / file, prefix / "lib/cmake/dormouse" / file);
    fs::create_symlink(build / "libdormouse.a", prefix / "lib/libdormouse.a");
    fs::create_symlink(std::string(source_directory) + "/include", prefix / "include");
    environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
    environment["dormouse_DIR"] = prefix / "lib/cmake/dormouse";
    Program compiles = cli_program({"new", "cpp", "greet", "--directory", handlers}, environment);
    compiles.deadline = std::chrono::minutes{3};
    const Ended made = run(compiles);
    BOOST_TEST(made.exit_code == 0, made.out << made.err);
    BOOST_TEST(made.out.find("# next: " + handlers + "/greet/build/greet is the worker") != std::string::npos,
               made.out);
    BOOST_TEST(::access((handlers + "/greet/build/greet").c_str(), X_OK) == 0);
}

BOOST_AUTO_TEST_CASE(what_is_there_is_not_written_over) {
    BOOST_TEST(make("python", "greet").exit_code == 0);
    refuses("shell", "greet", 9, "has a task greet already");
    std::ofstream(handlers + "/mine.sh") << "mine";
    refuses("shell", "mine", 9, "is there already, and is not written over");
    BOOST_TEST(contents(handlers + "/mine.sh") == "mine");
    refuses("cobol", "x", 2, "python|node|shell|cpp");
    refuses("python", "../x", 2, "lower-case letters");
    refuses("python", "a-b", 2, "lower-case letters");
    std::ofstream(pool) << "[worker";
    refuses("python", "later", 9, "default.toml:1");
    std::filesystem::remove(pool);
    refuses("python", "later", 9, "dormouse setup makes one");
}

BOOST_AUTO_TEST_SUITE_END()
