// Connection strings for people's eyes: what libpq would take as a password is replaced by ***, and so is
// whatever is not known to be harmless. Knows the two forms libpq reads, and hides more, never less, when the
// text is neither.
#pragma once

#include <string>
#include <string_view>

namespace dormouse::config {

/// The connection URL or keyword string, safe to print: password, sslpassword and every parameter or value
/// that is not known to be harmless appear as ***. Text that is neither form appears as *** alone. Always one
/// line. Source: "Connection Strings" in the libpq chapter of the Postgres manual.
std::string redacted(std::string_view url);

/// True if the text holds a password, or if it cannot be told whether it does.
bool has_password(std::string_view url);

}  // namespace dormouse::config
