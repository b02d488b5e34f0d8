package restore

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// AdmitFormat refuses to go on with a repartition topic that a version of the
// application has read as something else. It is asked before the group is joined too,
// so that nothing is written that the other version does not read; and this holds if
// nothing is under way: at the next moment something may be.
func AdmitFormat(c group.Committed, tp broker.TopicPartition, own *graph.Format) error {
	if err := task.FormatRefused(own, c.Meta); err != nil {
		return fmt.Errorf("topic %q partition %d: %w (%w)", tp.Topic, tp.Partition, err, broker.ErrPermanent)
	}
	return nil
}
