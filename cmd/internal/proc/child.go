package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// lastWordsSize bounds how much of a log is quoted, in bytes.
const lastWordsSize = 2000

// A Command is a program to start. Its standard output and error go to files.
type Command struct {
	// Args are the program and its arguments.
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Cores binds the process to these cores, as in Pin; empty: to none.
	Cores string
	// Stdout and Stderr are the paths of the files that take the output; they may
	// be the same.
	Stdout, Stderr string
}

// A Child is a started process. If this process dies, so does the child (on
// Linux). Its methods may be called by any goroutine.
type Child struct {
	pid    int
	stderr string
	proc   *os.Process
	done   chan struct{}
	err    error // written before done is closed
}

// Start starts a command.
//
// One goroutine starts the process and waits for it, locked to its thread: the
// child is tied to that thread's life, so the thread must not end before it.
func Start(c Command) (*Child, error) {
	args := c.Args
	if c.Cores != "" {
		args = append([]string{"taskset", "-c", c.Cores}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	files, err := redirect(cmd, c)
	if err != nil {
		return nil, err
	}
	tie(cmd)
	child := &Child{stderr: c.Stderr, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			child.proc, child.pid = cmd.Process, cmd.Process.Pid
		}
		started <- err
		if err == nil {
			child.err = cmd.Wait()
			close(child.done)
		}
		for _, f := range files {
			_ = f.Close() // what the child wrote is not ours to lose
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("proc: starting %s: %w", args[0], err)
	}
	return child, nil
}

// redirect opens the files of a command's output.
func redirect(cmd *exec.Cmd, c Command) (files []*os.File, err error) {
	for _, path := range []string{c.Stdout, c.Stderr} {
		if len(files) > 0 && path == c.Stdout {
			break
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("proc: the output of %s: %w", c.Args[0], err)
		}
		files = append(files, f)
	}
	cmd.Stdout, cmd.Stderr = files[0], files[len(files)-1]
	return files, nil
}

// PID is the process id.
func (c *Child) PID() int { return c.pid }

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err waits for the end of the process and says how it ended: nil for exit code 0.
func (c *Child) Err() error {
	<-c.done
	return c.err
}

// Terminate sends SIGTERM and waits for the end; when that cannot be sent, or ctx
// ends first, it kills, and that is an error. In any case the process is gone then.
func (c *Child) Terminate(ctx context.Context) error {
	if err := c.proc.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.Kill()
		return fmt.Errorf("proc: asking process %d to stop: %w", c.pid, err)
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.Kill()
		return fmt.Errorf("proc: process %d was killed, it had not stopped in time: %w", c.pid, context.Cause(ctx))
	}
}

// Kill ends the process at once (SIGKILL) and returns when it is gone. That it is
// gone already is the only way the signal can fail.
func (c *Child) Kill() {
	_ = c.proc.Kill()
	<-c.done
}

// LastWords is the end of what the process wrote to its standard error.
func (c *Child) LastWords() string {
	text, err := os.ReadFile(c.stderr)
	if err != nil {
		return err.Error()
	}
	text = text[max(0, len(text)-lastWordsSize):]
	if words := strings.TrimSpace(string(text)); words != "" {
		return words
	}
	return "(nothing)"
}
