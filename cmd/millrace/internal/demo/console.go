package demo

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A Console is where the demo talks: a bar that moves on a terminal, plain
// lines anywhere else. It is safe for concurrent use.
type Console struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // nil when there is none
	total    int64
	quarter  int64 // plain lines: quarters of the total told so far
}

func newConsole(w io.Writer) *Console {
	f, ok := w.(*os.File)
	return &Console{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// Say prints a line.
func (c *Console) Say(format string, args ...any) {
	_, _ = c.Write(fmt.Appendf(nil, format+"\n", args...))
}

// Write prints whole lines, such as those of another process.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bar == nil {
		return c.w.Write(p)
	}
	_ = c.bar.Clear()
	n, err := c.w.Write(p)
	_ = c.bar.RenderBlank()
	return n, err
}

// Begin shows that total records are to be processed.
func (c *Console) Begin(total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total, c.quarter = total, 0
	if c.terminal && total > 0 {
		c.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(c.w), progressbar.OptionSetDescription("processing"),
			progressbar.OptionShowCount(), progressbar.OptionSetWidth(40), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetRenderBlankState(true), progressbar.OptionOnCompletion(func() { fmt.Fprintln(c.w) }))
	}
}

// Set shows that n records are processed.
func (c *Console) Set(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(n)
}

func (c *Console) set(n int64) {
	if n = min(n, c.total); c.bar != nil {
		_ = c.bar.Set64(n)
		return
	}
	if c.total > 0 && !c.terminal && 4*n/c.total > c.quarter {
		c.quarter = 4 * n / c.total
		fmt.Fprintf(c.w, "processed %s of %s records\n", grouped(n), grouped(c.total))
	}
}

// End shows that no more are processed; with done, that all are.
func (c *Console) End(done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done {
		c.set(c.total)
	} else if c.bar != nil {
		_ = c.bar.Exit()
		fmt.Fprintln(c.w)
	}
	c.bar, c.total = nil, 0
}
