// Finds out by halves which of many things a statement is refused for. The first try has none of them in it: a
// statement that is refused even then is refused for everybody (a revoked right, a table that is gone), and nobody is
// to blame. Pure; the owner sends next() by itself and tells what became of it.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace dormouse::rounds {

template <typename Key>
class Bisection {
  public:
    enum class Found { nothing, one, everyone };

    [[nodiscard]] bool active() const { return !groups_.empty(); }
    /// A statement with these in it was refused.
    void suspect(std::vector<Key> keys) {
        groups_.clear();
        groups_.push_back({});
        split(std::move(keys));
    }
    /// What is to be sent now, alone. Only while active().
    [[nodiscard]] const std::vector<Key>& next() const { return groups_.front(); }
    void passed() { groups_.pop_front(); }
    /// It was refused. `one`: it is guilty(), and no longer looked for; `everyone`: the search is over.
    Found refused() {
        std::vector<Key> group = std::move(groups_.front());
        groups_.pop_front();
        if (group.empty()) {
            groups_.clear();
            return Found::everyone;
        }
        if (group.size() == 1) {
            guilty_ = std::move(group.front());
            return Found::one;
        }
        split(std::move(group));
        return Found::nothing;
    }
    [[nodiscard]] const Key& guilty() const { return *guilty_; }
    /// This one is to be sent alone, before all others.
    void again(Key key) { groups_.insert(groups_.begin() + (untried() ? 1 : 0), std::vector<Key>{std::move(key)}); }
    void forget() { groups_.clear(); }

  private:
    /// The try with none comes first, if it has not been made yet.
    [[nodiscard]] bool untried() const { return !groups_.empty() && groups_.front().empty(); }
    void split(std::vector<Key> keys) {
        const auto half = static_cast<std::ptrdiff_t>((keys.size() + 1) / 2);
        std::vector<Key> second(keys.begin() + half, keys.end());
        keys.resize(static_cast<std::size_t>(half));
        auto at = groups_.begin() + (untried() ? 1 : 0);
        if (!second.empty()) at = groups_.insert(at, std::move(second));
        if (!keys.empty()) groups_.insert(at, std::move(keys));
    }

    std::deque<std::vector<Key>> groups_;
    std::optional<Key> guilty_;
};

}  // namespace dormouse::rounds
