package demo

import (
	"errors"
	"fmt"
	"io"
)

// The forms of the result.
const (
	Text = "text" // a summary for people
	JSON = "json" // one object per committed output record
)

// Options say what the demo does. The zero value of each field is its default.
type Options struct {
	// Input is a file in the common or combined log format; the default is the
	// log in testdata.
	Input string
	// Crashes is how often the processor is killed and started again. With
	// any, it runs in a process of its own.
	Crashes int
	// Seed fixes the steps at which it is killed.
	Seed uint64
	// Brokers of a Kafka cluster; the default is a broker in this process.
	Brokers []string
	// StateDir keeps the processor's state; the default is a temporary
	// directory that is removed at the end.
	StateDir string
	// Output is Text, the default, or JSON.
	Output string
	// Out takes the result, Talk everything else.
	Out, Talk io.Writer
	// Executable is the millrace binary, started as the process to be killed.
	Executable string
}

// maxCrashes bounds Options.Crashes.
const maxCrashes = 10_000

// validate returns all complaints at once.
func (o *Options) validate() error {
	var errs []error
	if o.Output != Text && o.Output != JSON {
		errs = append(errs, fmt.Errorf("--output %q: it is %s or %s", o.Output, Text, JSON))
	}
	if o.Crashes < 0 || o.Crashes > maxCrashes {
		errs = append(errs, fmt.Errorf("--crash %d: it is a number from 0 to %d", o.Crashes, maxCrashes))
	}
	return errors.Join(errs...)
}
