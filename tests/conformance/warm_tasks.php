<?php
// The tasks of the conformance suite in PHP; exec_tasks.py and its like have the same ones.
declare(strict_types=1);

use dormouse\Run;

use function dormouse\task;

require $argv[1];

class NoWord
{
    public function __toString(): string
    {
        throw new TypeError('no word');
    }
}
class MumblingError extends Exception
{
    public function __construct()
    {
        $this->message = new NoWord();
    }
}

function wait(Run $run): void
{
    $run->log('began');
    sleep(300); // no process outlives a test that was ended
}

task('echo', fn ($payload) => $payload);
task('context', fn ($_, Run $run) => [
    'id' => $run->id, 'task' => $run->task, 'queue' => $run->queue, 'attempt' => (string) $run->attempt, 'max_attempts' => (string) $run->maxAttempts,
    'fence' => $run->fence, 'traceparent' => $run->traceparent, 'deadline' => $run->deadline,
]);
task('nothing', fn () => null);
task('fails', fn () => throw new ValueError('no such thing'));
task('fails_for_good', fn () => throw new dormouse\Fail('never'));
task('later', fn () => throw new dormouse\Snooze('busy', 30));
task('says', function ($_, Run $run) {
    $run->progress(0.5, 'half');
    $run->log('careful', 'warning');
    $run->enqueue('next', ['n' => 1]);
    return 1;
});
task('sized', fn (int $payload) => str_repeat('x', $payload - 2));
task('floods', function (int $payload, Run $run) {
    for ($i = 0; $i < $payload; $i++) {
        $run->log(str_repeat('y', 1000));
    }
    return true;
});
task('misnames', function ($_, Run $run) {
    $run->enqueue('next', null, ['attempts' => 2]);
    $run->log('the work is done');
});
task('prints', function (string $payload) {
    ob_start(); // and nobody ends it
    echo str_repeat(str_repeat('x', 999) . "\n", 400), "the last of stdout\n";
    fwrite(STDERR, str_repeat(str_repeat('x', 999) . "\n", 400) . "the last of stderr\n");
    return $payload === 'fails' ? throw new Exception('no such thing') : null;
});
task('verbose', function ($_, Run $run) {
    $run->log(str_repeat('ü', 5000));
    $run->progress(0.5, str_repeat('ü', 500));
    throw new Exception(str_repeat('ü', 10000));
});
task('hoards', fn (int $payload, Run $run) => $run->enqueue('next', str_repeat('x', $payload)));
task('arguments', fn () => array_slice($GLOBALS['argv'], 2));
task('quiet', function ($_, Run $run) {
    $run->heartbeat(0.3);
    wait($run);
});
task('waits', fn ($_, Run $run) => wait($run));
task('stubborn', function ($_, Run $run) {
    try {
        wait($run);
    } catch (dormouse\Cancelled) {
        sleep(300);
    }
});
task('dies', fn () => posix_kill(posix_getpid(), SIGKILL));
task('says_its_pid', function ($_, Run $run) {
    $run->log((string) posix_getpid());
    wait($run);
});
task('unfit', function (string $what) {
    $loop = new stdClass();
    $loop->b = $loop;
    $one = ['nan' => NAN, 'infinity' => -INF, 'function' => fn () => 1, 'text' => "\xff", 'nul' => "a\0b"][$what] ?? null;
    return ['a' => [1, $what === 'circle' ? $loop : ['b' => $one]]];
});
task('has_pid', fn () => posix_getpid());
task('starts', function ($_, Run $run) {
    $pipes = [];
    $child = proc_open(['sleep', '300'], [], $pipes);
    $run->log((string) proc_get_status($child)['pid']);
    wait($run);
});
task('shells', function (string $payload, Run $run) {
    shell_exec($payload);
    wait($run);
});
task('blocks', function (string $payload, Run $run) {
    $run->log('began');
    shell_exec($payload);
    return 'done';
});
task('fails_because', fn () => throw new ValueError('no such thing', 0, new Exception('the disk is full')));
task('drops', function (string $payload, Run $run) {
    $run->enqueue('next', 1);
    $run->enqueue('next', 2);
    if ($payload === 'waits') {
        wait($run);
    }
    throw $payload === 'later' ? new dormouse\Snooze('busy', 30) : new ValueError('no such thing');
});
task('gives_up', fn () => throw new dormouse\Retry('busy', 30, new ValueError('no such thing')));
task('mumbles', fn (?string $payload) => $payload !== 'result' ? throw new MumblingError() : new class () implements JsonSerializable {
    public function jsonSerialize(): mixed
    {
        throw new MumblingError();
    }
});
task('divides', function ($_, Run $run) {
    if (pcntl_fork() === 0) {
        $run->log('the child');
        return 'twice';
    }
    pcntl_wait($status);
    return 'once';
});
task('forks', fn () => (int) shell_exec('setsid sleep 300 >/dev/null 2>&1 & echo $!'));
task('gated', function (string $payload, Run $run) {
    file_put_contents("$payload/marks", "$run->id $run->fence " . posix_getpid() . "\n", FILE_APPEND);
    fclose(fopen("$payload/gate", 'r'));
    return $run->fence;
});
dormouse\serve();
