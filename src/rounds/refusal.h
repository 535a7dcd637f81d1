// The name of an error that the database has about one run: what a person reads as the class of the run's failure.
#pragma once

#include <string>

#include "store/wire.h"

namespace dormouse::rounds {

/// follow_up_rejected: of the runs that were to be enqueued with it. `values` ("result_rejected"; nullptr: there were
/// none), when the database does not take or cannot give out the values themselves. trigger_refused: anything else,
/// hence a trigger or a rule of somebody's, whatever SQLSTATE it gives.
inline std::string refusal_class(const store::Refused& refused, const char* values) {
    if (refused.part == store::Part::enqueue) return "follow_up_rejected";
    if (refused.of_a_function || values == nullptr) return "trigger_refused";
    const std::string& state = refused.sqlstate;
    for (const char* const about_values : {"22", "23", "54", "0A", "XX"})
        if (state.starts_with(about_values)) return values;
    return "trigger_refused";
}

}  // namespace dormouse::rounds
