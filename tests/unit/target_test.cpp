// Connection strings, taken apart into places and options.
#include "postgres/target.h"

#include <boost/test/unit_test.hpp>

#include "postgres/tls.h"

BOOST_AUTO_TEST_SUITE(target)

using namespace dormouse;
using namespace dormouse::postgres;

BOOST_AUTO_TEST_CASE(several_hosts_are_several_places_with_their_ports) {
    const auto target = parse_target("postgresql://u@one:1,two,[::1]:3/d", "");
    BOOST_TEST_REQUIRE(target.has_value());
    BOOST_TEST_REQUIRE(target->places.size() == 3U);
    BOOST_TEST(target->places[0].host == "one");
    BOOST_TEST(target->places[0].port == "1");
    BOOST_TEST(target->places[1].port == "");
    BOOST_TEST(target->places[2].host == "::1");
    BOOST_TEST(target->options.at("dbname") == "d");
    BOOST_TEST(!target->options.contains("host"));
}

BOOST_AUTO_TEST_CASE(one_port_is_for_all_hosts_and_addresses_stay_beside_names) {
    const auto target = parse_target("host=a,b hostaddr=10.0.0.1,10.0.0.2 port=7", "");
    BOOST_TEST_REQUIRE(target->places.size() == 2U);
    BOOST_TEST(target->places[1].host == "b");
    BOOST_TEST(target->places[1].address == "10.0.0.2");
    BOOST_TEST(target->places[1].port == "7");
}

BOOST_AUTO_TEST_CASE(dead_peers_are_found_by_tcp_unless_the_url_says_otherwise) {
    BOOST_TEST(parse_target("host=a", "")->options.at("tcp_user_timeout") == "30000");
    BOOST_TEST(parse_target("host=a tcp_user_timeout=5", "")->options.at("tcp_user_timeout") == "5");
    BOOST_TEST(parse_target("host=a", "")->options.at("gssencmode") == "disable");
}

