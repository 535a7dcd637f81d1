<?php
// The processes that a run has started: they end with a run that is stopped. The worker looks after the answer as well, for those that have lost their
// parents. Part of dormouse.php.
declare(strict_types=1);

namespace dormouse;

const PATIENCE = 2.0; // seconds between asking a child to end and killing it

/** @return int[] */
function children(int|string $pid = 'self'): array {
    $found = '';
    foreach (glob("/proc/$pid/task/*/children") ?: [] as $file) {
        $found .= @file_get_contents($file) . ' ';
    }
    return array_map('intval', preg_split('/\s+/', $found, -1, PREG_SPLIT_NO_EMPTY));
}

function lives(int $pid): bool {
    $stat = @file_get_contents("/proc/$pid/stat");
    return $stat !== false && !in_array(substr($stat, strrpos($stat, ') ') + 2, 1), ['Z', 'X'], true);
}

/** The processes that a run has started end with it when it is stopped, and theirs. */
function end_children(array $every): void {
    // Again and again: who is asked to end may start another one.
    for ($began = microtime(true), $asked = []; $every = array_filter(with_descendants(array_filter($every, lives(...))), lives(...)); usleep(10_000)) {
        $waited = microtime(true) - $began;
        if ($waited > 2 * PATIENCE) {
            return;
        }
        array_map(fn ($pid) => posix_kill($pid, 15), array_diff($every, $asked));
        $asked = array_merge($asked, $every);
        if ($waited > PATIENCE) {
            array_map(fn ($pid) => posix_kill($pid, 9), $every);
        }
    }
}

/** @return int[] */
function with_descendants(array $own): array {
    for ($every = []; $own; $own = array_diff(array_merge(...array_map(children(...), $own)), $every)) {
        $every = array_unique(array_merge($every, $own));
    }
    return $every;
}
