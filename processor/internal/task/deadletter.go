package task

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace/millrace/processor/internal/graph"
)

// A letter is a dead letter on its way: the original record, its key, value,
// headers and timestamp, with headers added that say what happened. Those that
// Kafka Streams has (KIP-1034) keep its names, so existing tools read them. A
// result that comes of no record is its own original.
//
// Always: its topic takes it, as far as it is known what that takes. A record
// that came back from a dead-letter topic has the headers of its last failure
// and the count of all.
type letter struct {
	out       graph.Out
	original  []graph.Header // but for those of earlier failures
	own       []graph.Header
	values    []byte         // of its own headers, one behind the other
	where     []graph.Header // it came from
	partition int32          // its own, for one without a key
	attempts  int64
	first     int64 // when it failed first, ms since epoch
}

const (
	headerException = "__streams.errors.exception"
	headerMessage   = "__streams.errors.message"
	headerStack     = "__streams.errors.stacktrace" // of a panic
	headerTopic     = "__streams.errors.topic"
	headerPartition = "__streams.errors.partition"
	headerOffset    = "__streams.errors.offset"

	headerReason      = "__millrace.errors.reason"
	headerPhase       = "__millrace.errors.phase"
	headerOperator    = "__millrace.errors.operator"
	headerAttempts    = "__millrace.errors.attempts"
	headerApplication = "__millrace.errors.application.id"
	headerVersion     = "__millrace.errors.version"
	headerFingerprint = "__millrace.errors.fingerprint"
	headerPayload     = "__millrace.errors.payload"         // "sha256": key and value are hashes
	headerFirst       = "__millrace.errors.first.failed.at" // ms since epoch
	headerTimestamp   = "__millrace.errors.timestamp"       // the original's, where the topic does not take that
	headerKey         = "__millrace.errors.key"             // "none": the original has none
	headerHeaders     = "__millrace.errors.headers"         // "cut": the original's are shorter here, or left out
	headerSink        = "__millrace.errors.sink"            // the topic of a result that comes of no record
	headerHeld        = "__millrace.errors.held"            // the operator that has held such a result back

	prefixStreams = "__streams.errors."
	prefixOwn     = "__millrace.errors."
)

// messageLimit bounds the text of an error in a header, so that a dead letter
// is not refused for being larger than the record it is about.
const messageLimit = 1024

// stackLimit bounds the stack of a panic in a header.
const stackLimit = 4096

// nameLimit bounds the other texts: types, operators and versions are called as
// somebody likes.
const nameLimit = 256

// textLeast is what is left of all those texts where even hashes leave too little
// room.
const textLeast = 64

// What a letter has room for from the start: its own headers, and the bytes of their
// values without a message and a stack, where names are as long as they usually are.
const (
	ownHeaders = 14
	ownBytes   = 256
)

// headerLimit bounds the value of a header of the original where the letter is
// larger than its topic takes.
const headerLimit = 256

// route sends the current record, dropped by an operator, to the dead-letter
// topic.
func (t *Task) route(node *graph.Node, reason graph.Reason) {
	if t.context.Message != nil && !t.toldBefore(node) {
		t.deadLetter(node.Name, reason, nil)
	}
}

// deadLetter sends the current record to the dead-letter topic; failure is nil
// for a drop.
func (t *Task) deadLetter(operator string, reason graph.Reason, failure *graph.RecordError) {
	m, o := t.context.Message, t.context.Source
	l := t.newLetter(m.Key, m.Value, m.Timestamp, m.Headers, o.Partition)
	l.where = []graph.Header{l.header(headerTopic, o.Topic), l.integer(headerPartition, int64(o.Partition)), l.integer(headerOffset, o.Offset)}
	if failure == nil {
		t.describe(l, operator, reason, graph.PhaseProcess, graph.Report{Kind: "dropped", Message: reason.String()})
	} else {
		t.describe(l, operator, reason, failure.Phase, failure.Report())
	}
	t.post(l, o)
}

