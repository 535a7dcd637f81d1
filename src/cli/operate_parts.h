// The two ways of an operation, by ids and by filter, and what they share. Private to operate*.cpp.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "cli/operate.h"

namespace dormouse::cli {

/// A worker has a row locked for the milliseconds of a round: what is locked, or was moved just now, is tried so often.
inline constexpr int operation_tries = 5;

Outcome operate_on_ids(const Operation& operation, const OperateOptions& options);
Outcome operate_on_filter(const Operation& operation, const OperateOptions& options);

/// The database's refusal, with what to do about it.
Failure explained(postgres::BlockingConnection& connection, const Error& error);
/// Rings the pools here that serve the queues.
void ring_for(const std::set<std::string>& queues, bool quiet, postgres::BlockingConnection& connection);
/// For a query's parameter.
std::optional<std::string> text_or_null(const std::string& text);

}  // namespace dormouse::cli
