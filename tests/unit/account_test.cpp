// What root tries for a pool it tries as the pool's account, with that account's home: libpq looks there for certificates.
#include "cli/account.h"

#include <pwd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

BOOST_AUTO_TEST_SUITE(account)

using namespace dormouse::cli;

namespace {

boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(::geteuid() == 0 && ::getpwnam("nobody") != nullptr);
    if (!result) result.message() << "only root acts as another account";
    return result;
}

std::string home() {
    const char* const value = std::getenv("HOME");
    return value == nullptr ? "none" : value;
}

}  // namespace

BOOST_AUTO_TEST_CASE(another_account_has_its_own_home_until_the_end_of_the_scope,
                     *boost::unit_test::precondition(is_root)) {
    const std::string before = home();
    const std::string its = ::getpwnam("nobody")->pw_dir;
    BOOST_TEST_REQUIRE(before != its);
    {
        const AsAccount as("nobody");
        BOOST_TEST(home() == its);
        BOOST_TEST(::geteuid() == ::getpwnam("nobody")->pw_uid);
    }
    BOOST_TEST(home() == before);
    BOOST_TEST(::geteuid() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
