package scripttest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// A Call is one command of a script as it runs. What its usage requires is there,
// and nothing else. A value that cannot be read ends the test with file:line.
type Call struct {
	t        testing.TB
	data     *datadriven.TestData
	operands []string
}

// Operands returns the words that are given by their place.
func (c *Call) Operands() []string { return c.operands }

// Operand returns one of the operands, "" if it was left out.
func (c *Call) Operand(i int) string {
	if i >= len(c.operands) {
		return ""
	}
	return c.operands[i]
}

// Has reports whether an argument or a flag is given.
func (c *Call) Has(name string) bool { return c.data.HasArg(name) }

// Text returns the value of an argument, "" if it is not given.
func (c *Call) Text(name string) string {
	arg, ok := c.data.Arg(name)
	if !ok {
		return ""
	}
	return arg.Vals[0]
}

// Int returns the value of an argument, or the other one if it is not given.
func (c *Call) Int(name string, otherwise int64) int64 {
	if !c.Has(name) {
		return otherwise
	}
	n, err := strconv.ParseInt(c.Text(name), 10, 64)
	if err != nil {
		c.Fatalf("%s=: %v", name, err)
	}
	return n
}

// Duration returns the value of an argument, 0 if it is not given.
func (c *Call) Duration(name string) time.Duration {
	if !c.Has(name) {
		return 0
	}
	return c.ParseDuration(c.Text(name))
}

// ParseDuration reads a duration such as 1.5s.
func (c *Call) ParseDuration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		c.Fatalf("%v", err)
	}
	return d
}

// Fatalf ends the test with where the command stands.
func (c *Call) Fatalf(format string, args ...any) { c.data.Fatalf(c.t, format, args...) }

// Check ends the test with where the command stands if there is an error: one that
// the script does not mean to show.
func (c *Call) Check(err error) {
	if err != nil {
		c.Fatalf("%v", err)
	}
}

// Lines returns the lines that follow the command, as commands of a language of
// their own. Blank ones and comments are left out.
func (c *Call) Lines(language Language) (prints []string) {
	for i, text := range strings.Split(c.data.Input, "\n") {
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		line := &datadriven.TestData{Pos: below(c.data.Pos, i+1)}
		var err error
		if line.Cmd, line.CmdArgs, err = datadriven.ParseLine(text); err != nil {
			line.Fatalf(c.t, "%v", err)
		}
		if p := language.run(c.t, line); p != "" {
			prints = append(prints, p)
		}
	}
	return prints
}

// Words returns the words of each line that follows the command, with the call that
// its mistakes are told by.
func (c *Call) Words(each func(at *Call, words []string)) {
	for i, text := range strings.Split(c.data.Input, "\n") {
		if words := strings.Fields(text); len(words) > 0 && words[0][0] != '#' {
			each(&Call{t: c.t, data: &datadriven.TestData{Pos: below(c.data.Pos, i+1)}}, words)
		}
	}
}

// below is the position n lines further down: "file:7" and 2 are "file:9".
func below(pos string, n int) string {
	at := strings.LastIndexByte(pos, ':') + 1
	line, err := strconv.Atoi(pos[at:])
	if err != nil {
		return pos
	}
	return pos[:at] + strconv.Itoa(line+n)
}
