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
	read, written := broker.TopicPartition{Topic: "app-by-repartition", Partition: 3}, broker.TopicPartition{Topic: "in", Partition: 3}
	sub := &graph.Subtopology{Nodes: []*graph.Node{
		{Kind: graph.SourceNode, Topic: read.Topic, Format: format("int64")}, {Kind: graph.SourceNode, Topic: written.Topic},
		{Kind: graph.SinkNode, Topic: "app-to-repartition", Format: format("int64")},
	}, Sources: []string{read.Topic, written.Topic}}
	s := NewTaskState(task.ID{Partition: 3}, sub, group.Identity{})
	note := func(values string) task.FormatNote {
		return task.FormatNote{Hash: format(values).Hash(), Words: format(values).Words()}
	}
	for _, c := range []struct{ read, written, refused string }{
		{"int64", "int64", ""},
		{"string", "int64", "app-by-repartition"},
		{"int64", "string", "app-to-repartition"},
	} {
		r := Restorer{cfg: Config{ApplicationID: "app"}}
		err := r.admit(&s, map[broker.TopicPartition]group.Committed{
			read:    {Offset: 5, Meta: task.Meta{Formats: []task.FormatNote{note(c.read)}}},
			written: {Offset: 5, Meta: task.Meta{Feeds: []task.FeedNote{{Topic: task.NoteTopic("app-to-repartition"), FormatNote: note(c.written)}}}},
		})
		if (c.refused != "") != errors.Is(err, broker.ErrReset) || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
