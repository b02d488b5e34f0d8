package windowing

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Definition says how the records of a key are cut into windows: Windows, SessionWindows or SlidingWindows. There are
// no others, for each kind has an aggregation of its own.
type Definition interface {
	// Validate returns all that is wrong with the definition, joined; nil if nothing is.
	Validate() error
	// Emission is when results are sent on, apart from those of Early.
	Emission() Emit
	// Latest is the window that closes last among those a record of this time may be in, before it is joined with
	// others: what is named when the record is late. It is false if there is none.
	Latest(ts EventTime) (Window, bool)

	// every is the distance of early results; 0 if there are none.
	every() time.Duration
}

// ResultKeySerde is the serde of the results' keys, in the bytes of Kafka Streams: KeySerde for SlidingWindows and for
// Windows of one size, SessionKeySerde, which writes both bounds, for SessionWindows and for Windows of varying sizes.
func ResultKeySerde[K any](key serde.Serde[K], d Definition) serde.Serde[Key[K]] {
	switch d := d.(type) {
	case SessionWindows:
		return SessionKeySerde(key)
	case SlidingWindows:
		return KeySerde(key, d.difference)
	case Windows:
		if d.kind != nil {
			return SessionKeySerde(key)
		}
		return KeySerde(key, d.size)
	}
	return serde.Serde[Key[K]](nil)
}

// checkSending reports what is wrong with when results are sent on, the same for all kinds; of names the windows.
func checkSending(of string, grace, early time.Duration, emit Emit) (wrong []error) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if grace < 0 || !wholeMillis(grace) {
		complain("windowing: the grace of %s must be whole milliseconds from 0 on, got %v", of, grace)
	}
	if emit > OnTime {
		complain("windowing: unknown emission %d; use OnCommit, OnClose, OnTime or OnUpdate", uint8(emit))
	}
	if early != 0 && (early < 0 || !wholeMillis(early)) {
		complain("windowing: early results must be positive whole milliseconds of event time apart")
	}
	if early != 0 && emit != OnClose && emit != OnTime {
		complain("windowing: early results go with OnClose or OnTime; %v sends results before the end anyway", emit)
	}
	return wrong
}

// asked is what Early keeps of the distance it was given: 0 is not the same as never asked for.
func asked(early time.Duration) time.Duration {
	if early == 0 {
		return -1
	}
	return early
}

// Final reports whether each result is sent once and stays: with OnClose and no Early. OnTime counts as not final also
// where there is no grace and it is the same: grace that is added later would change what is behind it.
func Final(d Definition) bool { return d.Emission() == OnClose && d.every() == 0 }

// Repeats reports whether an early result may come a second time after a fault, as it was: with Windows, which do not
// store what has been sent early.
func Repeats(d Definition) bool {
	_, aligned := d.(Windows)
	return aligned && d.every() != 0
}

func (w Windows) every() time.Duration { return w.early }

func (w SessionWindows) every() time.Duration { return w.early }

func (w SlidingWindows) every() time.Duration { return w.early }
