<?php
// What is told of an error. Part of dormouse.php.
declare(strict_types=1);

namespace dormouse;

/** What an attempt that does not complete has asked for is not enqueued; the run's log says so. */
function drop(Run $run): void {
    $count = count($run->enqueued);
    $run->enqueued = [];
    $count > 0 && $run->log("$count follow-up run" . ($count === 1 ? ' is' : 's are') . ' dropped: the attempt did not complete', 'warning');
}

/** What a Retry was thrown from. */
function origin(\Throwable $error): \Throwable {
    $cause = $error instanceof Retry && !$error instanceof Snooze ? $error->getPrevious() : null;
    return $cause === null || $cause instanceof Snooze ? $error : origin($cause);
}

/** An error may throw when it is asked, and the process would end with it. */
function shown(callable $how): string {
    try {
        return $how();
    } catch (Cancelled $late) {
        throw $late;
    } catch (\Throwable) {
        return '(its message cannot be shown)';
    }
}

function message(\Throwable $error): string {
    return shown(fn () => $error->getMessage());
}

function failed(Run $run, \Throwable $error): array {
    $error = $run->attempt >= $run->maxAttempts ? origin($error) : $error;
    $own = $error instanceof Fail || $error instanceof Retry || $error instanceof Cancelled;
    $class = $error instanceof Unfit ? $error->class : preg_replace('/^dormouse\\\\/', '', get_class($error));
    $said = ['type' => 'failed', 'id' => $run->id, 'class' => $class, 'message' => text($own ? message($error) : story($error))];
    if ($error instanceof Snooze) {
        unset($said['class']);
        $said['type'] = 'retry';
    }
    if ($error instanceof Retry && $error->in !== null) {
        $said['in'] = $error->in;
    }
    $retryOn = Link::$tasks[$run->task][1] ?? null;
    $others = !$own && $retryOn !== null && !array_filter($retryOn, fn ($class) => $error instanceof $class);
    return $said + ($others || ($error instanceof Fail && $error->permanent) ? ['permanent' => true] : []);
}

/** The message, the user's own frames, and what it was caused by. */
function story(\Throwable $error, int $depth = 0): string {
    $lines = [message($error), "    at {$error->getFile()}:{$error->getLine()}"];
    $frames = array_values(array_filter($error->getTrace(), fn ($frame) => isset($frame['file']) && !str_starts_with($frame['file'], __DIR__ . '/dormouse')));
    $own = array_filter($frames, fn ($frame) => !str_contains($frame['file'], '/vendor/'));
    foreach (array_slice($frames, 0, 3, true) + array_slice($own, 0, 3, true) + array_slice($own, -3, 3, true) as $frame) { // where it was thrown, and the author's own
        $lines[] = "    at {$frame['file']}:{$frame['line']} in {$frame['function']}";
    }
    $cause = $error->getPrevious();
    return implode("\n", $lines) . ($cause && $depth < 5 ? "\ncaused by " . get_class($cause) . ': ' . story($cause, $depth + 1) : '');
}
