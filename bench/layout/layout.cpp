// Measures one layout of dormouse.runs: drains a database that run.sh has filled, with the claim and the
// finish statement of a variant, and prints one line of JSON. Plain libpq in pipeline mode, prepared
// statements, generic plans, one thread for each session; nothing of the worker is in here. run.sh drives it;
// a person may, with the same arguments.
#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_set>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Rows = std::unique_ptr<PGresult, decltype(&PQclear)>;

struct Options {
    std::string variant, conninfo, claim, finish;
    int batch = 64;
    int sessions = 1;
    bool one_commit = false;  // finish of batch N and claim of batch N+1 in one transaction
    double limit_s = 1e9;     // stop claiming after that
    long max_runs = 1'000'000'000;
    std::string session;     // a statement for each session before it prepares, e.g. SET jit = off
    std::string after_look;  // a statement after the first look at what is there
};

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "layout: %s\n", what.c_str());
    std::exit(1);
}

std::string slurp(const std::string& path) {
    std::ifstream in(path);
    if (!in) die("cannot read " + path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

Connection connect(const std::string& conninfo) {
    Connection c(PQconnectdb(conninfo.c_str()), PQfinish);
    if (PQstatus(c.get()) != CONNECTION_OK) die(PQerrorMessage(c.get()));
    return c;
}

Rows query(PGconn* c, const char* sql) {
    Rows r(PQexec(c, sql), PQclear);
    const auto status = PQresultStatus(r.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) die(PQerrorMessage(c));
    return r;
}

long number(PGconn* c, const char* sql) {
    return std::atol(PQgetvalue(query(c, sql).get(), 0, 0));
}

// The runs in hand, and the parameters of finish.sql for them as text arrays. $12 is there only where the
// claim returns "tid".
class InHand {
  public:
    explicit InHand(std::string worker) : worker_(std::move(worker)) {}

    void claimed(PGresult* rows) {
        const int tid = PQfnumber(rows, "tid");
        has_tids_ = tid >= 0;
        for (int i = 0; i < PQntuples(rows); ++i)
            runs_.push_back({PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), tid < 0 ? "" : PQgetvalue(rows, i, tid)});
    }

    // What somebody else had locked stays in hand. Returns how many have ended.
    int finished(PGresult* rows) {
        if (PQntuples(rows) == size()) {
            runs_.clear();
        } else {
            std::unordered_set<std::string> ended;
            for (int i = 0; i < PQntuples(rows); ++i) ended.insert(PQgetvalue(rows, i, 0));
            std::erase_if(runs_, [&](const Run& r) { return ended.contains(r.id); });
        }
        return PQntuples(rows);
    }
    int size() const { return static_cast<int>(runs_.size()); }

    void send(PGconn* c) const {
        std::string ids = "{", fences = "{", results = "{", tids = "{", completed = "{", nulls = "{", yes = "{";
        for (int i = 0; i < size(); ++i) {
            if (i > 0)
                for (auto* s : {&ids, &fences, &results, &tids, &completed, &nulls, &yes}) *s += ',';
            ids += runs_[i].id;
            fences += runs_[i].fence;
            results += R"("{\"ok\": true, \"n\": )" + std::to_string(100 + i % 900) + "}\"";
            tids += '"' + runs_[i].tid + '"';
            completed += "completed";
            nulls += "NULL";
            yes += 't';
        }
        for (auto* s : {&ids, &fences, &results, &tids, &completed, &nulls, &yes}) *s += '}';
        const char* values[] = {worker_.c_str(), ids.c_str(),   fences.c_str(), completed.c_str(),
                                results.c_str(), nulls.c_str(), nulls.c_str(),  nulls.c_str(),
                                nulls.c_str(),   nulls.c_str(), yes.c_str(),    tids.c_str()};
        if (!PQsendQueryPrepared(c, "finish", has_tids_ ? 12 : 11, values, nullptr, nullptr, 0)) die(PQerrorMessage(c));
    }

  private:
    struct Run {
        std::string id, fence, tid;
    };
    std::string worker_;
    std::vector<Run> runs_;
    bool has_tids_ = false;
};

class Session {
  public:
    Session(const Options& o, int n)
        : options_(o),
          connection_(connect(o.conninfo)),
          worker_("00000000-0000-4000-8000-00000000000" + std::to_string(n)),
          in_hand_(worker_) {
        PGconn* c = connection_.get();
        query(c, "SET plan_cache_mode = force_generic_plan");
        if (!o.session.empty()) query(c, o.session.c_str());
        for (auto [name, sql] : {std::pair{"claim", &o.claim}, std::pair{"finish", &o.finish}}) {
            Rows r(PQprepare(c, name, sql->c_str(), 0, nullptr), PQclear);
            if (PQresultStatus(r.get()) != PGRES_COMMAND_OK) die(std::string(name) + ": " + PQerrorMessage(c));
        }
        PQenterPipelineMode(c);
    }

    void drain(Clock::time_point start) {
        while (finished < options_.max_runs && seconds_since(start) < options_.limit_s) {
            const bool finishes = options_.one_commit && in_hand_.size() > 0;
            if (!step(finishes, true)) continue;
            if (in_hand_.size() == 0) return;
            while (!options_.one_commit && in_hand_.size() > 0) step(true, false);
        }
        while (in_hand_.size() > 0) step(true, false);
    }

    // As a worker that has been idle: both statements get their generic plan now, and may keep it for what
    // comes.
    void look() { step(true, true); }

    // CPU time of the server process, which other people's load disturbs less than it disturbs the clock.
    double server_cpu_s() const {
        std::ifstream in("/proc/" + std::to_string(PQbackendPID(connection_.get())) + "/stat");
        std::string text, field;
        std::getline(in, text);
        std::istringstream fields(text.substr(text.rfind(')') + 2));
        double ticks = 0;
        for (int i = 3; i <= 15 && fields >> field; ++i)
            if (i >= 14) ticks += std::stod(field);
        return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    }

    long finished = 0, conflicts = 0, skipped = 0;
    std::vector<double> claim_ms;  // of the round trips that claim

  private:
    void claim() {
        static const std::string lease = "300000", limit = "65536";
        const std::string size = std::to_string(options_.batch);
        if (claims_++ % 16 == 0) cursor_ = {};  // look at everything now and then: something may have been put in front
        const std::string priority = '{' + cursor_.priority + '}', run_at = '{' + cursor_.run_at + '}',
                          id = '{' + cursor_.id + '}';
        const char* values[] = {"{default}",   size.c_str(),     worker_.c_str(), lease.c_str(),
                                limit.c_str(), priority.c_str(), run_at.c_str(),  id.c_str()};
        const bool has_cursor = options_.claim.find("$8") != std::string::npos;
        if (!PQsendQueryPrepared(connection_.get(), "claim", has_cursor ? 8 : 5, values, nullptr, nullptr, 0))
            die(PQerrorMessage(connection_.get()));
    }

    // The place of the last row of a claim, for the claims that go on from there; nothing after one that came
    // short.
    void move_cursor(PGresult* claimed) {
        const int rows = PQntuples(claimed);
        cursor_ = {};
        if (rows < options_.batch) return;
        std::tuple<long, long, std::string> last{std::numeric_limits<long>::min(), 0, ""};
        for (int i = 0; i < rows; ++i)
            last = std::max(last, {std::atol(PQgetvalue(claimed, i, 9)), std::atol(PQgetvalue(claimed, i, 10)),
                                   PQgetvalue(claimed, i, 0)});
        cursor_ = {std::to_string(std::get<0>(last)), std::to_string(std::get<1>(last)), std::get<2>(last)};
    }

    // One transaction. False: 40001, nothing has happened, do it again.
    bool step(bool finishes, bool claims) {
        PGconn* c = connection_.get();
        const auto start = Clock::now();
        if (finishes) in_hand_.send(c);
        if (claims) claim();
        PQpipelineSync(c);
        std::vector<Rows> results;
        bool failed = false;
        for (int nulls = 0;;) {
            Rows r(PQgetResult(c), PQclear);
            if (!r) {
                if (++nulls > 4) die("no answer");
                continue;
            }
            nulls = 0;
            const auto status = PQresultStatus(r.get());
            if (status == PGRES_PIPELINE_SYNC) break;
            if (status == PGRES_PIPELINE_ABORTED) continue;
            if (status != PGRES_TUPLES_OK) {
                const char* state = PQresultErrorField(r.get(), PG_DIAG_SQLSTATE);
                if (!state || std::strcmp(state, "40001") != 0) die(PQresultErrorMessage(r.get()));
                failed = true;
            }
            results.push_back(std::move(r));
        }
        if (failed) {
            ++conflicts;
            return false;
        }
        if (finishes) {
            const int sent = in_hand_.size(), ended = in_hand_.finished(results.front().get());
            finished += ended;
            skipped += sent - ended;
        }
        if (claims) {
            claim_ms.push_back(seconds_since(start) * 1000);
            in_hand_.claimed(results.back().get());
            move_cursor(results.back().get());
        }
        return true;
    }

    const Options& options_;
    Connection connection_;
    std::string worker_;
    InHand in_hand_;
    struct {
        std::string priority = "NULL", run_at = "NULL", id = "NULL";
    } cursor_;
    long claims_ = 0;
};

double quantile(std::vector<double>& v, double q) {
    if (v.empty()) return 0;
    std::sort(v.begin(), v.end());
    return v[std::min(v.size() - 1, static_cast<std::size_t>(q * static_cast<double>(v.size())))];
}

void measure(const Options& o) {
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < o.sessions; ++i) sessions.push_back(std::make_unique<Session>(o, i));
    Connection watch = connect(o.conninfo);
    if (!o.after_look.empty()) {
        for (auto& s : sessions) s->look();
        query(watch.get(), o.after_look.c_str());
    }
    constexpr const char* finished =
        "SELECT count(*) FROM dormouse.finished_runs WHERE result ? 'ok' AND last_fence IS NOT NULL";
    const long ended_before = number(watch.get(), finished);
    constexpr const char* wal = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn";
    const long wal_before = number(watch.get(), wal);
    double cpu_s = 0;
    for (auto& s : sessions) cpu_s -= s->server_cpu_s();
    const auto start = Clock::now();
    {
        std::vector<std::jthread> threads;
        for (auto& s : sessions) threads.emplace_back([&s, start] { s->drain(start); });
    }
    const double seconds = seconds_since(start);
    const long wal_bytes = number(watch.get(), wal) - wal_before;

    long runs = 0, conflicts = 0, skipped = 0;
    std::vector<double> claim_ms;
    for (auto& s : sessions) {
        cpu_s += s->server_cpu_s();
        runs += s->finished;
        conflicts += s->conflicts;
        skipped += s->skipped;
        claim_ms.insert(claim_ms.end(), s->claim_ms.begin(), s->claim_ms.end());
    }
    const long ended = number(watch.get(), finished) - ended_before;
    if (ended != runs) die(std::to_string(runs) + " reported, " + std::to_string(ended) + " in the table");
    const long heap =
        number(watch.get(), "SELECT pg_relation_size(coalesce(to_regclass('dormouse.runs_live'), 'dormouse.runs'))");
    const long indexes =
        number(watch.get(), "SELECT pg_indexes_size(coalesce(to_regclass('dormouse.runs_live'), 'dormouse.runs'))");
    double load = 0;
    std::ifstream("/proc/loadavg") >> load;
    std::printf(
        R"({"variant": "%s", "form": "%s", "batch": %d, "sessions": %d, "runs": %ld, "seconds": %.3f, )"
        R"("runs_per_s": %.0f, "server_cpu_us": %.1f, "wal_per_run": %.0f, "claim_ms_p50": %.2f, "claim_ms_p99": %.2f, "claim_ms_max": %.2f, )"
        R"("heap_bytes": %ld, "index_bytes": %ld, "conflicts": %ld, "skipped": %ld, "load": %.2f})"
        "\n",
        o.variant.c_str(), o.one_commit ? "one" : "two", o.batch, o.sessions, runs, seconds,
        static_cast<double>(runs) / seconds, cpu_s * 1e6 / static_cast<double>(std::max(runs, 1L)),
        static_cast<double>(wal_bytes) / static_cast<double>(std::max(runs, 1L)), quantile(claim_ms, 0.5),
        quantile(claim_ms, 0.99), quantile(claim_ms, 1), heap, indexes, conflicts, skipped, load);
}

}  // namespace

