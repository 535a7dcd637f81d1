// What a spool file may say, and what its name says.
#include <boost/test/unit_test.hpp>

#include "spool/entry.h"

BOOST_AUTO_TEST_SUITE(spool_entry)

using namespace dormouse;
using namespace dormouse::spool;

namespace {

const std::vector<std::string> queues{"default", "slow"};

Judged::Kind verdict(const std::string& text) {
    return judge(text, queues).kind;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_task_is_enough) {
    BOOST_TEST((verdict(R"({"task": "t"})") == Judged::Kind::good));
}

BOOST_AUTO_TEST_CASE(everything_that_enqueue_takes_is_good) {
    BOOST_TEST((
        verdict(
            R"({"task": "t", "payload": {"a": [1, null]}, "queue": "slow", "priority": -3, "key": "k", "max_attempts": 2,
                            "run_at": "2026-03-01T08:00:00Z", "timeout": "90s", "traceparent": null})") ==
        Judged::Kind::good));
}

BOOST_AUTO_TEST_CASE(what_stops_in_the_middle_is_truncated) {
    const std::string whole = R"({"task": "t", "payload": "ä"})";
    for (std::size_t length = 0; length < whole.size(); ++length)
        BOOST_TEST((verdict(whole.substr(0, length)) == Judged::Kind::truncated), "the first " << length << " bytes");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_says_why_and_not_what_it_holds) {
    const auto expect = [](const std::string& text, const std::string& reason) {
        const Judged judged = judge(text, queues);
        BOOST_TEST((judged.kind == Judged::Kind::wrong), text);
        BOOST_TEST(judged.reason.find(reason) != std::string::npos, text << ": " << judged.reason);
        BOOST_TEST(judged.reason.find("secret") == std::string::npos, judged.reason);
    };
    expect(R"([1])", "not an object");
    expect(R"({"payload": "secret"})", "has no task");
    expect(R"({"task": null})", "has no task");
    expect(R"({"task": 7})", "task is not a string");
    expect(R"({"task": "t", "priority": "high"})", "priority is not a whole number");
    expect(R"({"task": "t", "priority": 1.5})", "priority is not a whole number");
    expect(R"({"task": "t", "qeue": "slow"})", "unknown member \"qeue\"");
    expect(R"({"task": "t", "id": "secret"})", "the name of its file");
    expect(R"({"task": "t", "queue": "other"})", "not one of this pool's");
    expect(R"({"task": "t"} "secret")", "stops being JSON at byte");
    expect(R"({'task': "secret"})", "stops being JSON at byte");
    expect("{\"task\": \"\xff secret\"}", "stops being JSON at byte");
    expect(R"({"task": "t", "payload": 1e999})", "number that is too large");
}

BOOST_AUTO_TEST_CASE(a_deep_payload_is_not_walked_recursively) {
    const std::string deep =
        R"({"task": "t", "payload": )" + std::string(500'000, '[') + std::string(500'000, ']') + "}";
    BOOST_TEST((verdict(deep) == Judged::Kind::good));
}

BOOST_AUTO_TEST_CASE(names_carry_ids) {
    const Uuid id = Uuid::time_ordered();
    BOOST_TEST((id_of(id.to_string() + ".json") == id));
    BOOST_TEST((id_of("nightly." + id.to_string() + ".json") == id));
    BOOST_TEST((id_of(with_id("a.json", id)) == id));
    BOOST_TEST(with_id("a.json", id) == "a." + id.to_string() + ".json");
    const std::string longest = with_id(std::string(250, 'x') + ".json", id);
    BOOST_TEST(longest.size() == 255U);
    BOOST_TEST((id_of(longest) == id));
    for (const std::string& name : {std::string("a.json"), std::string(".json"), id.to_string(),
                                    "x" + id.to_string() + ".json", "." + id.to_string() + ".json"})
        BOOST_TEST(!id_of(name).has_value(), name);
}

BOOST_AUTO_TEST_CASE(only_finished_names_are_entries) {
    BOOST_TEST(is_entry("a.json"));
    for (const char* name : {"", ".json", ".a.json", "a.json.tmp", "a", "rejected"}) BOOST_TEST(!is_entry(name), name);
}

BOOST_AUTO_TEST_SUITE_END()
