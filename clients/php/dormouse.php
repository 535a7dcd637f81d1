<?php
// Warm handlers of dormouse in PHP, 8.1 or later, without dependencies: a process that serves one run after the other.
//
//   require '/usr/share/dormouse/clients/php/dormouse.php';
//
//   dormouse\task('thumbnail', fn ($payload, dormouse\Run $run) => ['bytes' => make_thumbnail($payload->file)]);
//   dormouse\serve();
//
// The pool's command is ["/usr/bin/php", "/srv/app/tasks.php"]. `php tasks.php --run thumbnail '{"file":"a.png"}'` runs it once, here and now.
// A payload's objects are stdClass, so that {} and [] stay what they are.
//
// A cancellation is heard wherever the handler is, if PHP has pcntl and FFI, as its command line has on Debian: Cancelled is thrown there, also out of
// sleep(). Else it is thrown by the next progress(), log() or heartbeat().
declare(strict_types=1);

namespace dormouse;

require_once __DIR__ . '/dormouse-answers.php';
require_once __DIR__ . '/dormouse-json.php';
require_once __DIR__ . '/dormouse-children.php';
require_once __DIR__ . '/dormouse-link.php';

const VERSION = '0.1.0';
const MOST_TEXT = 16384; // the worker cuts texts at 8 KiB, and says so: more need not be sent
const MORE_IN_A_MESSAGE = 65536; // than the result; for one that is longer the worker kills the process
const YEAR = 365.0 * 24 * 3600;
const LEVELS = ['debug', 'info', 'warning', 'error'];
const NEXT = ['queue', 'priority', 'run_at', 'delay', 'key', 'max_attempts', 'timeout', 'traceparent', 'watched'];

/** It has failed, and is tried again in so many seconds (null: as the task's backoff says), while attempts are left. Where none is, the run's error is $previous. */
class Retry extends \RuntimeException {
    public function __construct(string $message = '', public ?float $in = null, ?\Throwable $previous = null) {
        parent::__construct($message, 0, $previous);
        $this->in = $in === null ? null : seconds('in', $in);
    }
}

/** Not now: again in so many seconds (null: the task's backoff.base). Uses up no attempt (unless the task says snooze_counts). */
class Snooze extends Retry {}

/** It has failed for good; with permanent: false it is tried again. */
class Fail extends \RuntimeException {
    public function __construct(string $message = '', public bool $permanent = true) {
        parent::__construct($message);
    }
}

/** Thrown where the handler is when its run is to end soon. Catch Exception, not Throwable, and it passes. */
class Cancelled extends \Error {}

/** What cannot be sent: the same work would come to the same. */
class Unfit extends Fail {
    public function __construct(public string $class, string $message) {
        parent::__construct($message);
    }
}

/** The run a handler is executed for. */
class Run {
    public string $id;
    public string $task;
    public ?string $queue;
    public mixed $payload;
    public ?int $attempt;
    public ?int $maxAttempts;
    public ?string $fence;
    public ?float $deadline; // seconds since 1970; null without a timeout
    public ?string $traceparent;
    public ?string $cancelReason = null; // canceled, leaving, lease_lost, timeout
    /** @var string[] */
    public array $enqueued = [];

    public function __construct(\stdClass $message, private ?Link $link) {
        foreach (['id', 'task', 'queue', 'payload', 'attempt', 'fence', 'deadline', 'traceparent'] as $name) {
            $this->$name = $message->$name ?? null;
        }
        $this->maxAttempts = $message->max_attempts ?? null;
    }

    /** How far it is, 0 to 1, and a word about it. The latest counts. */
    public function progress(?float $fraction, ?string $text = null): void {
        $this->say('progress', ['fraction' => $fraction === null ? null : min(max($fraction, 0.0), 1.0), 'text' => $text === null ? null : text($text)]);
    }

    /** A line of the run's log; several, if the text has line breaks. */
    public function log(string $text, string $level = 'info'): void {
        if (!in_array($level, LEVELS, true)) {
            throw new \ValueError("the level $level of a log line; there are " . implode(', ', LEVELS));
        }
        foreach (preg_split('/\r\n|\r|\n/', $text) as $line) {
            $this->say('log', ['level' => $level, 'text' => text($line)]);
        }
    }

    /** A shorter deadline: the run is timed out unless the next heartbeat comes within so many seconds. 0 ends that. */
    public function heartbeat(float $within): void {
        $this->say('heartbeat', ['within' => seconds('within', $within)]);
    }

