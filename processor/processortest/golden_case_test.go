package processortest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A goldenCase is one line of a golden file: what to build, the records to put
// in, and the rows that have to come out. testdata/golden/README.md describes
// the format.
type goldenCase struct {
	ID       string
	Operator string
	Params   goldenParams
	Inputs   []goldenInput
	Outputs  []goldenRow
	Differs  bool
	Millrace *[]goldenRow `json:"millrace_outputs"`
}

// goldenParams are the parameters of the operators the runner can build. The
// rest of a case's parameters belong to operators that it skips.
type goldenParams struct {
	Mode       string   `json:"mode"`
	Agg        string   `json:"agg"`
	GroupBy    string   `json:"group_by"`
	Ops        []string `json:"ops"`
	Sink       string   `json:"sink"`
	Merge      bool     `json:"merge"`
	Source     string   `json:"source"`
	Size       int64    `json:"size_ms"`
	Advance    int64    `json:"advance_ms"`
	Grace      int64    `json:"grace_ms"`
	Gap        int64    `json:"gap_ms"`
	Difference int64    `json:"difference_ms"`
	Limit      *int64   `json:"limit_ms"`
	MaxRecords *int     `json:"max_records"`
}

// A datum is a value as its JSON text, so that 5 and "5" stay apart; null is "".
type datum string

func (v *datum) UnmarshalJSON(b []byte) error {
	*v = datum(b)
	if string(b) == "null" {
		*v = ""
	}
	return nil
}

// bytes is nil for null.
func (v datum) bytes() []byte {
	if v == "" {
		return nil
	}
	return []byte(v)
}

// text is the value without its quotes.
func (v datum) text() string {
	if s, err := strconv.Unquote(string(v)); err == nil {
		return s
	}
	return string(v)
}

type goldenInput struct {
	Topic string  `json:"topic"`
	Key   *string `json:"key"`
	Value datum   `json:"value"`
	Time  int64   `json:"ts"`
}

// at is where the record lies in event time.
func (in goldenInput) at() time.Time { return time.UnixMilli(in.Time) }

func (in goldenInput) key() []byte {
	if in.Key == nil {
		return nil
	}
	return []byte(*in.Key)
}

// A goldenRow is one output record.
type goldenRow struct {
	After int     `json:"after"`
	Topic string  `json:"topic"`
	Key   *string `json:"key"`
	Start *int64  `json:"window_start"`
	End   *int64  `json:"window_end"`
	Value datum   `json:"value"`
	Time  int64   `json:"ts"`
}

// show is the row in the terms in which rows are compared: finals without
// their time, which is Kafka Streams' highest timestamp and Millrace's last
// instant.
func (r goldenRow) show(final bool) string {
	key, window, value, at := "null", "", r.Value, ""
	if r.Key != nil {
		key = strconv.Quote(*r.Key)
	}
	if r.Start != nil && r.End != nil {
		window = fmt.Sprintf("[%d,%d]", *r.Start, *r.End)
	}
	if value == "" {
		value = "deleted"
	}
	if !final {
		at = fmt.Sprintf(" @%d", r.Time)
	}
	return fmt.Sprintf("%s: %s%s = %s%s", r.Topic, key, window, value, at)
}

// want returns the rows that Millrace has to emit, and false where the case
// only shows what it must not do.
func (c *goldenCase) want() ([]goldenRow, bool) {
	if c.Millrace != nil {
		return *c.Millrace, true
	}
	return c.Outputs, !c.Differs
}

// contradicted says that a row contradicts the definitions: its window was
// closed before the input that is said to close it. A closed window takes no more
// records, so nothing can come of it. testdata/golden/README.md has the argument
// and the rows.
func (c *goldenCase) contradicted(r goldenRow) bool {
	if c.Operator != "sliding" || c.Params.Mode != "final" || r.End == nil || r.After == 0 {
		return false
	}
	before := int64(math.MinInt64)
	for _, in := range c.Inputs[:r.After] {
		before = max(before, in.Time)
	}
	return before > *r.End+c.Params.Grace
}

// disputed counts the case's contradicted rows.
func (c *goldenCase) disputed() (n int) {
	all, _ := c.want()
	for _, r := range all {
		if c.contradicted(r) {
			n++
		}
	}
	return n
}

// loadGolden reads every case under a directory, in the order of the files.
func loadGolden(dir string) ([]*goldenCase, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no *.jsonl in %q", dir)
	}
	var cases []*goldenCase
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(text) {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			c := &goldenCase{}
			if err := json.Unmarshal(line, c); err != nil {
				return nil, fmt.Errorf("%s: %.80s: %w", file, line, err)
			}
			if c.ID == "" || seen[c.ID] {
				return nil, fmt.Errorf("%s: the id %q is missing or comes twice", file, c.ID)
			}
			seen[c.ID] = true
			cases = append(cases, c)
		}
	}
	return cases, nil
}
