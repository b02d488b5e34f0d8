package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// reading is a source with these functions, and nothing behind it.
func reading(t *testing.T, topic Topic[string, string]) *source[string, string] {
	t.Helper()
	codec, err := serde.String.Bind(serde.Use{})
	if err != nil {
		t.Fatal(err)
	}
	return &source[string, string]{env: graph.NewEnv(nil), node: &graph.Node{Name: "in"}, topic: topic, key: codec, value: codec, decoded: -1}
}

// The memory of a message is used again for later ones. A record that was
// decoded for its time and then dropped must not be taken for the one that comes
// to lie in the same place.
func TestDroppedRecordIsNotSeenAgain(t *testing.T) {
	var got []string
	s := reading(t, Topic[string, string]{EventTime: func(r *Record[string, string]) time.Time { return time.UnixMilli(int64(len(r.Value))) }})
	s.down = func(r *Record[string, string]) error { got = append(got, r.Value); return nil }
	m := graph.Message{Key: []byte("k"), Value: []byte("far away"), Offset: 5}
	if _, err := s.Time(&m); err != nil { // and it is dropped
		t.Fatal(err)
	}
	m = graph.Message{Key: []byte("k"), Value: []byte("next"), Offset: 6}
	at, err := s.Time(&m)
	if err != nil || at != 4 {
		t.Errorf("the time of the next record is %d, %v", at, err)
	}
	if err := s.Push(&m, at, at); err != nil || len(got) != 1 || got[0] != "next" {
		t.Errorf("%q came out, %v", got, err)
	}
}

// A function that panics may have changed the record before. Asked again, as it
// is after the choice of the next input, it sees what lies in the topic.
func TestRecordThatPanickedIsDecodedAgain(t *testing.T) {
	mind := func(r *Record[string, string]) {
		if r.Value == "bad" {
			r.Value = "better"
			panic("user code")
		}
	}
	s := reading(t, Topic[string, string]{
		EventTime: func(r *Record[string, string]) time.Time { mind(r); return r.Time.Time() },
		Marker:    func(r *Record[string, string]) (time.Time, bool) { mind(r); return r.Time.Time(), true },
	})
	m := graph.Message{Key: []byte("k"), Value: []byte("bad"), Offset: 5}
	for range 2 {
		_, timed := s.Time(&m)
		_, _, marked := s.Mark(&m)
		for _, err := range []error{timed, marked} {
			var failure *graph.RecordError
			if !errors.As(err, &failure) || failure.Operator != "in" || failure.Reason() != graph.Process {
				t.Errorf("the failure is %v", err)
			}
		}
	}
}
