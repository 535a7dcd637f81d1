// The tasks of the conformance suite in Go; exec_tasks.py and its like have the same ones.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dormouse/handler"
)

type ValueError struct{ message string }

func (e ValueError) Error() string { return e.message }

type MumblingError struct{ inner error }

func (e *MumblingError) Error() string { return e.inner.Error() } // of a nil pointer, as it is returned by mistake

type mumbling struct{}

func (mumbling) MarshalJSON() ([]byte, error) { panic("no word") }

func wait(ctx context.Context, run *handler.Run) (any, error) {
	run.Log("info", "began")
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(300 * time.Second): // no process outlives a test that was ended
		return nil, nil
	}
}

func number(run *handler.Run) (n int) {
	if err := run.Decode(&n); err != nil {
		panic(err)
	}
	return n
}

func main() {
	type ctx = context.Context
	type run = *handler.Run
	handler.Task("echo", func(_ ctx, run run) (any, error) { return run.Payload, nil })
	handler.Task("context", func(_ ctx, run run) (any, error) {
		return map[string]any{"id": run.ID, "task": run.Task, "queue": run.Queue, "attempt": strconv.Itoa(run.Attempt),
			"max_attempts": strconv.Itoa(run.MaxAttempts), "fence": run.Fence, "traceparent": run.Traceparent, "deadline": run.Deadline}, nil
	})
	handler.Task("nothing", func(ctx, run) (any, error) { return nil, nil })
	handler.Task("fails", func(ctx, run) (any, error) { return nil, ValueError{"no such thing"} })
	handler.Task("fails_for_good", func(ctx, run) (any, error) { return nil, handler.Fail{Message: "never"} })
	handler.Task("later", func(ctx, run) (any, error) { return nil, handler.Snooze{In: 30 * time.Second, Message: "busy"} })
	handler.Task("says", func(_ ctx, run run) (any, error) {
		run.Progress(0.5, "half")
		run.Log("warning", "careful")
		return 1, run.Enqueue("next", map[string]int{"n": 1}, nil)
	})
	handler.Task("sized", func(_ ctx, run run) (any, error) { return strings.Repeat("x", number(run)-2), nil })
	handler.Task("floods", func(_ ctx, run run) (any, error) {
		for i := 0; i < number(run); i++ {
			run.Log("info", strings.Repeat("y", 1000))
		}
		return true, nil
	})
	handler.Task("misnames", func(_ ctx, run run) (any, error) {
		if err := run.Enqueue("next", nil, map[string]any{"attempts": 2}); err != nil {
			return nil, err
		}
		run.Log("info", "the work is done")
		return nil, nil
	})
	handler.Task("prints", func(_ ctx, run run) (any, error) {
		for name, file := range map[string]*os.File{"stdout": os.Stdout, "stderr": os.Stderr} {
			fmt.Fprint(file, strings.Repeat(strings.Repeat("x", 999)+"\n", 400), "the last of ", name, "\n")
		}
		if string(run.Payload) == `"fails"` {
			return nil, ValueError{"no such thing"}
		}
		return nil, nil
	})
	handler.Task("verbose", func(_ ctx, run run) (any, error) {
		run.Log("info", strings.Repeat("ü", 5_000))
		run.Progress(0.5, strings.Repeat("ü", 500))
		panic(strings.Repeat("ü", 10_000))
	})
	handler.Task("hoards", func(_ ctx, run run) (any, error) {
		return nil, run.Enqueue("next", strings.Repeat("x", number(run)), nil)
	})
	handler.Task("arguments", func(ctx, run) (any, error) { return os.Args[1:], nil })
	handler.Task("quiet", func(ctx ctx, run run) (any, error) {
		run.Heartbeat(300 * time.Millisecond)
		return wait(ctx, run)
	})
	handler.Task("waits", wait)
	handler.Task("stubborn", func(_ ctx, run run) (any, error) { return wait(context.Background(), run) })
	handler.Task("dies", func(ctx, run) (any, error) { return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	handler.Task("says_its_pid", func(ctx ctx, run run) (any, error) {
		run.Log("info", strconv.Itoa(os.Getpid()))
		return wait(ctx, run)
	})
	handler.Task("leaves", func(ctx ctx, run run) (any, error) { // of those with several runs at once
		var seconds string
		if err := run.Decode(&seconds); err != nil {
			return nil, err
		}
		if err := exec.Command("sleep", seconds).Start(); err != nil {
			return nil, err
		}
		return wait(ctx, run)
	})
	handler.Task("unfit", func(_ ctx, run run) (any, error) {
		var what string
		if err := run.Decode(&what); err != nil {
			return nil, err
		}
		inside := map[string]any{}
		inside["b"] = map[string]any{"nan": math.NaN(), "infinity": math.Inf(-1), "function": func() {}, "circle": inside, "nul": "a\x00b",
			"text": json.RawMessage(`"a`)}[what]
		return map[string]any{"a": []any{1, inside}}, nil
	})
	handler.Task("has_pid", func(ctx, run) (any, error) { return os.Getpid(), nil })
	handler.Task("starts", func(ctx ctx, run run) (any, error) {
		child := exec.CommandContext(ctx, "sleep", "300")
		err := child.Start()
		run.Log("info", strconv.Itoa(child.Process.Pid))
		if err == nil {
			err = child.Wait()
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	})
	handler.Task("shells", func(ctx ctx, run run) (any, error) {
		var script string
		if err := run.Decode(&script); err != nil {
			return nil, err
		}
		exec.CommandContext(ctx, "/bin/sh", "-c", script).Run()
		return wait(ctx, run)
	})
	handler.Task("blocks", func(_ ctx, run run) (any, error) {
		var script string
		if err := run.Decode(&script); err != nil {
			return nil, err
		}
		run.Log("info", "began")
		exec.Command("/bin/sh", "-c", script).Run()
		return "done", nil
	})
	handler.Task("fails_because", func(ctx, run) (any, error) {
		return nil, ValueError{fmt.Errorf("no such thing: %w", fmt.Errorf("the disk is full")).Error()}
	})
	handler.Task("drops", func(ctx ctx, run run) (any, error) {
		run.Enqueue("next", 1, nil)
		run.Enqueue("next", 2, nil)
		switch string(run.Payload) {
		case `"waits"`:
			return wait(ctx, run)
		case `"later"`:
			return nil, handler.Snooze{In: 30 * time.Second, Message: "busy"}
		}
		return nil, ValueError{"no such thing"}
	})
	handler.Task("gives_up", func(ctx, run) (any, error) {
		return nil, handler.Retry{In: 30 * time.Second, Message: "busy", Err: ValueError{"no such thing"}}
	})
	handler.Task("mumbles", func(_ ctx, run run) (any, error) {
		if string(run.Payload) == `"result"` {
			return mumbling{}, nil
		}
		var none *MumblingError
		return nil, none
	})
	handler.Task("forks", func(ctx, run) (any, error) {
		child := exec.Command("sleep", "300")
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		err := child.Start()
		return json.RawMessage(strconv.Itoa(child.Process.Pid)), err
	})
	handler.Task("gated", func(_ ctx, run run) (any, error) {
		var directory string
		if err := run.Decode(&directory); err != nil {
			return nil, err
		}
		marks, err := os.OpenFile(directory+"/marks", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(marks, "%s %s %d\n", run.ID, run.Fence, os.Getpid())
		marks.Close()
		gate, err := os.Open(directory + "/gate")
		if err == nil {
			gate.Close()
		}
		return run.Fence, err
	})
	handler.Serve()
}
