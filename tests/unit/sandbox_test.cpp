// What tasks need of the sandbox, as lines of a drop-in.
#include "systemd/sandbox.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>

BOOST_AUTO_TEST_SUITE(sandbox)

using namespace dormouse;
using systemd::Opening;

namespace {

std::map<std::string, config::Task> tasks_with(const std::map<std::string, config::Sandbox>& wishes) {
    std::map<std::string, config::Task> tasks;
    for (const auto& [name, sandbox] : wishes) tasks[name].sandbox = sandbox;
    return tasks;
}

std::string text_of(const std::map<std::string, config::Sandbox>& wishes) {
    return systemd::drop_in_of("p", "/etc/dormouse/p.toml", systemd::openings_of(tasks_with(wishes)));
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

config::Sandbox wish(const std::function<void(config::Sandbox&)>& change) {
    config::Sandbox sandbox;
    change(sandbox);
    return sandbox;
}

}  // namespace

BOOST_AUTO_TEST_CASE(tasks_that_need_nothing_open_nothing) {
    BOOST_TEST(systemd::openings_of(tasks_with({{"a", {}}, {"b", {}}})).empty());
}

BOOST_AUTO_TEST_CASE(the_unit_gets_what_any_task_needs_and_each_line_says_which) {
    const auto writes = wish([](auto& one) { one.write = {"/srv/out"}; });
    const auto both = wish([](auto& one) {
        one.write = {"/srv/out"};
        one.priority = true;
    });
    const std::string text = text_of({{"a", writes}, {"b", both}, {"c", {}}});
    BOOST_TEST(text.find("# task a, b: sandbox.write = [\"/srv/out\"]; the cost: ") != std::string::npos, text);
    BOOST_TEST(has_line(text, "ReadWritePaths=-/srv/out"), text);
    BOOST_TEST(text.find("# task b: sandbox.priority = true; the cost: ") != std::string::npos, text);
    BOOST_TEST(has_line(text, "SystemCallFilter=@resources"), text);
    BOOST_TEST(text.starts_with(systemd::drop_in_start));
}

BOOST_AUTO_TEST_CASE(the_wider_of_two_homes_is_read_last) {
    const auto reads = wish([](auto& one) { one.home = config::Home::read_only; });
    const auto writes = wish([](auto& one) { one.home = config::Home::read_write; });
    const std::string text = text_of({{"a", writes}, {"b", reads}});
    BOOST_TEST(text.find("ProtectHome=read-only\n") < text.find("ProtectHome=no\n"), text);
    BOOST_TEST(has_line(text, "ProtectHome=no"), text);
}

BOOST_AUTO_TEST_CASE(where_the_filters_are_gone_no_line_makes_a_new_one) {
    const auto all = wish([](auto& one) {
        one.privileges = one.ownership = one.priority = one.netlink = one.namespaces = one.shared_tmp = true;
    });
    const std::string text = text_of({{"a", all}});
    for (const char* const line : {"SystemCallFilter=", "RestrictAddressFamilies=", "RestrictNamespaces=no",
                                   "NoNewPrivileges=no", "PrivateTmp=no"})
        BOOST_TEST(has_line(text, line), line);
    BOOST_TEST(text.find("SystemCallFilter=@") == std::string::npos, text);
    BOOST_TEST(text.find("RestrictNamespaces=user") == std::string::npos, text);
    BOOST_TEST(text.find("AF_NETLINK") == std::string::npos, text);
    BOOST_TEST(text.find("sandbox.netlink = true") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(what_a_unit_takes_for_something_else_is_quoted) {
    const auto odd = wish([](auto& one) {
        one.write = {"/srv/a b", "/srv/100%", "/srv/\"x\\"};
        one.devices = {"/dev/ttyS0"};
    });
    const std::string text = text_of({{"a", odd}});
    BOOST_TEST(has_line(text, "ReadWritePaths=\"-/srv/a b\""), text);
    BOOST_TEST(has_line(text, "ReadWritePaths=-/srv/100%%"), text);
    BOOST_TEST(has_line(text, "ReadWritePaths=\"-/srv/\\\"x\\\\\""), text);
    BOOST_TEST(has_line(text, "DeviceAllow=/dev/ttyS0 rw"), text);
    BOOST_TEST(has_line(text, "DevicePolicy=closed"), text);
}

BOOST_AUTO_TEST_SUITE_END()
