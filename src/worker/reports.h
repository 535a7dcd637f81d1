// What attempts report: their endings, and what they have said on the way. The two belong to one transaction, news
// first, since the endings take the fences away. While one of them searches for a value that is refused, the other
// follows: news that are searched go before the endings that they belong to, endings that are searched take their own
// news along.
#pragma once

#include <functional>

#include "worker/news.h"
#include "worker/outbox.h"
#include "worker/taking_part.h"

namespace dormouse::worker {

class Reports : public Participant {
  public:
    struct Terms {
        std::int64_t log_bytes = 0;    ///< of each attempt, limits.log_bytes
        bool news_make_rounds = true;  ///< false: they wait for a round that is made for something else
    };
    struct Events {
        std::function<void(const Parcel&)> on_settled;  ///< written, or somebody else's
        std::function<void(const Parcel&)> on_refused;  ///< not written: the run was somebody else's by then
        std::function<void(const std::vector<std::string>& queues)> on_enqueued;
        std::function<void()> on_news;                         ///< something waits where nothing did
        std::function<void(const std::string& why)> on_stuck;  ///< an ending waits for somebody to repair a trigger
    };
    Reports(Terms terms, Events events);

    /// At the end: the runs whose endings were kept back until now.
    void tell_left_behind() const;
    [[nodiscard]] Outbox& outbox() { return outbox_; }
    [[nodiscard]] const Outbox& outbox() const { return outbox_; }
    [[nodiscard]] News& news() { return news_; }
    /// A run goes back to its queue as if it had not been claimed.
    void give_back(const store::ClaimedRun& run);
    [[nodiscard]] bool has_last_words(Time now) const { return news_.has_last_words(now); }

    [[nodiscard]] const char* name() const override { return "reports"; }
    [[nodiscard]] store::Parts parts() const override;
    bool fill(store::Round& round, const Moment& moment) override;
    bool fill_along(store::Round& round, const Moment& moment) override {
        return !terms_.news_make_rounds && !news_.searching() && !outbox_.searching() &&
               news_.fill(round, moment.now, true);
    }
    void answered(store::Answer& answer, Time sent_at) override;
    void undone() override;
    void conflicted() override { outbox_.be_careful(), undone(); }
    void lost() override { outbox_.lost(), undone(); }
    [[nodiscard]] bool seeks(const store::Refused& refused) const override;
    Next refused(const store::Refused& refused) override;
    [[nodiscard]] bool searching() const override { return outbox_.searching() || news_.searching(); }
    [[nodiscard]] std::optional<Millis> wait(const Moment& moment) const override;
    [[nodiscard]] bool quiet() const override { return outbox_.empty(); }
    [[nodiscard]] bool opens_session() const override { return true; }
    void add_held(std::vector<store::Held>& into) const override { outbox_.add_held(into); }

  private:
    Terms terms_;
    Events events_;
    News news_;
    Outbox outbox_;
};

}  // namespace dormouse::worker
