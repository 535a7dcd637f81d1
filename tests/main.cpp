#define BOOST_TEST_MODULE dormouse
#include <boost/test/unit_test.hpp>
