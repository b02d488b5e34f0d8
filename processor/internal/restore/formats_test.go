package restore

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A task is not gone on with where its offsets were committed by a version that read its repartition topic as something
// else: another member may have got there since this one has joined.
func TestAdmitFormats(t *testing.T) {
	format := func(values string) *graph.Format {
		return graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: values})
	}
	tp := broker.TopicPartition{Topic: "app-by-repartition", Partition: 3}
	sub := &graph.Subtopology{Nodes: []*graph.Node{{Kind: graph.SourceNode, Topic: tp.Topic, Format: format("int64")}}, Sources: []string{tp.Topic}}
	s := NewTaskState(task.ID{Partition: 3}, sub, group.Identity{})
	for values, refused := range map[string]bool{"int64": false, "string": true} {
		f := format(values)
		c := group.Committed{Offset: 5, Meta: task.Meta{Formats: []task.FormatNote{{Hash: f.Hash(), Words: f.Words()}}}}
		r := Restorer{cfg: Config{ApplicationID: "app"}}
		err := r.admit(&s, map[broker.TopicPartition]group.Committed{tp: c})
		if refused != errors.Is(err, broker.ErrReset) || refused && !strings.Contains(err.Error(), `"app-by-repartition" partition 3`) {
			t.Errorf("written as %s, read as int64: %v", values, err)
		}
	}
}
