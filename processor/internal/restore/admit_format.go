package restore

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// AdmitFormats refuses to go on where a version of the application has written a
// repartition topic, or read it, as something else. It is asked before the group is
// joined too, so that nothing is written that the other version does not read; and
// this holds if nothing is under way: at the next moment something may be. formats
// are those of the repartition topics, by name.
func AdmitFormats(c group.Committed, tp broker.TopicPartition, formats map[string]*graph.Format) error {
	if about, err := task.FormatsRefused(formats, tp.Topic, c.Meta); err != nil {
		return fmt.Errorf("topic %q was written by another version of the application in a format that this one does not read (so says offset %d of topic %q partition %d): %w; go back to that version; for the new format let it process what is under way, and then give the GroupBy or Repartition another name; or: %w", about, c.Offset, tp.Topic, tp.Partition, err, broker.ErrReset)
	}
	return nil
}