// routeResult sends a result that comes of no record, and that its topic would
// refuse, to the dead-letter topic.
func (t *Task) routeResult(node *graph.Node, out graph.Out, why error) {
	l := t.newLetter(out.Key, out.Value, out.Timestamp, out.Headers, out.Partition)
	l.where = []graph.Header{l.header(headerSink, out.Topic)}
	t.describe(l, node.Name, graph.Refused, graph.PhaseProduce, graph.Report{Kind: fmt.Sprintf("%T", why), Message: why.Error()})
	t.post(l, graph.Origin{Topic: out.Topic, Partition: out.Partition, Offset: -1})
}

// routeHeld sends a result that an operator has held back, and that has failed, to
// the dead-letter topic.
func (t *Task) routeHeld(node *graph.Node, held graph.Out, failure *graph.RecordError) {
	l := t.newLetter(bytes.Clone(held.Key), bytes.Clone(held.Value), held.Timestamp, nil, t.cfg.ID.Partition)
	l.where = []graph.Header{l.header(headerHeld, text(node.Name, nameLimit))}
	t.describe(l, failure.Operator, failure.Reason(), failure.Phase, failure.Report())
	t.post(l, graph.Origin{Topic: node.Name, Partition: t.cfg.ID.Partition, Offset: -1})
}

// newLetter takes the headers of earlier failures off, and on with what they
// know: numbers, for anybody may have written them.
func (t *Task) newLetter(key, value []byte, at int64, headers []graph.Header, partition int32) *letter {
	l := &letter{
		out:       graph.Out{Topic: t.env.Policy.Topic, Timestamp: max(at, 0), Key: key, Value: value},
		own:       make([]graph.Header, 0, ownHeaders),
		values:    make([]byte, 0, ownBytes),
		partition: partition, first: t.env.Wall,
	}
	var original int64
	was := false // it had another time
	for _, h := range headers {
		switch {
		case h.Key == headerAttempts:
			number(h, &l.attempts)
		case h.Key == headerFirst:
			number(h, &l.first)
		case h.Key == headerTimestamp:
			was = number(h, &original) || was
		case h.Key == graph.HeaderStamp, strings.HasPrefix(h.Key, prefixStreams), strings.HasPrefix(h.Key, prefixOwn):
		default:
			l.original = append(l.original, h)
		}
	}
	if was {
		l.own = append(l.own, l.integer(headerTimestamp, original))
	}
	return l
}

// number sets n to what a header says, and reports whether that is a number.
func number(h graph.Header, n *int64) bool {
	v, err := strconv.ParseInt(string(h.Value), 10, 64)
	if err == nil {
		*n = v
	}
	return err == nil
}

func (l *letter) add(key, value string) { l.own = append(l.own, l.header(key, value)) }

func (l *letter) header(key, value string) graph.Header {
	from := len(l.values)
	l.values = append(l.values, value...)
	return graph.Header{Key: key, Value: l.values[from:len(l.values):len(l.values)]}
}

func (l *letter) integer(key string, value int64) graph.Header {
	from := len(l.values)
	l.values = strconv.AppendInt(l.values, value, 10)
	return graph.Header{Key: key, Value: l.values[from:len(l.values):len(l.values)]}
}

// has reports whether the letter has a header of its own with this key.
func (l *letter) has(key string) bool {
	return slices.ContainsFunc(l.own, func(h graph.Header) bool { return h.Key == key })
}

func (t *Task) describe(l *letter, operator string, reason graph.Reason, phase graph.Phase, what graph.Report) {
	l.add(headerException, text(what.Kind, nameLimit))
	l.add(headerMessage, text(what.Message, messageLimit))
	if what.Stack != "" {
		l.values = slices.Grow(l.values, min(len(what.Stack), stackLimit)+ownBytes)
		l.add(headerStack, text(what.Stack, stackLimit))
	}
	l.own = append(l.own, l.where...)
	l.add(headerReason, reason.String())
	l.add(headerPhase, string(phase))
	l.add(headerOperator, text(operator, nameLimit))
	l.own = append(l.own, l.integer(headerAttempts, min(max(l.attempts, 0), math.MaxInt64-1)+1), l.integer(headerFirst, l.first))
	l.add(headerApplication, t.cfg.ApplicationID)
	l.add(headerVersion, text(t.cfg.Version, nameLimit))
	l.add(headerFingerprint, fingerprint(string(phase), operator, what.Kind, what.Place))
}

