// What the name of a database host tells about who runs it. Names only: nothing is resolved, nobody is asked.
#pragma once

#include <string>
#include <string_view>

namespace dormouse::postgres {

/// True for hosts of providers that suspend a database nobody talks to, and start it again when somebody connects. A
/// silent session does not keep such a database awake and ends with it. Not told by the name: whether suspending was
/// switched off there; and Aurora Serverless, whose names are those of every database of that provider.
bool known_to_suspend(std::string_view host);

/// What to connect to instead of a pooler on which LISTEN cannot work, where that can be told from the name; else
/// empty.
std::string direct_host_for(const std::string& pooler_host);

}  // namespace dormouse::postgres
