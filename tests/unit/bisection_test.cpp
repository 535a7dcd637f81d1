// Finding by halves what a statement is refused for.
#include "rounds/bisection.h"

#include <boost/test/unit_test.hpp>
#include <numeric>
#include <set>

BOOST_AUTO_TEST_SUITE(bisection)

using namespace dormouse::rounds;

namespace {

using Found = Bisection<int>::Found;

struct Search {
    std::set<int> found;
    std::set<int> taken;
    int tries = 0;
    bool everyone = false;
};

/// Looks for `guilty` among `many`.
Search search(int many, const std::set<int>& guilty, bool refused_with_none = false) {
    std::vector<int> keys(static_cast<std::size_t>(many));
    std::iota(keys.begin(), keys.end(), 0);
    Bisection<int> bisection;
    bisection.suspect(keys);
    Search search;
    for (; bisection.active(); ++search.tries) {
        const std::vector<int> group = bisection.next();
        const bool bad = group.empty()
                             ? refused_with_none
                             : std::any_of(group.begin(), group.end(), [&](int key) { return guilty.contains(key); });
        if (!bad) {
            search.taken.insert(group.begin(), group.end());
            bisection.passed();
            continue;
        }
        const Found found = bisection.refused();
        if (found == Found::one) search.found.insert(bisection.guilty());
        search.everyone = found == Found::everyone;
    }
    return search;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_guilty_one_is_found_and_all_others_are_taken) {
    for (const int many : {1, 2, 3, 7, 64, 1'000})
        for (const std::set<int>& guilty : std::vector<std::set<int>>{{}, {0}, {many - 1}, {0, many / 2, many - 1}}) {
            const Search done = search(many, guilty);
            BOOST_TEST_CONTEXT(many << " of which " << guilty.size()) {
                BOOST_TEST((done.found == guilty));
                BOOST_TEST(done.taken.size() + guilty.size() == static_cast<std::size_t>(many));
                BOOST_TEST(done.tries <= 1 + 2 * 11 * static_cast<int>(std::max<std::size_t>(guilty.size(), 1)));
            }
        }
}

BOOST_AUTO_TEST_CASE(what_is_refused_with_nothing_in_it_accuses_nobody) {
    const Search done = search(100, {17}, true);
    BOOST_TEST(done.everyone);
    BOOST_TEST(done.found.empty());
    BOOST_TEST(done.tries == 1);
}

BOOST_AUTO_TEST_CASE(one_that_is_tried_again_comes_first) {
    Bisection<int> bisection;
    bisection.suspect({1, 2, 3, 4});
    bisection.passed();
    bisection.again(9);
    BOOST_TEST((bisection.next() == std::vector<int>{9}));
}

BOOST_AUTO_TEST_SUITE_END()
