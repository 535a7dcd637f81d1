// Payloads as values of C++: what a bad one says, and where its fault is.
#include <dormouse/typed.h>

#include <boost/test/unit_test.hpp>
#include <map>
#include <optional>

BOOST_AUTO_TEST_SUITE(typed)

namespace {

struct Item {
    std::string name;
    double price = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Item, name, price)

struct Order {
    int number = 0;
    std::vector<Item> items;
    std::map<std::string, bool> flags;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Order, number, items, flags)

struct Even {
    int value = 0;
};
void from_json(const nlohmann::json& json, Even& even) {
    even.value = json.at("value");
    if (even.value % 2 != 0) throw std::invalid_argument("value has to be even");
}

std::string fault(const std::string& payload) {
    return dormouse::detail::explain_payload<Order>(nlohmann::json::parse(payload));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_fault_is_named_with_its_place_what_was_expected_and_what_was_found) {
    BOOST_TEST(fault(R"({"number": 1, "items": [{"name": "a", "price": 1}, {"name": "b", "price": 2},
                         {"name": "c", "price": 3}, {"name": "d", "price": "4"}], "flags": {}})") ==
               "/items/3/price: expected number, found string");
    BOOST_TEST(fault(R"({"number": 1, "items": [{"name": 7, "price": 1}], "flags": {}})") ==
               "/items/0/name: expected string, found number");
    BOOST_TEST(fault(R"({"number": 1, "items": {"name": "a"}, "flags": {}})") ==
               "/items: expected array, found object");
    BOOST_TEST(fault(R"({"number": 1, "items": [], "flags": {"a": true, "b/c": null}})") ==
               "/flags/b~1c: expected boolean, found null");
}

BOOST_AUTO_TEST_CASE(of_several_faults_of_one_kind_the_first_that_is_read_is_named) {
    BOOST_TEST(
        fault(R"({"number": 1, "items": [{"name": "a", "price": "1"}, {"name": "b", "price": "2"}], "flags": {}})") ==
        "/items/0/price: expected number, found string");
}

BOOST_AUTO_TEST_CASE(a_member_that_is_not_there_is_named_with_the_place_where_it_should_be) {
    BOOST_TEST(fault(R"({"number": 1, "items": [{"name": "a", "price": 1}, {"name": "b"}], "flags": {}})") ==
               "/items/1/price: is missing");
    BOOST_TEST(fault("{}") == "/number: is missing");
}

BOOST_AUTO_TEST_CASE(a_payload_that_is_no_object_at_all_is_called_the_payload) {
    BOOST_TEST(fault("[]") == "payload: expected object, found array");
    BOOST_TEST(fault("null") == "payload: expected object, found null");
}

BOOST_AUTO_TEST_CASE(what_a_conversion_of_ones_own_throws_is_passed_on) {
    BOOST_TEST(dormouse::detail::explain_payload<Even>(nlohmann::json::parse(R"({"value": 3})")) ==
               "value has to be even");
}

BOOST_AUTO_TEST_CASE(of_a_large_payload_the_place_is_looked_for_no_longer_than_a_moment) {
    nlohmann::json order{{"number", 1}, {"items", nlohmann::json::array()}, {"flags", nlohmann::json::object()}};
    for (int i = 0; i < 20'000; ++i) order["items"].push_back({{"name", "n"}, {"price", 1}});
    order["items"].back()["price"] = "x";
    const auto begin = std::chrono::steady_clock::now();
    const std::string said = dormouse::detail::explain_payload<Order>(order);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    BOOST_TEST_MESSAGE("took " << took.count() << " s; the aim is less than 1 s");
    BOOST_TEST(said.find("expected number, found string") != std::string::npos, said);
}

BOOST_AUTO_TEST_SUITE_END()
