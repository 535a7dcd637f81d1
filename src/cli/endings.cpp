#include "cli/endings.h"

#include "cli/text.h"
#include "sql/embedded.h"

namespace dormouse::cli {
namespace {

constexpr std::size_t most_shown = 12;

void add(Ended& sum, const Ended& more) {
    sum.completed += more.completed;
    sum.failed += more.failed;
    sum.canceled += more.canceled;
}

void add_row(Table& table, const std::string& task, const Ended& hour, const Ended& day) {
    const auto number = [](std::int64_t count) { return Cell{std::to_string(count)}; };
    table.add({{task},
               number(hour.completed),
               number(day.completed),
               number(hour.failed),
               number(day.failed),
               number(hour.canceled),
               number(day.canceled)});
}

}  // namespace

Try<std::vector<TaskEndings>> endings_by_task(postgres::BlockingConnection& connection) {
    const auto reply = connection.ask("status", sql::cli::endings);
    if (!reply) return give_up(reply.error());
    std::vector<TaskEndings> all;
    for (int row = 0; row < reply->rows(); ++row)
        all.push_back({std::string(reply->text(row, 0)),
                       {reply->integer(row, 1), reply->integer(row, 2), reply->integer(row, 3)},
                       {reply->integer(row, 4), reply->integer(row, 5), reply->integer(row, 6)}});
    return all;
}

std::string endings_text(const std::vector<TaskEndings>& all) {
    if (all.empty()) return "";
    Table table({"TASK", "COMPLETED 1H", "1D", "FAILED 1H", "1D", "CANCELED 1H", "1D"});
    TaskEndings others;
    for (std::size_t n = 0; n < all.size(); ++n) {
        if (n < most_shown) {
            add_row(table, cut(all[n].task, 40), all[n].hour, all[n].day);
            continue;
        }
        add(others.hour, all[n].hour);
        add(others.day, all[n].day);
    }
    if (all.size() > most_shown)
        add_row(table, std::to_string(all.size() - most_shown) + " others", others.hour, others.day);
    return table.text();
}

}  // namespace dormouse::cli
