// Which servers can hold dormouse: Postgres 14 to 18, and later ones with a warning. Others speak its protocol and lack
// what it rests on: advisory locks that other sessions see, NOTIFY, triggers with transition tables. Driven by the
// migrator and by each new session.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "postgres/blocking.h"

namespace dormouse::postgres {

/// Why a server that answers this to version() and server_version_num cannot hold dormouse, with the remedy; empty: it
/// can.
std::string unfit_server(std::string_view version, int number);

/// The same by the number alone, as PQserverVersion() gives it, for each session.
Status require_version(int number);

/// What to be told of a server that is newer than any that dormouse was tested with; empty: it was.
std::string untested_version(int number);

/// Asks the server, and tries an advisory lock. Errors: incompatible, and whatever the server says.
Status require_postgres(BlockingConnection& connection);

}  // namespace dormouse::postgres
