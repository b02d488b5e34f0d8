package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This file computes what the demo must give for a log, straight from the rules
// the demo states, and shares no code with it: another parser, another
// partitioner, maps instead of state, one pass instead of a processor.

// A ledger counts the rows of each topic and partition; equal ledgers are equal
// multisets.
type ledger map[string]map[string]int

func (l ledger) add(topic string, partition int32, row any) {
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	place := topic + "/" + strconv.Itoa(int(partition))
	if l[place] == nil {
		l[place] = map[string]int{}
	}
	l[place][string(b)]++
}

func (l ledger) rows(topic string) (n int) {
	for place, rows := range l {
		if strings.HasPrefix(place, topic+"/") {
			for _, c := range rows {
				n += c
			}
		}
	}
	return n
}

// compare reports what is lost and what is too much.
func compare(t *testing.T, got, want ledger) {
	t.Helper()
	const shown = 5
	n := 0
	tell := func(format string, args ...any) {
		if n++; n <= shown {
			t.Errorf(format, args...)
		}
	}
	for place, rows := range want {
		for row, c := range rows {
			if g := got[place][row]; g != c {
				tell("%s: %d times instead of %d: %s", place, g, c, row)
			}
		}
	}
	for place, rows := range got {
		for row, c := range rows {
			if want[place][row] == 0 {
				tell("%s: %d times, and should not be there: %s", place, c, row)
			}
		}
	}
	if n > shown {
		t.Errorf("... %d differences in all", n)
	}
}

type wantWindow struct {
	Key        string
	Start, End int64
	Requests   int64
	Bytes      int64
}

type wantRecord struct {
	Key       *string
	Timestamp int64
	Headers   map[string]string
	Value     any
}

const (
	minuteMillis = 60_000
	windowMillis = 5 * minuteMillis
	inPartitions = 4
)

var logLine = regexp.MustCompile(`^([^\s\[-]\S*) .*?\[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)"(?: "((?:[^"\\]|\\.)*)"?)?)?$`)

// recompute applies the rules to a whole log.
func recompute(log string) ledger {
	type cell struct {
		client string
		start  int64
	}
	var (
		sums    = map[cell]*wantWindow{}
		highest = [inPartitions]int64{}
		offset  = [inPartitions]int64{}
		last    int64
		out     = ledger{}
	)
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		m, at := request(line)
		if m == nil {
			highest[0] = max(highest[0], last)
			out.add("web.access.dead", 0, wantRecord{nil, last, deadHeaders(offset[0]), line})
			offset[0]++
			continue
		}
		last = at
		p := murmur2([]byte(m[1])) & 0x7fffffff % inPartitions
		highest[p] = max(highest[p], last)
		offset[p]++
		start := last / windowMillis * windowMillis
		if watermark := highest[p] - minuteMillis; watermark >= start+windowMillis {
			out.add("web.traffic.late", int32(p), wantRecord{&m[1], last, lateHeaders(start, watermark), lateValue(m, last)})
			continue
		}
		c := cell{m[1], start}
		if sums[c] == nil {
			sums[c] = &wantWindow{Key: m[1], Start: start, End: start + windowMillis}
		}
		sums[c].Requests++
		sums[c].Bytes += number(m[5])
	}
	for c, w := range sums {
		out.add("web.traffic.5m", int32(murmur2([]byte(c.client))&0x7fffffff%inPartitions), w)
	}
	return out
}

// request returns the fields of a line and its time, or nil.
func request(line string) (fields []string, at int64) {
	m := logLine.FindStringSubmatch(line)
	if m == nil {
		return nil, 0
	}
	t, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[2])
	if err != nil {
		return nil, 0
	}
	return m, t.UnixMilli()
}

func number(s string) int64 {
	if s == "-" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func lateHeaders(start, watermark int64) map[string]string {
	return map[string]string{
		"__millrace.late.window.start": fmt.Sprint(start),
		"__millrace.late.window.end":   fmt.Sprint(start + windowMillis),
		"__millrace.late.watermark":    fmt.Sprint(watermark),
	}
}

// deadHeaders are those whose values follow from the rules: where the line lay,
// and why it is here.
func deadHeaders(offset int64) map[string]string {
	return map[string]string{
		"__streams.errors.topic":     "web.access",
		"__streams.errors.partition": "0",
		"__streams.errors.offset":    fmt.Sprint(offset),
		"__millrace.errors.reason":   "decode",
	}
}

func lateValue(m []string, at int64) map[string]any {
	status, bytes := number(m[4]), number(m[5])
	v := map[string]any{"client": m[1], "time": float64(at), "request": m[3], "status": float64(status), "bytes": float64(bytes)}
	if m[6] != "" {
		v["referrer"] = m[6]
	}
	if m[7] != "" {
		v["agent"] = m[7]
	}
	return v
}

// murmur2 is the hash of Kafka's default partitioner, as its Java source has it.
func murmur2(b []byte) uint32 {
	const m, r = 0x5bd1e995, 24
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

func TestMurmur2IsKafkas(t *testing.T) {
	for in, want := range map[string]int32{ // from Apache Kafka's UtilsTest
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string":                       -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(in))); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

// printed reads what `demo --output json` printed, and fails on anything but
// the shape it promises.
func printed(t *testing.T, output []byte) ledger {
	t.Helper()
	out := ledger{}
	i := 0
	for line := range strings.Lines(string(output)) {
		i++
		var topic struct {
			Topic     string `json:"topic"`
			Partition int32  `json:"partition"`
		}
		if err := json.Unmarshal([]byte(line), &topic); err != nil {
			t.Fatalf("line %d is no JSON object: %v: %.200s", i, err, line)
		}
		if topic.Topic == "web.traffic.5m" {
			out.add(topic.Topic, topic.Partition, printedWindow(t, line))
			continue
		}
		out.add(topic.Topic, topic.Partition, printedRecord(t, line, topic.Topic == "web.access.dead"))
	}
	return out
}

func printedWindow(t *testing.T, line string) *wantWindow {
	t.Helper()
	var r struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Key       string `json:"key"`
		Start     int64  `json:"window_start"`
		End       int64  `json:"window_end"`
		Value     struct {
			Requests int64 `json:"requests"`
			Bytes    int64 `json:"bytes"`
		} `json:"value"`
	}
	strict(t, line, &r)
	return &wantWindow{r.Key, r.Start, r.End, r.Value.Requests, r.Value.Bytes}
}

func printedRecord(t *testing.T, line string, dead bool) wantRecord {
	t.Helper()
	var r struct {
		Topic     string            `json:"topic"`
		Partition int32             `json:"partition"`
		Key       *string           `json:"key"`
		Timestamp int64             `json:"timestamp"`
		Headers   map[string]string `json:"headers"`
		Value     any               `json:"value"`
	}
	strict(t, line, &r)
	if dead {
		all := r.Headers
		r.Headers = map[string]string{}
		for name := range deadHeaders(0) {
			r.Headers[name] = all[name]
		}
		if text := all["__streams.errors.message"]; !strings.Contains(text, "access log line with") {
			t.Errorf("the dead letter does not say what is wrong with the line, but %q", text)
		}
	}
	return wantRecord{r.Key, r.Timestamp, r.Headers, r.Value}
}

func strict(t *testing.T, line string, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v: %.300s", err, line)
	}
}
