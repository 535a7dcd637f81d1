// Package handler has warm handlers of dormouse in Go: a process that serves many runs at once, each in a goroutine of its own.
//
//	func main() {
//		handler.Task("thumbnail", func(ctx context.Context, run *handler.Run) (any, error) {
//			var picture struct{ File string }
//			if err := run.Decode(&picture); err != nil {
//				return nil, err
//			}
//			return makeThumbnail(ctx, picture.File)
//		})
//		handler.Serve()
//	}
//
// The pool's command is ["/srv/app/tasks"]. `tasks --run thumbnail '{"file":"a.png"}'` runs it once, here and now. The context is done when the
// run is to end soon: pass it on, also to exec.CommandContext.
package handler

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	version        = "0.1.0"
	mostText       = 16384 // the worker cuts texts at 8 KiB, and says so: more need not be sent
	moreInAMessage = 65536 // than the result; for one that is longer the worker kills the process
	year           = 365 * 24 * time.Hour
	next           = " queue priority run_at delay key max_attempts timeout traceparent watched "
)

// Retry fails the attempt, and tries again in that time (zero: the task's backoff) while attempts are left. Where none is, the run's error is Err.
type Retry struct {
	In      time.Duration
	Message string
	Err     error
}

// Snooze is "retry later": again in that time (zero: the task's backoff.base). It does not count as an attempt (unless the task sets snooze_counts).
type Snooze Retry

// Fail fails the run for good.
type Fail struct{ Message string }

func (e Retry) Error() string  { return because(e.Message, e.Err) }
func (e Snooze) Error() string { return because(e.Message, e.Err) }
func (e Retry) Unwrap() error  { return e.Err }
func (e Snooze) Unwrap() error { return e.Err }
func (e Fail) Error() string   { return e.Message }

func because(message string, err error) string {
	switch {
	case err == nil:
		return message
	case message == "":
		return err.Error()
	}
	return message + "\ncaused by " + class(err) + ": " + err.Error()
}

// unfit cannot be sent: the same work would come to the same.
type unfit struct{ class, message string }

func (e unfit) Error() string { return e.message }

// Run is the run that a function is called for. Its methods may be called from any goroutine.
type Run struct {
	ID          string          `json:"id"`
	Task        string          `json:"task"`
	Queue       string          `json:"queue"`
	Payload     json.RawMessage `json:"payload"`
	Attempt     int             `json:"attempt"`
	MaxAttempts int             `json:"max_attempts"`
	Fence       string          `json:"fence"`
	Deadline    *float64        `json:"deadline"` // seconds since 1970; nil without a timeout
	Traceparent string          `json:"traceparent"`

	say      func(message any)
	cancel   context.CancelFunc
	lock     sync.Mutex
	reason   string
	enqueued []json.RawMessage
}

// Decode reads the payload into v. What does not fit fails the run for good, as BadPayload, if the error is returned.
func (r *Run) Decode(v any) error {
	if err := json.Unmarshal(r.Payload, v); err != nil {
		return unfit{"BadPayload", "payload: " + err.Error()}
	}
	return nil
}

