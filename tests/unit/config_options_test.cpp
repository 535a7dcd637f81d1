#include <boost/test/unit_test.hpp>
#include <set>

#include "config/options.h"
#include "config/tasks.h"
#include "config/text.h"

BOOST_AUTO_TEST_SUITE(config_options)

using namespace dormouse::config;

BOOST_AUTO_TEST_CASE(every_default_in_the_table_is_accepted_and_is_the_default_in_the_struct) {
    Config table = defaults();
    Config plain;
    for (const Option& option : options()) {
        BOOST_TEST_CONTEXT(option.key.name) {
            BOOST_TEST(shown(option.key, option.slot(table)) == shown(option.key, option.slot(plain)));
            if (!option.key.fallback.empty()) {
                BOOST_TEST(assign(option.key, option.slot(plain), Value::typed(option.key.fallback)).has_value());
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(every_default_of_a_task_is_accepted_and_is_the_default_in_the_struct) {
    for (const TaskKey& known : task_keys()) {
        if (known.key.fallback.empty()) continue;
        Task plain;
        const std::string before = shown(known.key, known.slot(plain));
        BOOST_TEST(assign(known.key, known.slot(plain), Value::typed(known.key.fallback)).has_value(), known.key.name);
        BOOST_TEST(shown(known.key, known.slot(plain)) == before, known.key.name);
    }
    BOOST_TEST(Task().warm_idle.count() == 60'000);
}

BOOST_AUTO_TEST_CASE(every_option_shows_a_text_that_reads_back) {
    Config config = defaults();
    config.database.url = "host=/tmp dbname=app";
    for (const Option& option : options()) {
        const std::string text = shown(option.key, option.slot(config));
        if (text.empty() && option.key.fallback.empty()) continue;  // what is not set is written by nobody
        BOOST_TEST(assign(option.key, option.slot(config), Value::typed(text)).has_value(), option.key.name);
        BOOST_TEST(shown(option.key, option.slot(config)) == text, option.key.name);
    }
}

BOOST_AUTO_TEST_CASE(names_are_unique_and_every_option_has_help) {
    std::set<std::string> names;
    for (const Option& option : options()) {
        BOOST_TEST(names.insert(environment_name(option)).second);
        BOOST_TEST(option.key.name.find('.') != std::string_view::npos);
        BOOST_TEST(option.key.help.ends_with('.'), option.key.name);
        BOOST_TEST(find_option(option.key.name) == &option);
    }
    BOOST_TEST(environment_name(*find_option("worker.batch_size")) == "DORMOUSE_WORKER_BATCH_SIZE");
    BOOST_TEST(find_option("worker.nothing") == nullptr);
}

BOOST_AUTO_TEST_CASE(the_ends_of_a_range_are_accepted_and_what_is_beyond_is_not) {
    for (const Option& option : options()) {
        if (option.key.type != Type::integer) continue;
        Config config;
        for (const std::int64_t right : {option.key.min, option.key.max})
            BOOST_TEST(assign(option.key, option.slot(config), Value::typed(std::to_string(right))).has_value());
        for (const std::int64_t wrong : {option.key.min - 1, option.key.max + 1})
            BOOST_TEST(!assign(option.key, option.slot(config), Value::typed(std::to_string(wrong))).has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_refused_value_leaves_the_place_as_it_was) {
    Config config = defaults();
    const Option& option = *find_option("worker.queues");
    BOOST_TEST(!assign(option.key, option.slot(config), Value::typed("a,,b")).has_value());
    BOOST_TEST(config.worker.queues == std::vector<std::string>{"default"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