BOOST_AUTO_TEST_CASE(another_host_is_not_spoken_to_without_tls_unless_somebody_has_written_that) {
    const auto mode = [](const std::string& url) { return parse_target(url, "")->options.at("sslmode"); };
    for (const char* const url : {"postgresql://u:p@db.example/d", "postgresql://u:p@192.0.2.1/d?sslmode=prefer",
                                  "host=localhost hostaddr=192.0.2.1", "host=/run,db.example sslmode=allow"})
        BOOST_TEST(mode(url) == "require", url);
    for (const char* const url : {"postgresql:///d", "host=/run/postgresql", "host=@abstract", "host=localhost",
                                  "host=127.0.0.1", "postgresql://[::1]/d"}) {
        BOOST_TEST(mode(url) == "prefer", url);
        BOOST_TEST(unproven(*parse_target(url, "")) == "", url);
    }
    BOOST_TEST(mode("host=db.example sslmode=disable") == "disable");
    BOOST_TEST(mode("host=db.example sslmode=verify-full") == "verify-full");
    BOOST_TEST(unproven(*parse_target("host=db.example sslmode=verify-full", "")) == "");
    for (const char* const with : {"", " sslmode=disable", " sslmode=require", " sslmode=verify-ca"}) {
        const std::string why = unproven(*parse_target(std::string("host=db.example password=geheim") + with, ""));
        BOOST_TEST(why.find("sslmode=verify-full") != std::string::npos, with);
        BOOST_TEST(why.find("geheim") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(who_has_no_root_certificate_is_told_the_line_to_write) {
    const std::string told = tls_hint(
        "connection to server at \"db.example\" (192.0.2.1), port 5432 failed: root certificate file "
        "\"/root/.postgresql/root.crt\" does not exist Either provide the file or change sslmode to disable server "
        "certificate verification.");
    BOOST_TEST(told.find("&sslrootcert=/etc/ssl/certs/ca-certificates.crt") != std::string::npos, told);
    BOOST_TEST(told.find("sslrootcert=system") != std::string::npos, told);
    const std::string other = tls_hint("failed: SSL error: certificate verify failed");
    BOOST_TEST(other.find("sslrootcert") != std::string::npos, other);
    BOOST_TEST(tls_hint("server does not support SSL, but SSL was required").find("sslmode=disable") !=
               std::string::npos);
    BOOST_TEST(tls_hint("database \"app\" does not exist") == "");
}

BOOST_AUTO_TEST_CASE(the_urls_own_passfile_comes_first) {
    BOOST_TEST(parse_target("host=a", "/credential")->options.at("passfile") == "/credential");
    BOOST_TEST(parse_target("host=a passfile=/mine", "/credential")->options.at("passfile") == "/mine");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_refused_without_its_password) {
    for (const char* url :
         {"postgresql://u:geheim@[broken/d", "host=a password=geheim nonsense", "postgresql://u:geheim@h/d?no_such=1",
          "postgresql://u:a@geheim@127.0.0.9:1/d", "postgresql://u:a/geheim@h/d", "postgresql://u:geheim/a@h/d",
          "postgresql://u:a?b@geheim@h/d", "postgresql://u:%geheim@h/d", "postgresql://u:geheim", "host=u:geheim@h",
          "host=a,u:geheim@h", "hostaddr=u@geheim", "host=a port=geheim", "postgresql://h/d?host=u:geheim@h"}) {
        const auto target = parse_target(url, "");
        BOOST_TEST_REQUIRE(!target.has_value(), url);
        BOOST_TEST((target.error().kind == ErrorKind::invalid));
        BOOST_TEST(target.error().message.find("geheim") == std::string::npos, target.error().message);
        BOOST_TEST(target.error().message.find("%XX") != std::string::npos, target.error().message);
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_secret_is_not_refused) {
    for (const char* url :
         {"postgresql://u:a%40b%2Fc@h:1,[::1]:2/d", "host=@abstract,/run/postgresql", "hostaddr=fe80::1%eth0a",
          "host=a password='x@y/z'", "postgresql:///d?host=/run/p&port=5", "postgresql://u:a?b=c@h/d", "postgresql://"})
        BOOST_TEST(parse_target(url, "").has_value(), url);
}

BOOST_AUTO_TEST_CASE(two_strings_are_one_database_by_where_they_lead) {
    const std::string url = "postgresql://app@db.example/app";
    for (const char* const same :
         {"postgresql://app@db.example/app?connect_timeout=5", "postgresql://other@db.example:5432/app",
          "host=db.example dbname=app user=x sslmode=verify-full", "host=db.example user=app"})
        BOOST_TEST(same_database(url, same), same);
    for (const char* const other : {"postgresql://app@db.example/other", "postgresql://app@db.example:5433/app",
                                    "postgresql://app@db2.example/app", "postgresql:///app", "host=db.example user=x",
                                    "host=db.example nonsense"})
        BOOST_TEST(!same_database(url, other), other);
    BOOST_TEST(same_database("postgresql://a@/d?host=/var/run/postgresql", "postgresql:///d?port=5432"));
    BOOST_TEST(same_database("host=localhost dbname=d", "host=127.0.0.1 dbname=d"));
    BOOST_TEST(!same_database("host=localhost dbname=d", "postgresql:///d"));
    BOOST_TEST(may_be_one_database("host=localhost dbname=d", "postgresql:///d"));
    BOOST_TEST(may_be_one_database("postgresql://u@[::1]:5433/d", "postgresql://@%2Frun%2Fp/d"));
    BOOST_TEST(!may_be_one_database("host=localhost dbname=d", "postgresql:///e"));
    BOOST_TEST(!may_be_one_database("host=localhost dbname=d", "host=db.example dbname=d"));
    BOOST_TEST(!may_be_one_database("host=localhost,db.example dbname=d", "postgresql:///d"));
    BOOST_TEST(same_database("host=a,b dbname=d", "host=b,a dbname=d"));
    BOOST_TEST(!same_database("host=a,b dbname=d", "host=a dbname=d"));
}

BOOST_AUTO_TEST_CASE(another_login_changes_nothing_else) {
    const std::string other = with_user("postgresql://a@/it's%5Chere?port=7&passfile=/p", "o'wner");
    const auto target = parse_target(other, "");
    BOOST_REQUIRE(target.has_value());
    BOOST_TEST(target->options.at("user") == "o'wner");
    BOOST_TEST(target->options.at("dbname") == "it's\\here");
    BOOST_TEST(target->options.at("passfile") == "/p");
    BOOST_TEST(target->places.at(0).port == "7");
    BOOST_TEST(by_socket(*target));
    BOOST_TEST(!by_socket(*parse_target("host=/run/p,db.example", "")));
    BOOST_TEST(says("postgresql://a@/d", "user"));
    BOOST_TEST(!says("postgresql:///d", "user"));
}

BOOST_AUTO_TEST_CASE(only_names_need_resolving) {
    BOOST_TEST(needs_resolving({"db.example", "", ""}));
    for (const char* host : {"", "/run/postgresql", "@abstract", "10.0.0.1", "::1"})
        BOOST_TEST(!needs_resolving({host, "", ""}));
    BOOST_TEST(!needs_resolving({"db.example", "10.0.0.1", ""}));
}

BOOST_AUTO_TEST_SUITE_END()
