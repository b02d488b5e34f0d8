package task

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/millrace/millrace/processor/internal/graph"
)

// A dead letter is the original record: its key, value, headers and timestamp,
// with headers added that say what happened. Those that Kafka Streams has
// (KIP-1034) keep its names, so existing tools read them.
const (
	headerException = "__streams.errors.exception"
	headerMessage   = "__streams.errors.message"
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
	headerPayload     = "__millrace.errors.payload"
)

// messageLimit bounds the text of an error in a header, so that a dead letter
// is not refused for being larger than the record it is about.
const messageLimit = 1024

// route sends the current record, dropped by an operator, to the dead-letter
// topic.
func (t *Task) route(operator string, reason graph.Reason) { t.deadLetter(operator, reason, nil) }

// deadLetter sends the current record to the dead-letter topic; failure is nil
// for a drop.
func (t *Task) deadLetter(operator string, reason graph.Reason, failure *graph.RecordError) {
	m := t.context.Message
	if m == nil || t.toldBefore(operator) {
		return
	}
	out := graph.Out{
		Topic: t.env.Policy.Topic, Timestamp: max(m.Timestamp, 0),
		Key: m.Key, Value: m.Value, Headers: slices.Clip(slices.Clone(m.Headers)),
	}
	out.Headers = append(out.Headers, t.letterHeaders(operator, reason, failure)...)
	if t.env.Policy.HashPayload {
		out.Key, out.Value = digest(m.Key), digest(m.Value)
		out.Headers = append(out.Headers, header(headerPayload, "sha256"))
	}
	out.Partition = t.letterPartition(m.Key)
	t.outbox.Send(out)
}

func (t *Task) letterHeaders(operator string, reason graph.Reason, failure *graph.RecordError) []graph.Header {
	o := t.context.Source
	phase, exception, message := string(graph.PhaseProcess), "dropped", reason.String()
	if failure != nil {
		phase, exception, message = string(failure.Phase), fmt.Sprintf("%T", failure.Err), failure.Err.Error()
	}
	if len(message) > messageLimit {
		message = message[:messageLimit]
	}
	return []graph.Header{
		header(headerException, exception), header(headerMessage, message),
		header(headerTopic, o.Topic), header(headerPartition, strconv.Itoa(int(o.Partition))),
		header(headerOffset, strconv.FormatInt(o.Offset, 10)),
		header(headerReason, reason.String()), header(headerPhase, phase), header(headerOperator, operator),
		header(headerAttempts, "1"), header(headerApplication, t.cfg.ApplicationID), header(headerVersion, t.cfg.Version),
		header(headerFingerprint, fingerprint(phase, operator, exception)),
	}
}

// letterPartition keeps the letters of one key together, and those without a
// key in the partition of the same number as their own.
func (t *Task) letterPartition(key []byte) int32 {
	n := t.cfg.Partitions[t.env.Policy.Topic]
	if key == nil {
		return t.context.Source.Partition % n
	}
	return t.cfg.Partition(key, n)
}

func header(key, value string) graph.Header { return graph.Header{Key: key, Value: []byte(value)} }

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
