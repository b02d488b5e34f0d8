package windowing

import (
	"errors"
	"fmt"
	"time"
)

// Suppression says how long the changes of a key are held back, so that only the latest of them is sent, how many keys
// may wait meanwhile, and what happens when there are more. It is a value: its methods return changed copies.
type Suppression struct {
	limit   time.Duration
	full    Full
	records int
	bytes   int
}

// Full says what happens to a change that finds no room.
type Full uint8

const (
	// EmitEarly sends the changes that have waited longest before their time, as many as it takes.
	EmitEarly Full = iota
	// StopWhenFull ends the task with an error. It is for readers that must see no change early; the application goes on
	// where it was when it is started with more room.
	StopWhenFull
)

// UntilTimeLimit holds the changes of a key back until limit, whole milliseconds, after the event time of the first of
// them. At least one of MaxRecords and MaxBytes has to be set.
func UntilTimeLimit(limit time.Duration, full Full) Suppression {
	return Suppression{limit: limit, full: full}
}

// MaxRecords bounds the keys that wait, each with one change, in one task. n is positive; without a call only MaxBytes
// bounds them.
func (s Suppression) MaxRecords(n int) Suppression {
	s.records = n
	return s
}

// MaxBytes bounds what the keys that wait and their latest values take, encoded, in one task. n is positive; without a
// call only MaxRecords bounds them.
func (s Suppression) MaxBytes(n int) Suppression {
	s.bytes = n
	return s
}

// Validate returns all that is wrong with the suppression, joined; nil if nothing is.
func (s Suppression) Validate() error {
	var wrong []error
	if s.limit < 0 || !wholeMillis(s.limit) {
		wrong = append(wrong, fmt.Errorf("windowing: the time limit of a suppression must be whole milliseconds from 0 on, got %v", s.limit))
	}
	if s.records < 0 || s.bytes < 0 || s.records == 0 && s.bytes == 0 {
		wrong = append(wrong, fmt.Errorf("windowing: a suppression needs MaxRecords or MaxBytes, and neither below 0, got %d and %d", s.records, s.bytes))
	}
	if s.full > StopWhenFull {
		wrong = append(wrong, fmt.Errorf("windowing: a suppression that is full must EmitEarly or StopWhenFull, got %d", s.full))
	}
	return errors.Join(wrong...)
}

// LimitMillis is the time limit in milliseconds.
func (s Suppression) LimitMillis() int64 { return s.limit.Milliseconds() }

// WhenFull is what happens to a change that finds no room.
func (s Suppression) WhenFull() Full { return s.full }

// Room is how many keys may wait, and how many bytes they may take; 0 where there is no bound.
func (s Suppression) Room() (records, bytes int) { return s.records, s.bytes }
