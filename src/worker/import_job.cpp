#include "worker/import_job.h"

#include "spool/watch.h"

namespace dormouse::worker {

void ImportJob::work() {
    if (!spool) open();
    if (!spool) return;
    switch (kind) {
        case Kind::open:
            return;
        case Kind::look:
            found = spool->has_entries();
            return;
        case Kind::scan:
            scanned = spool->scan(terms, now);
            return;
        case Kind::finish:
            for (Finished& one : files) finish(one);
            return;
    }
}

void ImportJob::open() {
    auto made = spool::Spool::open(directory, pool, makes);
    if (!made) {
        opened = tl::unexpected(made.error());
        return;
    }
    spool = std::move(*made);
    auto descriptor = spool::watch(spool->path());
    if (descriptor)
        watch = std::move(*descriptor);
    else
        watched = tl::unexpected(descriptor.error());
}

void ImportJob::finish(Finished& file) {
    if (!file.refused) {
        file.still_there = !spool->remove(file.name);
        return;
    }
    const auto place = spool->reject(file.name, *file.refused);
    file.still_there = !place;
    if (place) file.place = *place;
}

}  // namespace dormouse::worker
