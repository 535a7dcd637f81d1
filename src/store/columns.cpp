#include "store/columns.h"

#include <algorithm>
#include <string_view>

#include "sql/embedded.h"

namespace dormouse::store {
namespace {

constexpr std::string_view all_begin = "/*columns*/";
constexpr std::string_view all_end = "/*end*/";
constexpr std::string_view own_mark = "/*own*/";
/// How finish.sql calls what joins a row on its way.
constexpr std::string_view joined_begin = "\"ending.";

std::vector<const char*> statements() {
    return {sql::finish, sql::finish_fast, sql::refuse_waiting};
}

/// Names separated by commas, of which those in quotes may hold commas, too.
std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> names(1);
    bool quoted = false;
    for (const char c : list) {
        if (c == '"') quoted = !quoted;
        if (c == ',' && !quoted) {
            names.emplace_back();
        } else if (quoted || (c != ' ' && c != '\n')) {
            names.back() += c;
        }
    }
    return names;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end() ||
           std::find(names.begin(), names.end(), '"' + name + '"') != names.end();
}

std::string_view known_in(std::string_view sql) {
    const std::size_t begin = sql.find(all_begin) + all_begin.size();
    return sql.substr(begin, sql.find(all_end) - begin);
}

void replace_all(std::string& text, std::string_view what, const std::string& by) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

/// The beginning of names that no column has.
std::string free_beginning(const std::vector<std::string>& columns) {
    std::string beginning(joined_begin);
    const auto is_taken = [&] {
        return std::any_of(columns.begin(), columns.end(),
                           [&](const auto& name) { return name.starts_with(beginning); });
    };
    while (is_taken()) beginning += '.';
    return beginning;
}

std::string with(std::string text, const std::vector<std::string>& found, const std::string& all,
                 const std::string& own) {
    replace_all(text, joined_begin, free_beginning(found));  // before the names of others stand in it
    const std::size_t begin = text.find(all_begin);
    text.replace(begin, text.find(all_end) + all_end.size() - begin, all);
    replace_all(text, own_mark, own);
    return text;
}

}  // namespace

bool Columns::read(const std::string& all, const std::string& writable) {
    const auto before = fitted_;
    fitted_.clear();
    missing_.clear();
    if (all.empty()) return !before.empty();
    const std::vector<std::string> known = split(known_in(sql::finish));
    const std::vector<std::string> found = split(all);
    for (const std::string& name : known)
        if (!has(found, name)) missing_ += (missing_.empty() ? "" : ", ") + name;
    if (found != known) {
        std::string own;
        for (const std::string& name : split(writable))
            if (!has(known, name) && !(name.front() == '"' && has(known, name.substr(1, name.size() - 2))))
                own += ", " + name;
        for (const char* const sql : statements())
            fitted_[sql] = texts_.insert(with(sql, found, all, own)).first->c_str();
    }
    return fitted_ != before;
}

const char* Columns::fit(const char* sql) const {
    const auto found = fitted_.find(sql);
    return found == fitted_.end() ? sql : found->second;
}

}  // namespace dormouse::store
