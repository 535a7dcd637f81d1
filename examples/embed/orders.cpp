#include <dormouse/typed.h>

struct Order {
    std::string customer;
    std::vector<double> prices;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Order, customer, prices)

int main(int argc, char** argv) {
    dormouse::Worker worker{{.pool = argc > 1 ? argv[1] : "default"}};
    worker.task<Order>("total", [](dormouse::Run& run, const Order& order) -> dormouse::Result {
        double total = 0;
        for (const double price : order.prices) total += price;
        run.log(dormouse::Level::info, "the total for " + order.customer);
        return dormouse::Result::completed(total);
    });
    return worker.run();
}
