package stream

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// A Topic ties a Kafka topic to its types: sources, sinks and tests all use the
// same value.
type Topic[K, V any] struct {
	Name string
	// Key is how keys are written. A topic that is only written may leave it
	// nil: To then takes the serde that the keys have already.
	Key   serde.Serde[K]
	Value serde.Serde[V]
	// EventTime takes the event time from the record, to the millisecond; nil
	// takes the Kafka timestamp. A time before 1970 counts as missing. It is not
	// asked about records with a null value: those are dropped, as NullValue,
	// and their Kafka timestamp counts for nothing, not even for the watermark.
	EventTime func(*Record[K, V]) time.Time
	// Marker gives the watermark that a marker record announces; false for
	// records that are not markers. It goes with windowing.Punctuated. Markers
	// are records like any other behind the source. One that is further ahead
	// than windowing.Watermarks.MaxAhead allows is dropped, as Future.
	Marker func(*Record[K, V]) (time.Time, bool)
}

// codecs binds the serdes of the topic.
func (t Topic[K, V]) codecs() (key serde.Codec[K], value serde.Codec[V], err error) {
	if t.Key == nil || t.Value == nil {
		return nil, nil, fmt.Errorf("topic %q needs a serde for its key and one for its value", t.Name)
	}
	if key, err = t.Key.Bind(serde.Use{Role: serde.Key, Name: t.Name}); err != nil {
		return nil, nil, fmt.Errorf("topic %q, key: %w", t.Name, err)
	}
	if value, err = t.Value.Bind(serde.Use{Role: serde.Value, Name: t.Name}); err != nil {
		return nil, nil, fmt.Errorf("topic %q, value: %w", t.Name, err)
	}
	return key, value, nil
}
