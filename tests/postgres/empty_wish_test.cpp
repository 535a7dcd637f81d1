// Rounds between participants that are right and one that asks for a round and has nothing for it: it must neither make
// the loop turn for ever nor hold up the others.
#include <boost/test/unit_test.hpp>

#include "base/log.h"
#include "loop/timer.h"
#include "rounds/rounds.h"
#include "support/cluster.h"

namespace empty_wish {

using namespace dormouse;
using namespace dormouse::testing;
using namespace std::chrono_literals;

namespace {

/// Asks `asks` times whether somebody is between a wake and its commit; wants a round for ever if it is `greedy`.
class Asker : public rounds::Participant {
  public:
    Asker(const char* name, int asks, bool greedy) : asks_(asks), name_(name), greedy_(greedy) {}

    [[nodiscard]] const char* name() const override { return name_; }
    [[nodiscard]] store::Parts parts() const override { return store::parts({store::Part::waking}); }
    bool fill(store::Round& round, const rounds::Moment&) override {
        ++filled;
        if (asks_ == 0) return false;
        --asks_;
        return round.ask_waking = true;
    }
    void answered(store::Answer&, rounds::Time) override { ++answers; }
    void undone() override { ++asks_; }
    [[nodiscard]] std::optional<Millis> wait(const rounds::Moment&) const override {
        if (asks_ > 0 || greedy_) return Millis{0};
        return std::nullopt;
    }

    int filled = 0;
    int answers = 0;

  private:
    int asks_;
    const char* name_;
    bool greedy_;
};

struct Fixture {
    TestDatabase database;
    loop::Loop loop;
    loop::Timer timer{loop, "test.step"};
    int complaints = 0;
    log::OfThisThread log{log::Level::info, [this](auto, std::string_view event, std::string_view, auto) {
                              if (event == "empty_wish") ++complaints;
                          }};
    rounds::Rounds rounds{loop,
                          terms(database.url()),
                          {},
                          1'000'000,
                          {.on_open = [this] { step(); },
                           .on_lost = [](const Error&) {},
                           .on_trouble = [] {},
                           .on_change = [this] { step(); },
                           .on_compose = [](store::Round&) {}}};

    static store::Wire::Terms terms(const std::string& url) {
        store::Wire::Terms terms;
        terms.place.url = url;
        terms.identity.queues = {"default"};
        return terms;
    }
    static rounds::Moment moment() { return {.now = BootClock::now()}; }
    void step() {
        rounds.send(moment());
        if (const auto wait = rounds.wait(moment())) timer.once(std::max(*wait, Millis{0}), [this] { step(); });
    }
    void run(Millis time) {
        rounds.wire().open();
        loop::Timer end(loop, "test.end");
        end.once(time, [this] { loop.stop(); });
        loop.run();
        timer.stop();
        rounds.close();
    }
};

}  // namespace

}  // namespace empty_wish

BOOST_FIXTURE_TEST_SUITE(empty_wish, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(whoever_asks_and_has_nothing_is_named_and_waits_and_the_others_go_on) {
    Asker greedy("greedy", 0, true);
    Asker right("right", 3, false);
    rounds.add(greedy);
    rounds.add(right);
    run(1'500ms);
    BOOST_TEST(right.answers == 3);
    BOOST_TEST(greedy.answers == 0);
    BOOST_TEST(complaints >= 1);
    BOOST_TEST(complaints <= 3);
    BOOST_TEST(greedy.filled <= 10);  // and not as often as the loop can turn
}

BOOST_AUTO_TEST_SUITE_END()
