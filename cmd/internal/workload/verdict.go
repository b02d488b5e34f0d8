package workload

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxExamples bounds how many wrong rows a verdict quotes.
const maxExamples = 5

// Verdict counts output rows: every row of the truth passes or fails, and every
// row the truth does not have fails.
type Verdict struct {
	Workload string
	Took     time.Duration

	// Without flush records and their rows.
	Input, Late, Sink int64
	// Flush records in the input.
	Flush int64

	Passed     int64
	Missing    int64 // in the truth only
	Wrong      int64 // another value than the truth's
	Unexpected int64 // in the sink only
	Duplicate  int64 // right, but too many of it
	Malformed  int64 // sink records that cannot be parsed
	// Examples are the first wrong rows in words.
	Examples []string
}

func (v *Verdict) fail(counter *int64, format string, args ...any) {
	*counter++
	if len(v.Examples) < maxExamples {
		v.Examples = append(v.Examples, fmt.Sprintf(format, args...))
	}
}

// Failed is the number of rows that are not as they should be.
func (v *Verdict) Failed() int64 {
	return v.Missing + v.Wrong + v.Unexpected + v.Duplicate + v.Malformed
}

// Err is nil if the sink equals the truth and there was something to compare.
func (v *Verdict) Err() error {
	switch {
	case v.Failed() > 0:
		return fmt.Errorf("workload: %s: the sink differs from the truth in %d rows", v.Workload, v.Failed())
	case v.Passed == 0:
		return errors.New("workload: " + v.Workload + ": nothing to compare")
	}
	return nil
}

// String is a report of a few lines.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d input records, %d late, %d flush records, %d sink records, %.1f s\n",
		v.Workload, v.Input, v.Late, v.Flush, v.Sink, v.Took.Seconds())
	fmt.Fprintf(&b, "%d passed, %d failed (missing %d, wrong %d, unexpected %d, duplicate %d, malformed %d)",
		v.Passed, v.Failed(), v.Missing, v.Wrong, v.Unexpected, v.Duplicate, v.Malformed)
	for _, e := range v.Examples {
		b.WriteString("\n   " + e)
	}
	return b.String()
}
