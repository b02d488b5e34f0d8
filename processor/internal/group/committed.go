package group

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/task"
)

// A Committed offset is what the group has for one source partition.
type Committed struct {
	Offset  int64 // -1 if there is none
	Meta    task.Meta
	foreign bool // it was not committed by Millrace
}

// NoCommit is the answer for a partition that nobody has committed.
func NoCommit() Committed {
	return Committed{Offset: -1, Meta: task.Meta{Watermark: math.MinInt64, Highest: math.MinInt64}}
}

// OnlyFixed reports whether nothing was committed but where a bounded run ends.
func (c Committed) OnlyFixed() bool {
	return c.Meta.Run != "" && c.Meta.Watermark == math.MinInt64 && len(c.Meta.Notes) == 0
}

func decodeCommitted(offset int64, metadata *string) Committed {
	if offset < 0 {
		return NoCommit()
	}
	if metadata == nil {
		return Committed{Offset: offset, foreign: true}
	}
	meta, err := task.DecodeMeta(*metadata)
	return Committed{Offset: offset, Meta: meta, foreign: err != nil}
}

// Admit returns an error where a run may not go on from a committed offset. run is
// empty for a live one.
func (c Committed) Admit(group string, tp broker.TopicPartition, run string) error {
	where := fmt.Sprintf("group %q, topic %q partition %d", group, tp.Topic, tp.Partition)
	switch {
	case c.Offset < 0:
		return nil
	case c.foreign:
		return fmt.Errorf("%s: offset %d was committed by another program, so the state cannot be known to fit it: %w", where, c.Offset, broker.ErrReset)
	case c.Meta.Run == run:
		return nil
	case run == "":
		return fmt.Errorf("%s: offset %d belongs to the bounded run %q and is not gone on from: %w", where, c.Offset, c.Meta.Run, broker.ErrReset)
	case c.Meta.Run != "":
		return fmt.Errorf("%s: offset %d belongs to the bounded run %q, not to %q: %w", where, c.Offset, c.Meta.Run, run, broker.ErrReset)
	}
	return nil
}
