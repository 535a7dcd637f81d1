// What reaches a terminal: harmless, aligned, cut.
#include <boost/test/unit_test.hpp>

#include "base/text.h"
#include "cli/find_run.h"
#include "cli/payload.h"
#include "cli/text.h"

BOOST_AUTO_TEST_SUITE(cli_text)

using namespace dormouse;
using namespace dormouse::cli;

BOOST_AUTO_TEST_CASE(escaped_leaves_ordinary_text_alone) {
    BOOST_TEST(escaped("Grüße, 東京 \"x\" \\n {}") == "Grüße, 東京 \"x\" \\n {}");
}

BOOST_AUTO_TEST_CASE(escaped_disarms_everything_that_drives_a_terminal) {
    BOOST_TEST(escaped("\x1b]0;owned\x07") == "\\x1b]0;owned\\x07");
    BOOST_TEST(escaped("a\nb\tc\rd") == "a\\nb\\tc\\rd");
    BOOST_TEST(escaped("\x7f") == "\\u007f");
    BOOST_TEST(escaped("\u009b31m") == "\\u009b31m");  // the one-character form of ESC [
    BOOST_TEST(escaped("\u202egnp.exe") == "\\u202egnp.exe");
    BOOST_TEST(escaped("a\u200bb\u2066c\u2060") == "a\\u200bb\\u2066c\\u2060");
    BOOST_TEST(escaped(std::string_view("\0", 1)) == "\\x00");
}

BOOST_AUTO_TEST_CASE(escaped_shows_bytes_that_are_no_utf_8) {
    BOOST_TEST(escaped("\xff") == "\\xff");
    BOOST_TEST(escaped("\xc3") == "\\xc3");
    BOOST_TEST(escaped("\xc0\x80") == "\\xc0\\x80");
    BOOST_TEST(escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");
    BOOST_TEST(escaped("\xe2\x82") == "\\xe2\\x82");
}

BOOST_AUTO_TEST_CASE(safe_json_escapes_what_json_allows_and_a_terminal_obeys) {
    BOOST_TEST(safe_json("{\"a\":\"\u009b31m\x7f é\"}") == "{\"a\":\"\\u009b31m\\u007f é\"}");
}

BOOST_AUTO_TEST_CASE(cut_counts_characters_and_says_that_it_cut) {
    BOOST_TEST(cut("äöü", 3) == "äöü");
    BOOST_TEST(cut("äöüß", 3) == "äö…");
}

BOOST_AUTO_TEST_CASE(table_aligns_characters_not_bytes) {
    Table table({"A", "B"});
    table.add({{"ä"}, {"1"}});
    table.add({{"xyz"}, {"2\n"}});
    BOOST_TEST(table.text() == "A    B\nä    1\nxyz  2\\n\n");
}

BOOST_AUTO_TEST_CASE(payload_says_where_it_stops_being_json) {
    const auto wrong = read_payload("{\n  \"a\": 1,\n  b\n}", 1000);
    BOOST_REQUIRE(!wrong);
    BOOST_TEST(wrong.error().message.find("line 3, column 3") != std::string::npos, wrong.error().message);
    BOOST_TEST((wrong.error().exit == Exit::usage));
    BOOST_TEST(!read_payload("", 1000).has_value());
    BOOST_TEST(!read_payload("\"\xff\"", 1000).has_value());
    BOOST_TEST(!read_payload("1e999", 1000).has_value());
    BOOST_TEST(read_payload("\"text\"", 1000).has_value());
    BOOST_TEST(read_payload(std::string(100'000, '[') + std::string(100'000, ']'), 1'000'000).has_value());
}

BOOST_AUTO_TEST_CASE(payload_may_be_as_large_as_its_limit_and_no_larger) {
    BOOST_TEST(read_payload("[1,2]", 5).has_value());
    BOOST_TEST(!read_payload("[1,22]", 5).has_value());
}

BOOST_AUTO_TEST_CASE(a_prefix_of_an_id_is_a_range_of_ids) {
    const auto range = ids_from("019ad1f2-3c");
    BOOST_REQUIRE(range.has_value());
    BOOST_TEST(range->low == "019ad1f2-3c00-0000-0000-000000000000");
    BOOST_TEST(range->high == "019ad1f2-3cff-ffff-ffff-ffffffffffff");
    BOOST_TEST(ids_from("019AD1F23c00000000000000000000ff")->low == "019ad1f2-3c00-0000-0000-0000000000ff");
    for (const char* const wrong :
         {"", "019ad1f", "019ad1f2-", "019ad1fg", "019ad1f2x3c4d", "019ad1f2-3c4d-0000-0000-0000000000000",
          "019ad1f2-3c4d0-000-0000-000000000000", "019ad1f2'; --"}) {
        // nine characters with the hyphen at its place are eight digits
        if (std::string_view(wrong) != "019ad1f2-") BOOST_TEST(!ids_from(wrong).has_value(), wrong);
    }
}

BOOST_AUTO_TEST_CASE(of_what_an_interpreter_says_the_error_is_chosen) {
    BOOST_TEST(brief("exit 1") == "exit 1");
    BOOST_TEST(brief("exit 1\n\n") == "exit 1");
    BOOST_TEST(
        brief("exit 1\nTraceback (most recent call last):\n  File \"a.py\", line 1\nModuleNotFoundError: no x\n") ==
        "exit 1: ModuleNotFoundError: no x");
    BOOST_TEST(brief("exit 1\nnode:internal/modules/cjs/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module "
                     "'x'\nRequire stack:\n- /a.js\n    at f (node:internal:1:1) {\n  code: 'MODULE_NOT_FOUND',\n}\n\n"
                     "Node.js v20.20.2\n") == "exit 1: Error: Cannot find module 'x'");
    BOOST_TEST(brief("exit 1\n/a.js:1\nconst x = ;\n          ^\n\nSyntaxError: Unexpected token ';'\n    at wrapSafe "
                     "(node:internal:1)\n\nNode.js v20.20.2") == "exit 1: SyntaxError: Unexpected token ';'");
    BOOST_TEST(
        brief("exit 1\n<internal:kernel_require.rb>:85:in `require': cannot load such file -- x (LoadError)\n\tfrom "
              "-e:1:in `<main>'") ==
        "exit 1: <internal:kernel_require.rb>:85:in `require': cannot load such file -- x (LoadError)");
    BOOST_TEST(brief("exit 255\nPHP Fatal error:  Uncaught Error: Call to undefined function x() in a.php:1\nStack "
                     "trace:\n#0 {main}\n  thrown in a.php on line 1") ==
               "exit 255: PHP Fatal error:  Uncaught Error: Call to undefined function x() in a.php:1");
    BOOST_TEST(brief("bad thing\n    at f (/a.js:1:21)\n    at g (/a.js:2:1)") == "bad thing");
    BOOST_TEST(brief("exit 3\nconverting\n  50 %") == "exit 3: 50 %");
    BOOST_TEST(brief("exit 1\n/a.js:1\r\n  at f") == "exit 1");
}

BOOST_AUTO_TEST_SUITE_END()
