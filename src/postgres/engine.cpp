#include "postgres/engine.h"

#include <array>
#include <utility>

namespace dormouse::postgres {
namespace {

constexpr int oldest_server = 140'000;
constexpr int newest_tested = 18;

/// What is in the answer to version().
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> others{{
    {"CockroachDB", "CockroachDB, which has neither advisory locks nor NOTIFY"},
    {"-YB-", "YugabyteDB, which has no NOTIFY, and advisory locks in some versions only"},
    {"Redshift", "Redshift, which has neither triggers nor NOTIFY"},
}};

/// 150018: "15.18".
std::string version_text(int number) {
    return std::to_string(number / 10'000) + "." + std::to_string(number % 10'000);
}

}  // namespace

Status require_version(int number) {
    if (number >= oldest_server) return {};
    return fail(ErrorKind::incompatible,
                "this server says that it is Postgres " + version_text(number) +
                    ", dormouse needs Postgres 14 or later; upgrade the server, or see whether it is Postgres at all");
}

std::string untested_version(int number) {
    if (number / 10'000 <= newest_tested) return {};
    return "the server is Postgres " + version_text(number) + ", and this release of dormouse was tested with 14 to " +
           std::to_string(newest_tested) + ": see whether there is a newer one";
}

std::string unfit_server(std::string_view version, int number) {
    for (const auto& [mark, what] : others)
        if (version.find(mark) != std::string_view::npos)
            return "this server is " + std::string(what) + "; dormouse needs Postgres 14 or later";
    if (number < oldest_server)
        return "this server is " + std::string(version.substr(0, version.find(" on "))) +
               ", dormouse needs Postgres 14 or later; upgrade the server";
    return {};
}

Status require_postgres(BlockingConnection& connection) {
    const std::string what = "what server this is";
    const auto told =
        connection.ask(what, "SELECT pg_catalog.version(), pg_catalog.current_setting('server_version_num')");
    if (!told) return tl::unexpected(told.error());
    const std::string unfit = unfit_server(told->text(0, 0), static_cast<int>(told->integer(0, 1)));
    if (!unfit.empty()) return fail(ErrorKind::incompatible, unfit);
    // Aurora DSQL says that it is Postgres 16.
    Status begun = connection.script(what, "BEGIN");
    if (!begun) return begun;
    const auto locked = connection.ask(what, "SELECT pg_catalog.pg_try_advisory_xact_lock(7237128940554646374)");
    const auto seen = connection.ask(what,
                                     "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE pid "
                                     "OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND locktype "
                                     "OPERATOR(pg_catalog.=) 'advisory'");
    const Status ended = connection.script(what, "ROLLBACK");
    if (!ended) return ended;
    const bool taken = locked && locked->text(0, 0) == "t";
    if (taken && (!seen || seen->integer(0, 0) < 1))
        return fail(
            ErrorKind::incompatible,
            "this server has no advisory locks that other sessions see, so it is not Postgres, whatever it says "
            "(CockroachDB, Aurora DSQL and others speak its protocol); dormouse needs Postgres 14 or later");
    if (!locked && locked.error().kind != ErrorKind::disconnected)
        return fail(ErrorKind::incompatible, "this server has no advisory locks (" + locked.error().message +
                                                 "); dormouse needs Postgres 14 or later");
    return {};
}

}  // namespace dormouse::postgres