// text is s, or its beginning, in UTF-8 and with so many bytes at most. What is no
// UTF-8 becomes U+FFFD, which may be longer, so that comes before the cut.
func text(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) { // nearly always, and much faster to see
		return s
	}
	s = strings.ToValidUTF8(s[:min(len(s), limit+utf8.UTFMax)], "\uFFFD")
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// post makes the letter one that its topic takes, and sends it.
func (t *Task) post(l *letter, origin graph.Origin) {
	limits := t.env.LimitsOf(l.out.Topic)
	l.out.Partition = t.letterPartition(l)
	if t.env.Policy.HashPayload {
		l.hash()
	}
	if at := limits.Clamp(l.out.Timestamp, t.env.Wall); at != l.out.Timestamp {
		if !l.has(headerTimestamp) {
			l.own = append(l.own, l.integer(headerTimestamp, l.out.Timestamp))
		}
		l.out.Timestamp = at
	}
	if l.out.Key == nil && limits.Compacted {
		l.out.Key = fmt.Appendf(nil, "%s-%d-%d", origin.Topic, origin.Partition, origin.Offset)
		l.add(headerKey, "none")
	}
	l.fit(limits.MaxBytes)
	t.outbox.Send(l.out)
}

// fit makes the letter no larger than most bytes: of what is less and less
// dispensable it gives up what it must.
func (l *letter) fit(most int) {
	for _, shrink := range []func(){func() {}, l.dropStack, l.cutHeaders, l.hashLong, l.dropHeaders, l.cutTexts} {
		shrink()
		l.out.Headers = l.headers()
		if l.out.WireSize() <= most {
			return
		}
	}
}

// headers are the original's, then its own.
func (l *letter) headers() []graph.Header {
	if len(l.original) == 0 {
		return slices.Clip(l.own)
	}
	return slices.Concat(l.original, l.own)
}

func (l *letter) dropStack() {
	l.own = slices.DeleteFunc(l.own, func(h graph.Header) bool { return h.Key == headerStack })
}

func (l *letter) cutHeaders() {
	for i, h := range l.original {
		if len(h.Value) > headerLimit {
			l.original[i].Value = h.Value[:headerLimit]
			l.sayCut()
		}
	}
}

// sayCut says once that headers of the original are shorter, or left out.
func (l *letter) sayCut() {
	if !l.has(headerHeaders) {
		l.add(headerHeaders, "cut")
	}
}

// hash replaces key and value by the hex SHA-256 of their bytes.
func (l *letter) hash() {
	if l.has(headerPayload) {
		return
	}
	l.out.Key, l.out.Value = digest(l.out.Key), digest(l.out.Value)
	l.add(headerPayload, "sha256")
}

// hashLong is hash for a key and a value that become shorter by that, the note on it included.
func (l *letter) hashLong() {
	const hashed = 2*sha256.Size + len(headerPayload) + len("sha256")
	least := hashed
	if l.out.Key != nil {
		least += 2 * sha256.Size
	}
	if len(l.out.Key)+len(l.out.Value) > least {
		l.hash()
	}
}

func (l *letter) dropHeaders() {
	if len(l.original) > 0 {
		l.original = nil
		l.sayCut()
	}
}

func (l *letter) cutTexts() {
	for i, h := range l.own {
		switch h.Key {
		case headerException, headerMessage, headerOperator, headerVersion, headerHeld:
			l.own[i].Value = []byte(text(string(h.Value), textLeast))
		}
	}
}

// letterPartition keeps the letters of one key together, and those without a
// key in the partition of the same number as their own.
func (t *Task) letterPartition(l *letter) int32 {
	n := t.cfg.Partitions[l.out.Topic]
	if l.out.Key == nil {
		return l.partition % n
	}
	return t.cfg.Partition(l.out.Key, n)
}

// fingerprint is equal for failures of one kind, so that a dead-letter topic
// can be grouped by it.
func fingerprint(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

func digest(b []byte) []byte {
	if b == nil {
		return nil
	}
	sum := sha256.Sum256(b)
	return []byte(hex.EncodeToString(sum[:]))
}
