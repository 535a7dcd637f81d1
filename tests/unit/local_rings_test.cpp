// Ringing the pools of this machine that may serve a queue: who is rung, and what is said of those where nobody
// answers.
#include "systemd/local_rings.h"

#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"

BOOST_AUTO_TEST_SUITE(local_rings)

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// "name+" for one that was rung, "name-" for one that was not.
std::string told(const std::vector<systemd::PoolRing>& rings) {
    std::string text;
    for (const auto& ring : rings) text += ring.pool + (ring.done ? "+ " : "- ");
    return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_pool_is_rung_once_for_all_of_its_queues_and_all_are_when_the_queue_is_not_known) {
    const TemporaryDirectory directory;
    const auto pool = [&](const std::string& name, std::vector<std::string> queues, const std::string& problem = "") {
        return config::LocalPool{name, "", std::move(queues), directory.path(), "", 0, problem};
    };
    const std::vector<config::LocalPool> pools{pool("both", {"a", "b"}), pool("other", {"c"}),
                                               pool("unread", {}, "line 1")};
    const UniqueFd both = listen_at(directory.path() + "/both.sock");
    const UniqueFd unread = listen_at(directory.path() + "/unread.sock");
    BOOST_TEST(told(systemd::ring_pools(pools, {"a", "b"})) == "both+ unread+ ");
    int rings = 0;
    while (UniqueFd(::accept(both.get(), nullptr, nullptr)).valid()) ++rings;
    BOOST_TEST(rings == 1);
    BOOST_TEST(told(systemd::ring_pools(pools, {"c"})) == "other- unread+ ");
    BOOST_TEST(told(systemd::ring_pools(pools, {""})) == "both+ other- unread+ ");
    BOOST_TEST(told(systemd::ring_pools(pools, {})).empty());
}

BOOST_AUTO_TEST_CASE(what_is_said_of_a_pool_that_was_not_rung_names_its_socket_and_both_remedies) {
    const TemporaryDirectory directory;
    const auto rings = systemd::ring_pools({{"deaf", "", {"a"}, directory.path(), "", 0, ""}}, {"a"});
    BOOST_REQUIRE(rings.size() == 1);
    const std::string said = systemd::not_rung(rings[0]);
    const bool booted = ::sd_booted() > 0;  // where systemd does not run, a worker may be in the foreground
    for (const char* const part :
         {"pool deaf", "/deaf.sock: No such file",
          booted ? "systemctl enable --now dormouse@deaf.target"
                 : "); fine for a worker in the foreground, which looks by itself; if none runs: dormouse worker deaf",
          booted ? "systemctl restart dormouse@deaf.target" : ""})
        BOOST_TEST(said.find(part) != std::string::npos, part << " is not in: " << said);
}

BOOST_AUTO_TEST_SUITE_END()
