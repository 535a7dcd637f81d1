// Who is known to have died before us, and who is not.
#include "worker/predecessors.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/process.h"
#include "support/cluster.h"

namespace predecessors {

using namespace dormouse;
using namespace dormouse::testing;
using worker::Predecessors;

namespace {

store::Identity identity(const std::string& unit = "dormouse@mail.service", const Uuid& boot = {}) {
    store::Identity who;
    who.id = Uuid::random();
    who.unit = unit;
    who.boot_id = boot;
    return who;
}

struct Scene {
    TemporaryDirectory directory;
    /// A worker that comes and dies; its id.
    Uuid dies(const store::Identity& who = identity()) {
        store::Identity copy = who;
        const Predecessors gone(directory.path(), copy);
        return copy.id;
    }
    std::vector<Uuid> dead(const store::Identity& who = identity()) {
        store::Identity copy = who;
        return Predecessors(directory.path(), copy).dead();
    }
};

}  // namespace

}  // namespace predecessors

BOOST_FIXTURE_TEST_SUITE(predecessors, Scene)

BOOST_AUTO_TEST_CASE(the_first_worker_has_none_and_gets_an_instance_id_that_stays) {
    store::Identity first = identity();
    BOOST_TEST(Predecessors(directory.path(), first).dead().empty());
    store::Identity second = identity();
    const Predecessors again(directory.path(), second);
    BOOST_TEST((first.instance_id != Uuid{}));
    BOOST_TEST((first.instance_id == second.instance_id));
}

BOOST_AUTO_TEST_CASE(who_died_is_known_until_it_is_settled_also_after_several_deaths) {
    const Uuid one = dies();
    const Uuid two = dies();
    store::Identity who = identity();
    Predecessors ours(directory.path(), who);
    BOOST_TEST((ours.dead() == std::vector{one, two}));
    ours.settled(ours.dead());
    BOOST_TEST(ours.dead().empty());
}

BOOST_AUTO_TEST_CASE(who_left_is_not_dead) {
    {
        store::Identity who = identity();
        Predecessors ours(directory.path(), who);
        ours.leave(who.id);
    }
    BOOST_TEST(dead().empty());
}

BOOST_AUTO_TEST_CASE(who_leaves_before_it_could_settle_hands_on_what_it_knows) {
    const Uuid one = dies();
    {
        store::Identity who = identity();
        Predecessors(directory.path(), who).leave(who.id);
    }
    BOOST_TEST((dead() == std::vector{one}));
}

BOOST_AUTO_TEST_CASE(another_boot_and_another_unit_prove_nothing) {
    dies(identity("dormouse@mail.service", Uuid::random()));
    dies(identity("dormouse@other.service"));
    BOOST_TEST(dead().empty());
}

// DHCP, hostnamectl: the name proves nothing, neither way.
BOOST_AUTO_TEST_CASE(who_died_is_known_also_when_the_host_is_called_otherwise_meanwhile) {
    store::Identity before = identity();
    before.host = "old-name.example";
    const Uuid one = dies(before);
    store::Identity after = identity();
    after.host = "new-name.example";
    BOOST_TEST((dead(after) == std::vector{one}));
}

BOOST_AUTO_TEST_CASE(another_instance_proves_nothing) {
    dies();
    std::ofstream(directory.path() + "/instance") << Uuid::random().to_string() << "\n";
    BOOST_TEST(dead().empty());
}

// Machine id, state directory and instance id are all copied; the one that was copied from goes on.
BOOST_AUTO_TEST_CASE(the_copy_of_a_machine_does_not_take_the_original_for_dead) {
    const Uuid boot = Uuid::random();
    store::Identity original = identity("dormouse@mail.service", boot);
    std::optional<Predecessors> alive(std::in_place, directory.path(), original);
    const TemporaryDirectory copy;
    std::filesystem::copy(directory.path(), copy.path());
    store::Identity clone = identity("dormouse@mail.service", Uuid::random());  // a boot of its own
    BOOST_TEST(Predecessors(copy.path(), clone).dead().empty());
    BOOST_TEST((clone.instance_id == original.instance_id));

    // the copy of a container has the boot of the original, and another PID namespace
    std::string text;
    std::getline(std::ifstream(directory.path() + "/workers"), text);
    const std::string own = " " + std::to_string(this_pid_namespace()) + " ";
    BOOST_TEST_REQUIRE(text.find(own) != std::string::npos);
    std::ofstream(copy.path() + "/workers") << text.replace(text.find(own), own.size(), " 4026530000 ") << "\n";
    store::Identity container = identity("dormouse@mail.service", boot);
    BOOST_TEST(Predecessors(copy.path(), container).dead().empty());

    alive.reset();  // and the original's own successor still knows
    store::Identity successor = identity("dormouse@mail.service", boot);
    BOOST_TEST((Predecessors(directory.path(), successor).dead() == std::vector{original.id}));
}

