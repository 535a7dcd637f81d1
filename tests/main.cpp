#define BOOST_TEST_MODULE dormouse
#include <boost/test/output/compiler_log_formatter.hpp>
#include <boost/test/unit_test.hpp>

namespace {

/// Says of a skipped test why, but not of each of the other suites that this call did not ask for: a hundred such lines
/// hide the one that failed.
class Log : public boost::unit_test::output::compiler_log_formatter {
    void test_unit_skipped(std::ostream& out, const boost::unit_test::test_unit& unit,
                           boost::unit_test::const_string reason) override {
        if (reason != "disabled") compiler_log_formatter::test_unit_skipped(out, unit, reason);
    }
};

struct UsesLog {
    UsesLog() { boost::unit_test::unit_test_log.set_formatter(new Log); }  // owned there
};

}  // namespace

BOOST_TEST_GLOBAL_CONFIGURATION(UsesLog);
