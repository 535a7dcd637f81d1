#include <boost/test/unit_test.hpp>
#include <utility>
#include <vector>

#include "config/redact.h"

BOOST_AUTO_TEST_SUITE(config_redact)

using namespace dormouse::config;

BOOST_AUTO_TEST_CASE(what_holds_no_secret_is_shown_as_it_is) {
    for (const std::string text : {
             "postgresql://worker@db.example/app?sslmode=verify-full",
             "postgres://db.example:5432/app",
             "postgresql://u@[::1]:5432/app",
             "postgresql://h1:5432,h2:5433/app?target_session_attrs=read-write",
             "postgresql:///app?host=%2Frun%2Fpostgresql&passfile=/etc/pgpass",
             "postgresql://",
             "host=/tmp/x dbname=app user=me@server",
             "service=dormouse",
             "host=::1 port=5432 sslkey=/etc/key.pem passfile=/etc/pgpass",
             "",
         }) {
        BOOST_TEST(redacted(text) == text);
        BOOST_TEST(!has_password(text), text);
    }
}

BOOST_AUTO_TEST_CASE(passwords_become_stars_and_the_rest_stays_readable) {
    const std::vector<std::pair<std::string, std::string>> table{
        {"postgresql://u:hunter2@db/app", "postgresql://u:***@db/app"},
        {"postgresql://u:hunter2@h1:1,h2:2/app?sslmode=require", "postgresql://u:***@h1:1,h2:2/app?sslmode=require"},
        {"postgresql://:hunter2@/app", "postgresql://:***@/app"},
        {"postgresql://u@db/app?password=hunter2", "postgresql://u@db/app?password=***"},
        {"postgresql://u@db/app?PassWord=hunter2&sslmode=require",
         "postgresql://u@db/app?password=***&sslmode=require"},
        {"postgresql://u@db/app?p%61ssword=hunter2", "postgresql://u@db/app?password=***"},
        {"postgresql://u@db/app?sslpassword=hunter2", "postgresql://u@db/app?sslpassword=***"},
        {"host=db password=hunter2 user=u", "host=db password=*** user=u"},
        {"host=db password = 'hunter2 \\' hunter2' user=u", "host=db password=*** user=u"},
        {"host=db sslpassword=hunter2", "host=db sslpassword=***"},
        {"host=db passwd=hunter2", "host=db passwd=***"},
        {"dbname=postgresql://u:hunter2@db/app", "dbname=***"},
        {"dbname='host=db password=hunter2'", "dbname=***"},
        {"oauth_client_secret=hunter2", "oauth_client_secret=***"},
    };
    for (const auto& [text, expected] : table) {
        BOOST_TEST(redacted(text) == expected);
        BOOST_TEST(has_password(text), text);
    }
}

BOOST_AUTO_TEST_CASE(malformed_text_is_hidden_rather_than_shown) {
    for (const std::string text : {
             "postgresql://u:hun/ter2@db/app",
             "postgresql://u:hun?ter2@db/app",
             "postgresql://u:hun@ter2@db/app",
             "postgresql://u:hun#ter2@db",
             "postgresql://u:hunter2",
             "host=u:hunter2@db",
             "host=db,u:hunter2@db",
             "hostaddr=u:hunter2@::1",
             "host=db port=hunter2",
             "postgresql://u@/app?host=u:hunter2@db",
             "postgresql://u:hunter2/app",
             "postgresql://u%3Ahunter2@db/app",
             "postgresql://u@db:hunter2/app",
             "postgresql://u@[::1:hunter2/app",
             "postgresql://[hunter2",
             "postgresql://u@db/app?hunter2",
             "postgresql://u@db/app?sslmode=require;password=hunter2",
             "postgresql://u@db/app?sslmode=a%3Bpassword%3Dhunter2",
             "postgresql://u@db/app?%70%zz=hunter2",
             "postgresql://db:1/app?application_name=a@b&password=hunter2",
             "postgresql:/u:hunter2@db",
             "mysql://u:hunter2@db/app",
             "u:hunter2@db/app",
             "hunter2",
             "host=db password='hunter2",
             "host=db password=hunter2\\",
             "host=db hunter2",
             "host=db = hunter2",
             "password=a hunter2 host=db",
             " postgresql://u:hunter2@db/app?sslmode=require",
             "host=db user=\"hunter2\"",
             "p\xff=hunter2",
         }) {
        BOOST_TEST(redacted(text).find("ter2") == std::string::npos, text + " → " + redacted(text));
        BOOST_TEST(redacted(text).find("hun") == std::string::npos, text + " → " + redacted(text));
        BOOST_TEST(has_password(text), text);
    }
}

BOOST_AUTO_TEST_CASE(the_servers_settings_are_hidden_but_are_no_password) {
    BOOST_TEST(redacted("host=db options='-c app.token=x'") == "host=db options=***");
    BOOST_TEST(!has_password("host=db options='-c app.token=x'"));
}

BOOST_AUTO_TEST_CASE(what_is_shown_is_one_line_without_control_characters) {
    for (const std::string text :
         {"host=a\x1b[2J", "postgresql://a\nb@c/d", "host='a\nb'", "postgresql://a@b/c\n?d\x07=e"})
        for (const char c : redacted(text)) BOOST_TEST(static_cast<unsigned char>(c) >= 0x20U);
}

BOOST_AUTO_TEST_SUITE_END()