BOOST_AUTO_TEST_CASE(who_holds_the_lock_is_alive) {
    store::Identity holder = identity();
    std::optional<Predecessors> alive(std::in_place, directory.path(), holder);
    BOOST_TEST(dead().empty());
    alive.reset();
    BOOST_TEST((dead() == std::vector{holder.id}));
}

BOOST_AUTO_TEST_CASE(without_a_unit_or_a_directory_nobody_else_is_known_and_nothing_written) {
    dies(identity(""));
    store::Identity who = identity();
    BOOST_TEST(Predecessors("", who).dead().empty());
    BOOST_TEST(Predecessors(directory.path() + "/none", who).dead().empty());
    BOOST_TEST(dead().empty());
    Predecessors of_this_process("", who);  // whose own workers it knows all the same
    store::Identity next = identity();
    of_this_process.died(who.id);
    of_this_process.arrive(next);
    BOOST_TEST((of_this_process.dead() == std::vector{who.id}));
    of_this_process.settled({who.id});
    BOOST_TEST(of_this_process.dead().empty());
}

// In the foreground: several may share a directory, and each has a PID namespace of its own.
BOOST_AUTO_TEST_CASE(in_the_foreground_each_takes_the_place_of_one_that_is_dead) {
    using Of = Predecessors::Of;
    store::Identity first = identity("");
    store::Identity second = identity("");
    std::optional<Predecessors> one(std::in_place, directory.path(), first, Of::foreground);
    std::optional<Predecessors> two(std::in_place, directory.path(), second, Of::foreground);
    BOOST_TEST(one->dead().empty());
    BOOST_TEST(two->dead().empty());
    one.reset();  // killed
    store::Identity third = identity("");
    std::optional<Predecessors> next(std::in_place, directory.path(), third, Of::foreground);
    BOOST_TEST((next->dead() == std::vector{first.id}));  // and not the one that lives
    next->settled(next->dead());
    next->leave(third.id);
    next.reset();
    two.reset();
    store::Identity fourth = identity("");
    store::Identity fifth = identity("");
    const Predecessors after(directory.path(), fourth, Of::foreground);
    const Predecessors other(directory.path(), fifth, Of::foreground);
    BOOST_TEST(after.dead().empty());
    BOOST_TEST((other.dead() == std::vector{second.id}));
}

BOOST_AUTO_TEST_CASE(in_the_foreground_a_copy_and_another_boot_prove_nothing) {
    using Of = Predecessors::Of;
    store::Identity original = identity("");
    const Predecessors alive(directory.path(), original, Of::foreground);
    const TemporaryDirectory copy;
    std::filesystem::copy(directory.path(), copy.path(), std::filesystem::copy_options::recursive);
    store::Identity clone = identity("");
    BOOST_TEST(Predecessors(copy.path(), clone, Of::foreground).dead().empty());
    store::Identity gone = identity("", Uuid::random());
    {
        const Predecessors before(directory.path(), gone, Of::foreground);
    }
    store::Identity again = identity("");
    BOOST_TEST(Predecessors(directory.path(), again, Of::foreground).dead().empty());
}

// As systemd makes it for DynamicUser=, or an administrator who moved it to another disk.
BOOST_AUTO_TEST_CASE(a_state_directory_may_be_a_link) {
    const TemporaryDirectory elsewhere;
    std::filesystem::create_directory_symlink(elsewhere.path(), directory.path() + "/link");
    store::Identity gone = identity();
    {
        const Predecessors dies(directory.path() + "/link", gone);
    }
    store::Identity who = identity();
    BOOST_TEST((Predecessors(directory.path() + "/link", who).dead() == std::vector{gone.id}));
}

// A worker may be killed at any moment while it writes: nothing that it leaves makes its successors forget for good.
BOOST_AUTO_TEST_CASE(what_a_killed_writer_has_left_hinders_nobody) {
    for (const char* const name : {".workers", ".instance", "workers", "instance"})
        std::ofstream(directory.path() + "/" + name) << "half a li";
    const Uuid one = dies();
    const Uuid two = dies();
    BOOST_TEST((dead() == std::vector{one, two}));
}

BOOST_AUTO_TEST_CASE(what_is_no_record_is_passed_over) {
    const Uuid one = dies();
    std::ofstream(directory.path() + "/workers", std::ios::app) << "\nnonsense\n"
                                                                << std::string(10'000, 'x') << "\n"
                                                                << one.to_string();
    BOOST_TEST((dead() == std::vector{one}));
}

BOOST_AUTO_TEST_SUITE_END()