type said struct {
	Type     string   `json:"type"`
	ID       string   `json:"id,omitempty"`
	Fraction *float64 `json:"fraction,omitempty"`
	Level    string   `json:"level,omitempty"`
	Text     string   `json:"text,omitempty"`
	Within   *float64 `json:"within,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

// Progress reports progress, from 0 to 1, with a text. The latest counts.
func (r *Run) Progress(fraction float64, text string) {
	bounded := math.Min(math.Max(fraction, 0), 1)
	r.say(said{Type: "progress", ID: r.ID, Fraction: &bounded, Text: cut(text)})
}

// Log adds a line to the run's log, or several if the text has line breaks. Level: debug, info, warning or error.
func (r *Run) Log(level, text string) {
	for _, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		r.say(said{Type: "log", ID: r.ID, Level: level, Text: cut(line)})
	}
}

// Heartbeat sets a shorter deadline: the run times out unless the next heartbeat comes within that time. 0 removes it.
func (r *Run) Heartbeat(within time.Duration) {
	seconds := math.Min(within.Seconds(), year.Seconds())
	r.say(said{Type: "heartbeat", ID: r.ID, Within: &seconds})
}

// Enqueue enqueues another run in the transaction that completes this one; if this one does not complete, nothing is enqueued, and its log says so.
// The members are those of dormouse.enqueue(): queue, priority, key, run_at, …
func (r *Run) Enqueue(task string, payload any, members map[string]any) error {
	all := map[string]any{"task": task, "payload": payload}
	for name, value := range members {
		if !strings.Contains(next, " "+name+" ") { // told where it is written, and not when the work is done
			return fmt.Errorf("run.Enqueue(%q): there is no %s; there are%s", task, name, next)
		}
		all[name] = value
	}
	text, err := encode("what is enqueued for "+task, all)
	r.lock.Lock()
	defer r.lock.Unlock()
	r.enqueued = append(r.enqueued, text)
	return err
}

// CancelReason is canceled, leaving, lease_lost or timeout once the context is done.
func (r *Run) CancelReason() string {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.reason
}

// Func handles a run. Its result is written as JSON; nil is none. An error fails the run, which is tried again while attempts are left; see Retry, Snooze and Fail.
type Func func(ctx context.Context, run *Run) (any, error)

var tasks = map[string]Func{}

// Task registers the function that handles the task of that name.
func Task(name string, handle Func) {
	if _, twice := tasks[name]; twice {
		panic("two functions for the task " + name)
	}
	tasks[name] = handle
}

func names() []string {
	all := make([]string, 0, len(tasks))
	for name := range tasks {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

// Serve executes runs, ten at once, until the worker closes the socket; then it finishes runs in progress and returns.
func Serve() { ServeAtOnce(10) }

// ServeAtOnce is Serve with this many runs at once.
func ServeAtOnce(concurrency int) {
	descriptor := os.Getenv("DORMOUSE_CONTROL_FD")
	os.Unsetenv("DORMOUSE_CONTROL_FD") // what is started from here is not spoken to
	if descriptor == "" || len(os.Args) > 1 && os.Args[1] == "--run" {
		os.Exit(byHand(os.Args[1:]))
	}
	number, err := strconv.Atoi(descriptor)
	if err != nil || len(tasks) == 0 {
		refuse("DORMOUSE_CONTROL_FD is not a number, or no task is registered: call handler.Task before handler.Serve")
	}
	syscall.CloseOnExec(number)
	socket := os.NewFile(uintptr(number), "control")
	var writing sync.Mutex
	say := func(message any) {
		line, _ := encode("a message", message)
		writing.Lock()
		defer writing.Unlock()
		socket.Write(append(line, '\n')) // if the worker is gone, reading tells
	}
	say(map[string]any{"type": "hello", "protocol": 1, "tasks": names(), "concurrency": concurrency, "client": "go " + version})

	var lock sync.Mutex
	var running sync.WaitGroup
	runs := map[string]*Run{}
	for lines := bufio.NewReaderSize(socket, 1<<16); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var head said
		if err := json.Unmarshal(line, &head); err != nil || head.Type == "" {
			refuse(fmt.Sprintf("the worker sent an invalid message of protocol 1: %.200s; install a dormouse and a client of the same version", line))
		}
		lock.Lock()
		if head.Type == "cancel" && runs[head.ID] != nil {
			runs[head.ID].stop(head.Reason)
		} else if head.Type == "run" {
			run := &Run{say: say}
			json.Unmarshal(line, run) // its head could be read
			ctx, cancel := context.WithCancel(context.Background())
			run.cancel = cancel
			runs[run.ID] = run
			running.Add(1)
			go func() {
				defer running.Done()
				said := answer(ctx, run)
				lock.Lock()
				delete(runs, run.ID) // before the answer: the next attempt may come right behind it
				lock.Unlock()
				say(said)
			}()
		}
		lock.Unlock()
	}
	running.Wait()
}

func (r *Run) stop(reason string) {
	r.lock.Lock()
	r.reason = reason
	r.lock.Unlock()
	r.cancel()
}

func refuse(why string) {
	fmt.Fprintln(os.Stderr, "dormouse: "+why)
	os.Exit(1)
}

// byHand's exit code is as a handler of the kind exec has it: 0, 75 for "retry later", 1 for failed; 2 if it was called wrongly.
func byHand(arguments []string) int {
	if len(arguments) < 2 || arguments[0] != "--run" || tasks[arguments[1]] == nil {
		fmt.Fprintf(os.Stderr, "a warm handler of dormouse: a pool starts it and gives it runs of %s.\nTo try one: dormouse try TASK --payload JSON, or without a pool: %s --run TASK [JSON]\n",
			strings.Join(names(), ", "), os.Args[0])
		return 2
	}
	run := &Run{ID: "00000000-0000-0000-0000-000000000000", Task: arguments[1], Attempt: 1, MaxAttempts: 1, Payload: json.RawMessage("null")}
	if len(arguments) > 2 {
		run.Payload = json.RawMessage(arguments[2])
	}
	run.say = func(message any) { json.NewEncoder(os.Stderr).Encode(message) }
	var said struct {
		Type, Class, Message string
		Result               json.RawMessage
	}
	json.Unmarshal(answer(context.Background(), run), &said)
	if said.Type == "completed" {
		fmt.Println(string(said.Result))
		return 0
	}
	fmt.Fprintln(os.Stderr, said.Class, said.Message)
	return map[string]int{"retry": 75}[said.Type] + map[string]int{"failed": 1}[said.Type]
}
