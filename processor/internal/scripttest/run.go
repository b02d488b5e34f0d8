package scripttest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// A Command is one word of a language.
type Command struct {
	// Usage is the command with what may be given with it: "put TOPIC [partition=] <lines>".
	// Words in capitals are operands, in their order.
	Usage string
	// Run does it and returns what it prints.
	Run func(*Call) string
}

// A Language is the commands that a script may use.
type Language []Command

// Run runs the scripts that match a pattern, each as a test of its name over a
// language of its own, so that none sees what another has done.
func Run(t *testing.T, pattern string, begin func() Language) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts at %q: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			language, commands := begin(), 0
			datadriven.RunTest(t, file, func(t *testing.T, data *datadriven.TestData) string {
				commands++
				return language.run(t, data)
			})
			if commands == 0 {
				t.Errorf("%s: has no command", file)
			}
		})
	}
}

// run runs one command.
func (l Language) run(t testing.TB, data *datadriven.TestData) string {
	t.Helper()
	for i := range l {
		u := newUsage(l[i].Usage)
		if u.name != data.Cmd {
			continue
		}
		operands, err := u.check(data.CmdArgs, data.Input)
		if err != nil {
			data.Fatalf(t, "%s: %v; usage: %s", data.Cmd, err, u.text)
		}
		return l[i].Run(&Call{t: t, data: data, operands: operands})
	}
	data.Fatalf(t, "unknown command %q; there are: %s", data.Cmd, l.names())
	return ""
}

func (l Language) names() string {
	var names []string
	for _, c := range l {
		names = append(names, newUsage(c.Usage).name)
	}
	return strings.Join(names, ", ")
}
