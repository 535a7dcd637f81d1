// What `dormouse doctor` has found of one thing.
#pragma once

#include <string>
#include <vector>

namespace dormouse::cli {

enum class Grade {
    ok,
    note,     ///< worth knowing; nothing has to be done
    warning,  ///< runs may come late, or trouble comes later
    failed,   ///< something does not work
};

struct Finding {
    Grade grade = Grade::ok;
    std::string about;   ///< the thing: "pool mail: database", "triggers", …
    std::string text;    ///< what is so, or wrong
    std::string remedy;  ///< a command, or what else to do; empty only where all is well

    bool operator==(const Finding&) const = default;
};

using Findings = std::vector<Finding>;

const char* to_string(Grade grade);

}  // namespace dormouse::cli
