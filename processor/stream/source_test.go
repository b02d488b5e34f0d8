package stream

import (
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// The memory of a message is used again for later ones. A record that was
// decoded for its time and then dropped must not be taken for the one that comes
// to lie in the same place.
func TestDroppedRecordIsNotSeenAgain(t *testing.T) {
	codec, err := serde.String.Bind(serde.Use{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	s := &source[string, string]{
		node: &graph.Node{Name: "in"}, key: codec, value: codec, decoded: -1,
		topic: Topic[string, string]{EventTime: func(r *Record[string, string]) time.Time { return time.UnixMilli(int64(len(r.Value))) }},
		down:  func(r *Record[string, string]) error { got = append(got, r.Value); return nil },
	}
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
