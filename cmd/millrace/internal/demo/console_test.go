package demo

import (
	"strings"
	"testing"
)

func TestConsoleTellsQuartersWhereThereIsNoTerminal(t *testing.T) {
	var out strings.Builder
	c := newConsole(&out)
	c.Say("hello %s", "world")
	c.Begin(1000)
	for n := int64(0); n <= 600; n += 10 {
		c.Set(n)
	}
	c.End(true)
	c.Begin(0)
	c.End(true)
	want := "hello world\nprocessed 250 of 1,000 records\nprocessed 500 of 1,000 records\nprocessed 1,000 of 1,000 records\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}
