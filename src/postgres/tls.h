// What a connection over a network has to prove. libpq by itself tries TLS and goes on without it, so that whoever is
// in between reads the password; here another host is never spoken to without TLS unless the string says so. Pure.
#pragma once

#include <string>

#include "postgres/target.h"

namespace dormouse::postgres {

/// The sslmode to use: what the target says, but `require` in place of `prefer` and `allow`, libpq's defaults, when one
/// of its places is on another host. `disable` stays: somebody has written it.
std::string sslmode_of(const Target& target);

/// The require_auth to use: what the target says, else that no server gets a password in clear that has not proven who
/// it is (sslmode=verify-full; one on this host proves nothing either). Empty: nothing is required, or libpq is older
/// than 16 and cannot. Source: libpq chapter, "require_auth".
std::string require_auth_of(const Target& target);

/// What is not proven about the server, with the line to write; empty: nothing is left to prove, or it is this host.
std::string unproven(const Target& target);

/// "; …" for the error of a server that has no TLS, whose certificate cannot be verified, or that wants a password in
/// clear; empty: the error is about something else.
std::string tls_hint(const std::string& message);

}  // namespace dormouse::postgres