    /** Another run, enqueued in the transaction that completes this one. Members: those of dormouse.enqueue(): queue, key, run_at, … */
    public function enqueue(string $task, mixed $payload = null, array $members = []): void {
        if ($wrong = array_diff(array_keys($members), NEXT)) { // told where it is written, and not when the work is done
            throw new \InvalidArgumentException("run->enqueue('$task'): there is no " . implode(', ', $wrong) . '; there are ' . implode(', ', NEXT));
        }
        $this->enqueued[] = json(['task' => $task, 'payload' => $payload] + $members, "what is enqueued for $task");
    }

    private function say(string $type, array $said): void {
        $said = ['type' => $type, 'id' => $this->id] + array_filter($said, fn ($value) => $value !== null);
        $this->link === null ? fwrite(STDERR, json($said, $type) . "\n") : $this->link->say(json($said, $type));
        $this->link?->listen();
    }
}

/** Registers a function ($payload, Run $run) as the handler of a task. After errors of $retryOn, and no others, a run is tried again. */
function task(string $name, callable $handle, ?array $retryOn = null): void {
    if (isset(Link::$tasks[$name])) {
        throw new \LogicException("two functions for the task $name");
    }
    Link::$tasks[$name] = [$handle(...), $retryOn];
}

/** Executes runs until the worker closes its socket. */
function serve(): void {
    $descriptor = getenv('DORMOUSE_CONTROL_FD');
    putenv('DORMOUSE_CONTROL_FD'); // what is started from here is not spoken to
    if (!Link::$tasks) {
        fwrite(STDERR, "dormouse: no task is registered: call dormouse\\task() before dormouse\\serve()\n");
        exit(1);
    }
    if ($descriptor === false || ($_SERVER['argv'][1] ?? '') === '--run') {
        exit(by_hand(array_slice($_SERVER['argv'], 1)));
    }
    (new Link((int) $descriptor))->serve();
}

function seconds(string $name, float $value): float {
    return $value >= 0 ? min($value, YEAR) : throw new \ValueError("$name: $value; it is a number of seconds, 0 or more");
}

/** The line that answers a run. */
function answer(Run $run): string {
    try {
        [$handle] = Link::$tasks[$run->task] ?? throw new Fail("this process has no task $run->task; it has " . implode(', ', array_keys(Link::$tasks)), false);
        $result = $handle($run->payload, $run);
        $run->cancelReason === 'timeout' && drop($run); // no answer counts any more
        $line = '{"type":"completed","id":"' . $run->id . '"';
        $line .= $result === null ? '' : ',"result":' . fitting('the result is', json($result, 'the result'));
        $line .= $run->enqueued ? ',"enqueue":' . fitting('what it enqueues is', '[' . implode(',', $run->enqueued) . ']') : '';
        return fitting('the result and what it enqueues are together', $line . '}', MORE_IN_A_MESSAGE);
    } catch (\Throwable $error) {
        Link::isForked() && exit((int) (bool) fwrite(STDERR, shown(fn () => "$error") . "\n")); // 1, and the answer is the parent's to give
        drop($run);
        return json(failed($run, $error), 'the error');
    }
}

function fitting(string $what, string $text, int $more = 0): string {
    $most = (int) (getenv('DORMOUSE_RESULT_BYTES') ?: PHP_INT_MAX >> 1);
    return strlen($text) <= $most + $more ? $text : throw new Unfit('result_too_large', "$what larger than $most bytes (limits.result_bytes)");
}

/** The exit code is as a handler of the kind exec has it: 0, 75 for "retry later", 1 for failed; 2 if it was called wrongly. */
function by_hand(array $arguments): int {
    [$run, $name, $payload] = $arguments + ['', '', 'null'];
    if ($run !== '--run' || !isset(Link::$tasks[$name])) {
        fwrite(STDERR, 'a warm handler of dormouse: a pool starts it and gives it runs of ' . implode(', ', array_keys(Link::$tasks))
            . "\nTo try one: dormouse try TASK --payload JSON, or without a pool: php {$_SERVER['argv'][0]} --run TASK [JSON]\n");
        return 2;
    }
    $message = (object) ['id' => '00000000-0000-0000-0000-000000000000', 'task' => $name, 'queue' => '', 'attempt' => 1, 'max_attempts' => 1, 'payload' => json_decode($payload, false, 1 << 20, JSON_THROW_ON_ERROR)];
    $said = json_decode(answer(new Run($message, null)));
    if ($said->type === 'completed') {
        echo json($said->result ?? null, 'the result'), "\n";
        return 0;
    }
    fwrite(STDERR, implode(': ', array_filter([$said->class ?? '', $said->message])) . "\n");
    return $said->type === 'retry' ? 75 : 1;
}
