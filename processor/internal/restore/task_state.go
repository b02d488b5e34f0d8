package restore

import (
	"fmt"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A TaskState is what of a task is in Kafka and on disk: its stores, and where its
// inputs stand. It travels to the restorer and back, and belongs to whoever has it.
// ID, Sub and Owner never change and may be read all the time.
//
// Always, when it comes back: the stores reflect the committed offsets in its
// inputs, and nothing else.
//
// Rejected: to let the whole lease travel, with a comment that says which
// fields the restorer leaves alone.
type TaskState struct {
	ID     task.ID
	Sub    *graph.Subtopology
	Owner  group.Identity // under which the task was assigned (G2)
	Stores *state.Stores  // nil without state, and before it is opened
	Inputs []Input        // one for each of Sub.Sources

	LogicalNow int64 // of a bounded run
	away       *away // what is brought up before the task goes on; nil usually

	topics []string // changelogs, by store; see Changelogs
}

// An Input is where a task stands in one of its source partitions.
type Input struct {
	broker.TopicPartition
	Offset    int64 // committed: where a replay begins
	Watermark int64 // committed with it
	Highest   int64 // committed with it
	Upstream  []state.Upstream
	Formats   []task.FormatNote // committed with it
	Notes     []task.Note       // to be committed
	Failed    task.Failed       // committed with it
	End       int64             // of a bounded run
	Finished  bool              // of a bounded run, committed
}

// NewTaskState is the state of a task that was just assigned: nothing is known of it.
func NewTaskState(id task.ID, sub *graph.Subtopology, owner group.Identity) TaskState {
	t := TaskState{ID: id, Sub: sub, Owner: owner}
	for _, topic := range sub.Sources {
		t.Inputs = append(t.Inputs, Input{TopicPartition: broker.TopicPartition{Topic: topic, Partition: id.Partition}})
	}
	return t
}

// Changelogs returns the changelog topics of the task, by store.
func (t *TaskState) Changelogs(applicationID string) []string {
	if t.topics == nil {
		for _, s := range t.Sub.Stores {
			t.topics = append(t.topics, s.ChangelogTopic(applicationID))
		}
	}
	return t.topics
}

// Close gives the stores back, if they are open. With flush it waits until what they
// have is on disk.
func (t *TaskState) Close(flush bool) error {
	if t.Stores == nil {
		return nil
	}
	err := t.Stores.Close(flush)
	t.Stores = nil
	if err != nil {
		return fmt.Errorf("task %s: close its stores: %w", t.ID, err)
	}
	return nil
}

// Stand puts the input where a position says.
func (in *Input) Stand(at state.Input) {
	in.Offset, in.Watermark, in.Highest, in.Upstream = at.Offset, at.Watermark, at.Highest, at.Upstream
}

// sources lists the source partitions for an offset fetch.
func (t *TaskState) sources() map[string][]int32 {
	parts := map[string][]int32{}
	for _, in := range t.Inputs {
		parts[in.Topic] = []int32{in.Partition}
	}
	return parts
}

// partitions lists the source partitions.
func (t *TaskState) partitions() (all []broker.TopicPartition) {
	for _, in := range t.Inputs {
		all = append(all, in.TopicPartition)
	}
	return all
}
