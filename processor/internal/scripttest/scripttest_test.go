package scripttest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// A verdict stands in for a test, and keeps why it was ended.
type verdict struct {
	testing.TB
	why string
}

func (v *verdict) Helper()      {}
func (v *verdict) Failed() bool { return false }
func (v *verdict) Fatal(args ...any) {
	v.why = fmt.Sprint(args...)
	runtime.Goexit()
}
func (v *verdict) Fatalf(format string, args ...any) { v.Fatal(fmt.Sprintf(format, args...)) }
func (v *verdict) Logf(string, ...any)               {}

// judge runs a script and returns why it was ended, "" if it came through.
func judge(script string, language Language) string {
	v := &verdict{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		datadriven.RunTestFromStringAny(v, script, func(t testing.TB, data *datadriven.TestData) string { return language.run(t, data) })
	}()
	<-done
	return v.why
}

// echoing is a language that prints what it understood.
func echoing() Language {
	inner := Language{
		{"say WORD", func(c *Call) string { return "said " + c.Operand(0) }},
	}
	return Language{
		{"echo A [B] by= [times=] [for=] [loud]", func(c *Call) string {
			return fmt.Sprintf("%s by %s, %d times, for %v, loud %v", strings.Join(c.Operands(), "+"), c.Text("by"), c.Int("times", 1), c.Duration("for"), c.Has("loud"))
		}},
		{"all [WORD...]", func(c *Call) string { return fmt.Sprint(len(c.Operands())) }},
		{"block <lines>", func(c *Call) string { return strings.Join(c.Lines(inner), ", ") }},
		{"table <lines>", func(c *Call) string {
			c.Words(func(at *Call, words []string) {
				if len(words) != 2 {
					at.Fatalf("%d words, a row has 2", len(words))
				}
			})
			return "fine"
		}},
	}
}

func TestScripts(t *testing.T) { Run(t, "testdata/*.txt", echoing) }

// TestWhatIsWrongIsToldWithItsLine: a misspelt script fails, and says where.
func TestWhatIsWrongIsToldWithItsLine(t *testing.T) {
	for script, want := range map[string]string{
		"ecko a by=b\n----\n":                  `:1: unknown command "ecko"; there are: echo, all, block, table`,
		"echo by=b\n----\n":                    ":1: echo: 0 operands",
		"echo a b c by=d\n----\n":              ":1: echo: 3 operands",
		"echo a\n----\n":                       ":1: echo: by= is missing; usage: echo A [B] by=",
		"echo a by=b tmes=2\n----\n":           ":1: echo: unknown argument tmes=",
		"echo a by\n----\n":                    "by has 0 values",
		"echo a by=(b, c)\n----\n":             "by has 2 values",
		"echo a by=b by=c\n----\n":             "by is given twice",
		"echo a by=b loud=yes\n----\n":         "loud has a value",
		"echo a by=b times=two\n----\n":        ":1: times=: ",
		"echo a by=b for=2\n----\n":            ":1: time: missing unit",
		"echo a by=b\nall\n----\n":             "is ---- missing?",
		"# one\n\nblock\nsay a\nsya b\n----\n": `:5: unknown command "sya"`,
		"block\nsay a b\n----\n":               ":2: say: 2 operands",
		"table\na b\n# c\nc d e\n----\n":       ":4: 3 words",
	} {
		if got := judge(script, echoing()); !strings.Contains(got, want) {
			t.Errorf("%q ends with %q, want %q", script, got, want)
		}
	}
}
