<?php
// Of dormouse.php: what is said between this process and the worker.
declare(strict_types=1);

namespace dormouse;

/** The conversation with the worker. */
class Link {
    public static array $tasks = [];
    private $socket;
    private string $rest = '';
    private ?Run $current = null;
    private array $before = []; // the children that no run of now has started
    private static int $pid = 0;
    private array $below = []; // the children of the run when it was told to end, and theirs
    private bool $ended = false;
    /** @var \stdClass[] */
    private array $waiting = [];

    public function __construct(int $descriptor) {
        self::$pid = getmypid();
        $this->socket = fopen("php://fd/$descriptor", 'r+') ?: exit(1);
        stream_set_blocking($this->socket, false);
        stream_set_read_buffer($this->socket, 0);
        stream_set_write_buffer($this->socket, 0);
        $this->wakeMe($descriptor);
        $names = array_keys(self::$tasks);
        sort($names);
        $this->say(json(['type' => 'hello', 'protocol' => 1, 'tasks' => array_map('strval', $names), 'concurrency' => 1, 'client' => 'php ' . VERSION], 'hello'));
    }

    /** Whether this is a forked child of the process that the worker speaks to. */
    public static function isForked(): bool {
        return self::$pid !== 0 && getmypid() !== self::$pid;
    }

    /** One process is spoken to: the first that serves. The lock is that process's alone, and no forked child's. */
    private static function takeSocket(\FFI $libc, int $descriptor): void {
        $lock = $libc->new('struct flock');
        $lock->type = 1; // F_WRLCK; then F_SETLK, F_GETLK
        if ($libc->fcntl($descriptor, 6, \FFI::addr($lock)) !== 0 && $libc->fcntl($descriptor, 5, \FFI::addr($lock)) === 0 && $lock->type !== 2) {
            fwrite(STDERR, "dormouse: process $lock->pid serves this worker already, and this one (" . getmypid() . ') has its socket too: both come from a'
                . " fork before dormouse\\serve(). Call it in one process; for more of them: processes in the task's table\n");
            exit(1);
        }
    }

    /** The kernel sends SIGIO when the worker says something while a handler is at work. */
    private function wakeMe(int $descriptor): void {
        if (!function_exists('pcntl_async_signals') || !class_exists('FFI')) {
            return;
        }
        pcntl_async_signals(true);
        pcntl_signal(SIGIO, fn () => $this->listen(), false);
        try {
            $libc = \FFI::cdef('struct flock { short type, whence; long start, len; int pid; }; int fcntl(int fd, int command, ...);', 'libc.so.6');
            self::takeSocket($libc, $descriptor);
            $libc->fcntl($descriptor, 8, self::$pid); // F_SETOWN
            $libc->fcntl($descriptor, 4, $libc->fcntl($descriptor, 3) | 020000); // F_SETFL, F_GETFL, O_ASYNC
            $libc->fcntl($descriptor, 2, 1); // F_SETFD, FD_CLOEXEC
        } catch (\FFI\Exception) { // not allowed here: it is heard at the next progress
        }
    }

    /** A forked child is not spoken to, and answers nothing: its parent does. */
    public function say(string $line): void {
        $line .= "\n";
        while ($line !== '' && !self::isForked()) {
            $written = @fwrite($this->socket, $line);
            if ($written === false || $written === 0) {
                $this->until(null, [$this->socket]);
                if (feof($this->socket)) {
                    return; // the worker is gone, which reading tells
                }
                continue;
            }
            $line = substr($line, $written);
        }
    }

    private function until(?array $read, ?array $write): void {
        $none = null;
        @stream_select($read, $write, $none, 60); // a signal ends it too
    }

    /** Takes what the worker has said. Throws Cancelled if the run at work is to end. */
    public function listen(): void {
        if (self::isForked()) {
            return;
        }
        while (($piece = @fread($this->socket, 1 << 20)) !== false && $piece !== '') {
            $this->rest .= $piece;
        }
        $this->ended = $this->ended || feof($this->socket);
        $lines = explode("\n", $this->rest);
        $this->rest = array_pop($lines);
        $cancelled = false;
        foreach ($lines as $line) {
            try {
                $message = json_decode($line, false, 1 << 20, JSON_THROW_ON_ERROR);
            } catch (\JsonException $error) {
                $message = null;
            }
            if (!is_string($message->type ?? null)) {
                fwrite(STDERR, 'dormouse: the worker sent an invalid message of protocol 1: ' . substr($line, 0, 200) . "; install a dormouse and a client of the same version\n");
                exit(1);
            }
            if ($message->type === 'run') {
                $this->waiting[] = $message;
            } elseif ($message->type === 'cancel' && $this->current?->id === $message->id) {
                $this->current->cancelReason ??= $message->reason ?? 'canceled';
                $this->below = with_descendants(array_diff(children(), $this->before)); // whoever ends a child now leaves that one's children behind
                $cancelled = true;
            }
        }
        if ($cancelled) {
            throw new Cancelled('cancelled: ' . $this->current->cancelReason);
        }
    }

    public function serve(): void {
        while (true) {
            $this->listen();
            if (!$this->waiting) {
                if ($this->ended) {
                    return;
                }
                $this->until([$this->socket], null);
                continue;
            }
            $run = new Run(array_shift($this->waiting), $this);
            $this->before = children();
            $this->below = [];
            $this->current = $run;
            try {
                $line = answer($run);
                $this->current = null;
            } catch (Cancelled $late) { // between the handler's end and here
                $this->current = null;
                $line = json(failed($run, $late), 'the error');
            }
            self::isForked() && exit(0);
            if ($run->cancelReason !== null) {
                end_children(array_merge(array_diff(children(), $this->before), $this->below));
                $line = $this->before ? substr($line, 0, -1) . ',"keep":' . json_encode(array_values($this->before)) . '}' : $line;
            }
            while (ob_get_level() > 0 && @ob_end_flush()) { // what comes after the answer is in no run's log
            }
            $this->say($line);
        }
    }
}
