package limit

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sent is what an outflow sent, by topic and partition.
type sent map[string][]int

func (s sent) add(r *kgo.Record) { s[r.Topic][r.Partition]++ }

// Fractions are carried over from poll to poll and from commit to commit, per partition,
// and the part per commit goes to the partitions that had input.
func TestMatchedNumbers(t *testing.T) {
	for name, tc := range map[string]struct {
		m          Matched
		commits    int
		polls      []int32 // partitions, ten records each, in every interval
		out, clog  []int
		beforeCuts int // outputs before the last cut
	}{
		"nothing":            {Matched{}, 3, []int32{0, 1}, []int{0, 0}, []int{0, 0}, 0},
		"tenths":             {Matched{OutputsPerRecord: 0.1, ChangelogPerRecord: 0.3}, 3, []int32{0, 1, 1}, []int{3, 6}, []int{9, 18}, 9},
		"more than records":  {Matched{OutputsPerRecord: 2.5}, 2, []int32{0}, []int{50, 0}, []int{0, 0}, 50},
		"less than one each": {Matched{ChangelogPerRecord: 0.01}, 25, []int32{1}, []int{0, 0}, []int{0, 2}, 0},
		"per commit":         {Matched{OutputsPerCommit: 5, ChangelogPerCommit: 4}, 4, []int32{0, 1}, []int{10, 10}, []int{8, 8}, 14},
		"one has no input":   {Matched{OutputsPerCommit: 5, OutputsPerRecord: 1}, 2, []int32{1}, []int{0, 30}, []int{0, 0}, 25},
	} {
		tc.m.Topic, tc.m.OutputBytes, tc.m.ChangelogBytes = "clog", 40, 20
		m := newMatched("out", tc.m, 2)
		got := sent{"out": make([]int, 2), "clog": make([]int, 2)}
		before := 0
		for range tc.commits {
			for _, p := range tc.polls {
				m.consumed(p, make10(), got.add)
			}
			before = got["out"][0] + got["out"][1]
			m.cut(got.add)
			m.cut(got.add) // an interval without input owes nothing
		}
		for p := range 2 {
			if got["out"][p] != tc.out[p] || got["clog"][p] != tc.clog[p] {
				t.Errorf("%s: partition %d: %v, want %v and %v", name, p, got, tc.out, tc.clog)
			}
		}
		if before != tc.beforeCuts {
			t.Errorf("%s: %d outputs before the last cut, want %d", name, before, tc.beforeCuts)
		}
	}
}

func make10() (records []*kgo.Record) {
	for range 10 {
		records = append(records, &kgo.Record{Timestamp: time.UnixMilli(5)})
	}
	return records
}

// A record has the size that was asked for, and the event time of the input.
func TestMatchedRecords(t *testing.T) {
	m := newMatched("out", Matched{Topic: "clog", OutputsPerRecord: 0.1, ChangelogPerRecord: 0.1, OutputBytes: 64, ChangelogBytes: 13}, 1)
	var got []*kgo.Record
	send := func(r *kgo.Record) { got = append(got, r) }
	m.consumed(0, make10(), send)
	m.cut(send)
	if len(got) != 2 {
		t.Fatalf("%d records", len(got))
	}
	for i, want := range []struct {
		topic      string
		key, value int
	}{{"out", 16, 40}, {"clog", 5, 0}} {
		r := got[i]
		if r.Topic != want.topic || len(r.Key) != want.key || len(r.Value) != want.value || r.Timestamp.UnixMilli() != 5 {
			t.Errorf("record %d: %+v, want %+v", i, r, want)
		}
	}
}

// However small or long a record is, it is encoded into about the size asked for.
func TestMatchedSizes(t *testing.T) {
	for _, size := range []int{framing, 30, 63, 64, 65, 66, 80, 88, 89, 127, 1000, 8000} {
		payload := payloadOf(size)
		key := min(matchedKey, payload)
		r := kmsg.Record{
			OffsetDelta: 200, Key: make([]byte, key), Value: make([]byte, payload-key), // in a batch of a few hundred
		}
		body := len(r.AppendTo(nil)) - 1 // of the length, left 0, which takes 1 byte
		if got := body + len(binary.AppendVarint(nil, int64(body))); got < size-1 || got > size+1 {
			t.Errorf("%d bytes, want %d", got, size)
		}
	}
}

func TestBadMatches(t *testing.T) {
	good := Matched{Topic: "clog", OutputBytes: 40, ChangelogBytes: 40}
	if err := good.validate(); err != nil {
		t.Error(err)
	}
	for complaint, spoil := range map[string]func(m *Matched){
		"-1 records per record":   func(m *Matched) { m.OutputsPerRecord = -1 },
		"NaN records per record":  func(m *Matched) { m.ChangelogPerRecord = math.NaN() },
		"1e+09 records per comm":  func(m *Matched) { m.OutputsPerCommit = 1e9 },
		"records of 3 bytes":      func(m *Matched) { m.ChangelogBytes = 3 },
		"records of 9999999 byte": func(m *Matched) { m.OutputBytes = 9999999 },
		"no changelog topic":      func(m *Matched) { m.Topic = "" },
	} {
		m := good
		spoil(&m)
		if err := m.validate(); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%+v: %v, want %q", m, err, complaint)
		}
	}
}
