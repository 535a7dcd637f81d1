// What a handler says of a refusal of the sandbox, and the word that lifts it.
#include "handlers/refusal.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(refusal)

using namespace dormouse;
using handlers::Bars;

namespace {

constexpr Bars unit{true, true, true};

config::Task task_with(const config::Sandbox& sandbox = {}) {
    config::Task task;
    task.name = "copy";
    task.sandbox = sandbox;
    return task;
}

std::string hint(std::string_view error, const Bars& bars = unit, const config::Sandbox& sandbox = {}) {
    return handlers::refusal_hint(error, bars, task_with(sandbox), "files");
}

bool names(std::string_view word, std::string_view error) {
    const std::string seen = hint(error);
    if (seen.find(word) != std::string::npos) return true;
    BOOST_TEST_MESSAGE(error << ": " << seen);
    return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_programs_and_languages_say_of_a_refusal_is_told_with_its_word) {
    BOOST_TEST(hint("exit 1\ntouch: cannot touch '/srv/a': Read-only file system") ==
               "[if the sandbox of the unit refused that: sandbox = { write = [\"DIRECTORY\"] } in [task.copy], "
               "then sudo dormouse sandbox files --install]");
    BOOST_TEST(names("write", "OSError: [Errno 30] Read-only file system: '/srv/a'"));
    BOOST_TEST(names("write", "Error: EROFS: read-only file system, open '/srv/a'"));
    BOOST_TEST(names("home", "ls: cannot access '/home/deploy/app': Permission denied"));
    BOOST_TEST(names("home", "PermissionError: [Errno 13] Permission denied: '/root/.cache/a'"));
    BOOST_TEST(names("ownership", "rsync: [generator] chgrp \"/srv/a\" failed: Operation not permitted (1)"));
    BOOST_TEST(names("ownership", "tar: a: Cannot change ownership to uid 0, gid 33: Operation not permitted"));
    BOOST_TEST(names("ownership", "chmod: changing permissions of 'a': Operation not permitted"));
    BOOST_TEST(names("priority", "nice: cannot set niceness: Operation not permitted"));
    BOOST_TEST(names("priority", "taskset: failed to set pid 0's affinity: Operation not permitted"));
    BOOST_TEST(names("netlink", "OSError: [Errno 97] Address family not supported by protocol"));
    BOOST_TEST(names("privileges", "sudo: The \"no new privileges\" flag is set, which prevents sudo from running"));
    BOOST_TEST(names("namespaces", "unshare: unshare failed: Operation not permitted"));
    BOOST_TEST(
        names("namespaces", "bwrap: No permissions to create new namespace, likely because the kernel does not"));
    BOOST_TEST(names("namespaces",
                     "  * A parent process set prctl(PR_SET_NO_NEW_PRIVS, ...)\nFailed to move to new namespace: PID "
                     "namespaces supported, but failed: errno = Operation not permitted"));
    BOOST_TEST(names("namespaces",
                     "FATAL:sandbox/linux/services/credentials.cc:371] Check failed: . : Operation not permitted (1)"));
}

BOOST_AUTO_TEST_CASE(what_is_told_without_a_network_names_the_task_that_has_none) {
    config::Sandbox none;
    none.network = false;
    for (const char* error : {"PermissionError: [Errno 13] Permission denied\n  in socket.py, connect",
                              "connect EACCES 192.0.2.1:80", "curl: (6) Could not resolve host: example.org",
                              "socket.gaierror: [Errno -3] Temporary failure in name resolution"}) {
        BOOST_TEST(hint(error, {}, none) == "[task.copy is kept from the network: sandbox = { network = false }]");
        BOOST_TEST(hint(error).find("network") == std::string::npos, error);
    }
    BOOST_TEST(hint("cat: /srv/a: Permission denied", {}, none) == "");
}

BOOST_AUTO_TEST_CASE(other_errors_get_no_word) {
    for (const char* error : {"", "exit 1", "ValueError: no", "psql: error: connection refused",
                              "/srv/a: Permission denied", "kill: (1): Operation not permitted"})
        BOOST_TEST(hint(error) == "");
}

BOOST_AUTO_TEST_CASE(a_word_that_the_task_has_is_not_the_remedy) {
    config::Sandbox sandbox;
    sandbox.ownership = true;
    BOOST_TEST(hint("chgrp: changing group of 'a': Operation not permitted", unit, sandbox) == "");
    sandbox = {};
    sandbox.home = config::Home::read_only;
    BOOST_TEST(hint("touch: cannot touch '/home/a/b': Read-only file system", unit, sandbox).find("{ write") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(where_nothing_bars_it_nothing_is_said) {
    for (const char* error : {"a: Read-only file system", "chgrp: a: Operation not permitted", "no new privileges",
                              "Address family not supported by protocol", "/home/a: Permission denied"})
        BOOST_TEST(hint(error, {}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