// layout VARIANT CONNINFO CLAIM.sql FINISH.sql [batch=N] [sessions=N] [form=one|two] [limit_s=S] [runs=N]
// [session=SQL] [after_look=SQL]
int main(int argc, char** argv) {
    if (argc < 5)
        die("VARIANT CONNINFO CLAIM.sql FINISH.sql [batch=N] [sessions=N] [form=one|two] [limit_s=S] "
            "[runs=N] [session=SQL] [after_look=SQL]");
    Options o;
    o.variant = argv[1], o.conninfo = argv[2], o.claim = slurp(argv[3]), o.finish = slurp(argv[4]);
    for (int i = 5; i < argc; ++i) {
        const std::string arg = argv[i], key = arg.substr(0, arg.find('=')), value = arg.substr(arg.find('=') + 1);
        if (key == "batch")
            o.batch = std::stoi(value);
        else if (key == "sessions")
            o.sessions = std::stoi(value);
        else if (key == "form")
            o.one_commit = value == "one";
        else if (key == "limit_s")
            o.limit_s = std::stod(value);
        else if (key == "runs")
            o.max_runs = std::stol(value);
        else if (key == "session")
            o.session = value;
        else if (key == "after_look")
            o.after_look = value;
        else
            die("what is " + arg + "?");
    }
    measure(o);
}
