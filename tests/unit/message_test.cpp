// What handlers say, read without trust; what the worker says to them.
#include "handlers/message.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "handlers/json_text.h"

BOOST_AUTO_TEST_SUITE(message)

using namespace dormouse;
using namespace dormouse::handlers;
using Type = Message::Type;

namespace {

Message parsed(std::string_view line) {
    const auto message = parse_message(line);
    BOOST_REQUIRE_MESSAGE(message.has_value(), std::string(line) + (message ? "" : ": " + message.error().message));
    return *message;
}

std::string refusal(std::string_view line) {
    const auto message = parse_message(line);
    return message ? "taken" : message.error().message;
}

const std::string id = "01a203aa-64db-726e-88bd-89d26dc6467f";

}  // namespace

BOOST_AUTO_TEST_CASE(a_result_leaves_as_it_was_written) {
    for (const char* result : {"1e400000000", "nul"}) BOOST_TEST(!is_json(result));
    for (const char* result : {"123456789012345678901234567890", "1.0", R"({"b" : [1, 2],"b":"}\"]"})",
                               R"("\u00e9\u0000")", "[[], {}]", "true", "-0.10e+5", R"("")"}) {
        const auto message =
            parsed(R"({"result": )" + std::string(result) + R"( , "type":"completed","id":")" + id + "\"}");
        BOOST_TEST(message.result == result);
        BOOST_TEST((message.type == Type::completed));
        BOOST_TEST(message.id->to_string() == id);
    }
    BOOST_TEST(parsed(R"({"type":"completed"})").result.empty());
    BOOST_TEST(parsed(R"({"type":"completed","result":null})").result.empty());
    BOOST_TEST(parsed(R"({"type":"completed","enqueue":[{"task":"b"}]})").enqueue == R"([{"task":"b"}])");
}

BOOST_AUTO_TEST_CASE(errors_and_wishes) {
    const auto failed = parsed(R"({"type":"failed","class":"KeyError","message":"no\u0000 key","permanent":true})");
    BOOST_TEST(failed.error_class == "KeyError");
    BOOST_TEST(failed.text == "no\xEF\xBF\xBD key");
    BOOST_TEST(failed.permanent);
    BOOST_TEST(!parsed(R"({"type":"failed"})").permanent);
    BOOST_TEST((parsed(R"({"type":"retry","in":1.5})").in == Millis{1'500}));
    BOOST_TEST(!parsed(R"({"type":"retry"})").in.has_value());
    BOOST_TEST((parsed(R"({"type":"heartbeat","within":30})").in == Millis{30'000}));
    BOOST_TEST((parsed(R"({"type":"log","level":"warn","text":"x"})").level == Level::warning));
    const auto progress = parsed(R"({"type":"progress","fraction":0.25,"text":"a quarter"})").progress;
    BOOST_TEST((progress.fraction == 0.25 && progress.text == "a quarter"));
}

BOOST_AUTO_TEST_CASE(a_hello_says_what_the_process_serves) {
    const auto hello = parsed(R"({"type":"hello","protocol":1,"tasks":["a","b"],"concurrency":4,"client":"python 1"})");
    BOOST_TEST(hello.protocol == 1);
    BOOST_TEST(hello.tasks.size() == 2U);
    BOOST_TEST(hello.concurrency == 4);
    BOOST_TEST(hello.client == "python 1");
}

BOOST_AUTO_TEST_CASE(nonsense_is_refused_with_what_was_expected) {
    BOOST_TEST(refusal("") == "it is not JSON");
    BOOST_TEST(refusal("hello") == "it is not JSON");
    BOOST_TEST(refusal(std::string_view("{\"type\":\"log\"}\0", 15)) == "it is not JSON");
    for (const char* line : {"[]", "{}", "1", R"({"type":1})", R"({"type":null})"})
        BOOST_TEST(refusal(line) == R"(it is no object with a "type", such as {"type":"completed"})");
    BOOST_TEST(refusal(R"({"type":"done"})").starts_with(R"("type" is "done", and not hello, completed)"));
    BOOST_TEST(refusal(R"({"type":"progress","fraction":1.5})") ==
               R"(progress: "fraction" has to be a number from 0 to 1)");
    BOOST_TEST(refusal(R"({"type":"completed","id":"x"})") == R"(completed: "id" has to be the run's id)");
    BOOST_TEST(refusal(R"({"type":"completed","enqueue":{}})") == R"(completed: "enqueue" has to be an array of runs)");
    BOOST_TEST(refusal(R"({"type":"heartbeat"})") == R"(heartbeat: "within" has to be a number of seconds)");
    BOOST_TEST(refusal(R"({"type":"hello","protocol":1,"tasks":"a"})") ==
               R"(hello: "tasks" has to be an array of strings)");
    BOOST_TEST(refusal(R"({"type":"failed","permanent":"yes"})") == R"(failed: "permanent" has to be true or false)");
    BOOST_TEST(refusal(R"({"type":"log","level":"loud"})") ==
               R"(log: "level" has to be debug, info, warning or error)");
}

BOOST_AUTO_TEST_CASE(depth_and_length_are_no_danger) {
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    BOOST_TEST(parsed(R"({"type":"completed","result":)" + deep + "}").result == deep);
    BOOST_TEST(parsed(R"({"type":"progress","text":")" + std::string(1'000, 'x') + "\"}").progress.text.size() == 200U);
    BOOST_TEST(parsed(R"({"type":"failed","message":")" + std::string(100'000, 'x') + "\"}").text.size() == 8192U);
}

BOOST_AUTO_TEST_CASE(a_run_is_one_line_with_the_payload_as_it_was) {
    RunSpec spec;
    spec.id = *Uuid::parse(id);
    spec.task = "a \"b\"\n";
    spec.queue = "default";
    spec.fence = "7:" + id;
    spec.payload = R"({"n": 123456789012345678901234567890})";
    spec.timeout = Millis{5'000};
    const std::string line = run_message(spec);
    BOOST_TEST(line.find('\n') == line.size() - 1);
    BOOST_TEST(line.find(spec.payload) != std::string::npos);
    const auto run = nlohmann::json::parse(line);
    BOOST_TEST(run["type"] == "run");
    BOOST_TEST(run["task"] == spec.task);
    BOOST_TEST(run["deadline"].get<double>() > 1.7e9);
    BOOST_TEST(!run.contains("traceparent"));
    BOOST_TEST(nlohmann::json::parse(cancel_message(spec.id, "timeout"))["reason"] == "timeout");
}

BOOST_AUTO_TEST_CASE(a_stream_is_cut_into_lines_however_it_comes) {
    Frames frames(10);
    std::vector<std::string> lines;
    const auto take = [&](std::string_view line) { lines.emplace_back(line); };
    BOOST_TEST(frames.add("ab", take));
    BOOST_TEST(frames.add("c\n\nde", take));
    BOOST_TEST(frames.add("f\n0123456789\n", take));
    BOOST_TEST((lines == std::vector<std::string>{"abc", "", "def", "0123456789"}));
    BOOST_TEST(frames.rest().empty());
    BOOST_TEST(!frames.add("01234567890", take));
}

BOOST_AUTO_TEST_SUITE_END()
