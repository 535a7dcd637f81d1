// When a worker looks into its spool again: at a time of the test's own, in a real spool.
#include "worker/imports.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(imports)

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// A pool's spool, in which `stuck` can be neither imported (it is no JSON) nor moved away: a file is where the
/// directory for such files would be, and any longer name is none.
struct Scene {
    TemporaryDirectory directory;
    loop::Loop loop;
    config::Config config;
    std::string stuck = directory.path() + "/p/" + std::string(249, 'x') + ".json";
    BootClock::time_point now = BootClock::now();

    Scene() {
        config.pool = "p";
        config.paths.spool_directory = directory.path();
        std::filesystem::create_directory(directory.path() + "/p");
        std::ofstream(directory.path() + "/p.rejected") << "";
        put_stuck();
    }
    void put_stuck() const { std::ofstream(stuck) << "no JSON"; }
    worker::Imports imports() {
        return {loop, config, worker::SpoolOwner::unit, true, {.on_change = [] {}, .on_trouble = [] {}}};
    }
    /// One try, at the time it is due; how long until the next one.
    Millis next(worker::Imports& imports) {
        answer();
        now += imports.wait({now}).value_or(Millis{0});
        store::Round round;
        imports.fill(round, {now});
        BOOST_TEST(!round.imports);
        BOOST_TEST(!imports.wait({now}).has_value());  // the disk is asked
        answer();
        return imports.wait({now}).value_or(Millis{-1});
    }
    /// Turns the loop until the disk has answered, and until what it has told of files is heard.
    void answer() {
        while (!loop.armed_timers().empty()) loop.turn();
        loop.turn(false);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_can_be_neither_imported_nor_moved_is_tried_with_growing_pauses) {
    Scene scene;
    worker::Imports imports = scene.imports();
    Millis least{500};
    for (int tries = 1; tries <= 20; ++tries) {
        const Millis pause = scene.next(imports);
        BOOST_TEST_CONTEXT("try " << tries) {
            BOOST_TEST(pause.count() >= least.count());
            BOOST_TEST(pause.count() <= 2 * least.count());
        }
        BOOST_TEST(!imports.at_work());
        BOOST_TEST(imports.busy());
        BOOST_TEST(imports.trouble().find("neither imported nor moved") != std::string::npos);
        least = std::min(2 * least, Millis{150'000});
    }
}

BOOST_AUTO_TEST_CASE(a_look_before_that_pause_is_over_reads_nothing_and_does_not_lengthen_it) {
    Scene scene;
    worker::Imports imports = scene.imports();
    const Millis pause = scene.next(imports);
    store::Round round;
    for (int i = 0; i < 100; ++i) imports.fill(round, {scene.now + pause - Millis{1}});
    BOOST_TEST(imports.wait({scene.now}).value_or(Millis{-1}).count() == pause.count());
}

BOOST_AUTO_TEST_CASE(once_it_is_gone_nothing_waits_and_the_next_one_begins_with_a_short_pause) {
    Scene scene;
    worker::Imports imports = scene.imports();
    for (int tries = 0; tries < 8; ++tries) scene.next(imports);
    std::filesystem::remove(scene.stuck);
    BOOST_TEST(scene.next(imports).count() == -1);
    BOOST_TEST(!imports.busy());
    BOOST_TEST(imports.trouble().empty());
    scene.put_stuck();
    bool nothing = false;
    imports.look([&] { nothing = true; });
    scene.answer();
    BOOST_TEST(!nothing);
    BOOST_TEST(imports.at_work());
    BOOST_TEST(scene.next(imports).count() <= 1'000);
}

BOOST_AUTO_TEST_CASE(a_look_that_finds_nothing_says_so_once_the_disk_has_answered) {
    Scene scene;
    std::filesystem::remove(scene.stuck);
    worker::Imports imports = scene.imports();
    BOOST_TEST(scene.next(imports).count() == -1);
    bool nothing = false;
    imports.look([&] { nothing = true; });
    BOOST_TEST(!nothing);
    BOOST_TEST(imports.busy());
    scene.answer();
    BOOST_TEST(nothing);
    BOOST_TEST(!imports.busy());
}

BOOST_AUTO_TEST_CASE(whoever_is_abandoned_waits_for_no_disk_and_wants_nothing) {
    Scene scene;
    worker::Imports imports = scene.imports();
    imports.abandon();
    BOOST_TEST(!imports.busy());
    BOOST_TEST(!imports.wait({scene.now}).has_value());
    bool nothing = false;
    imports.look([&] { nothing = true; });
    BOOST_TEST(nothing);
}

BOOST_AUTO_TEST_SUITE_END()
