// Ringing the other pools of this machine.
#include "worker/neighbours.h"

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(neighbours)

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Machine {
    TemporaryDirectory directory;
    config::Environment environment{{"DORMOUSE_CONFIG_DIR", directory.path()},
                                    {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()},
                                    {"DORMOUSE_WORKER_QUEUES", "of-this-worker-alone"}};
    std::map<std::string, UniqueFd> bells;

    void pool(const std::string& name, const std::string& text) {
        std::ofstream(directory.path() + "/" + name + ".toml") << text;
        bells[name] = listen_at(directory.path() + "/" + name + ".sock");
    }
    /// Who has been rung since the last time, each as often as it was.
    std::string rung() {
        std::string names;
        for (const auto& [name, bell] : bells)
            while (UniqueFd(::accept(bell.get(), nullptr, nullptr)).valid()) names += name + " ";
        return names;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(those_that_serve_a_queue_are_rung_and_not_this_pool_itself) {
    Machine machine;
    machine.pool("mine", "[worker]\nqueues = [\"a\", \"b\"]\n");
    machine.pool("one", "[worker]\nqueues = [\"a\"]\n");
    machine.pool("two", "[worker]\nqueues = [\"b\", \"c\"]\n");
    machine.pool("broken", "[worker\n");
    worker::Neighbours neighbours("mine", machine.environment);
    neighbours.ring({"b"});
    BOOST_TEST(machine.rung() == "broken two ");
    neighbours.ring({"a", "c"});
    BOOST_TEST(machine.rung() == "broken one two ");
    neighbours.ring({"of-this-worker-alone"});
    BOOST_TEST(machine.rung() == "broken ");
    neighbours.ring_all();
    BOOST_TEST(machine.rung() == "broken one two ");
}

BOOST_AUTO_TEST_CASE(nobody_there_is_no_trouble) {
    Machine machine;
    machine.pool("one", "[worker]\nqueues = [\"a\"]\n");
    machine.bells.clear();
    worker::Neighbours neighbours("mine", machine.environment);
    neighbours.ring({"a"});
    neighbours.ring_all();
    worker::Neighbours("mine", {{"DORMOUSE_CONFIG_DIR", "/nowhere"}}).ring({"a"});
}

BOOST_AUTO_TEST_SUITE_END()
