package group

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/task"
)

// What was committed is read back with its metadata; what was not is nothing,
// and what is not ours says so.
func TestGroupOffsets(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx := context.Background()
	g := &Offsets{name: "g", client: client}
	ask := kmsg.NewPtrMetadataRequest()
	ask.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("in")}}
	known, err := ask.RequestWith(ctx, g.client)
	if err != nil {
		t.Fatal(err)
	}
	g.ids = map[string][16]byte{"in": known.Topics[0].TopicID}
	meta := task.Meta{Watermark: 77, Highest: 78, TopicID: "0123456789abcdef", Run: "r", End: 9, LogicalNow: 8, Finished: true, Noted: true}
	nobody := Identity{"", -1, 0}
	offsets := []OffsetCommit{{broker.TopicPartition{Topic: "in", Partition: 0}, 5, task.EncodeMeta(meta)}, {broker.TopicPartition{Topic: "in", Partition: 2}, 6, "somebody"}}
	if err := g.Commit(ctx, nobody, offsets); err != nil {
		t.Fatal(err)
	}
	got, err := g.Fetch(ctx, map[string][]int32{"in": {0, 1, 2}}, true)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range []Committed{{Offset: 5, Meta: meta}, NoCommit(), {Offset: 6, foreign: true}} {
		if !reflect.DeepEqual(got[broker.TopicPartition{Topic: "in", Partition: int32(p)}], want) {
			t.Errorf("partition %d: %+v, want %+v", p, got[broker.TopicPartition{Topic: "in", Partition: int32(p)}], want)
		}
	}
	if err := g.Commit(ctx, Identity{"a ghost", 3, 0}, offsets); !Refused(err) {
		t.Errorf("a commit of a member that is not in the group: %v", err)
	}
	if err := g.Leave(ctx, "a ghost", "it is none"); err != nil {
		t.Errorf("taking out who is not in: %v", err)
	}
}

func TestAdmit(t *testing.T) {
	tp := broker.TopicPartition{Topic: "in", Partition: 1}
	for _, tt := range []struct {
		name string
		c    Committed
		run  string
		want string // part of the error; empty: admitted
	}{
		{"nothing committed", NoCommit(), "", ""},
		{"nothing committed, bounded", NoCommit(), "r", ""},
		{"live", Committed{Offset: 3}, "", ""},
		{"the same run", Committed{Offset: 3, Meta: task.Meta{Run: "r"}}, "r", ""},
		{"a run over what was live", Committed{Offset: 3}, "r", ""},
		{"live over a run", Committed{Offset: 3, Meta: task.Meta{Run: "r"}}, "", `bounded run "r"`},
		{"another run", Committed{Offset: 3, Meta: task.Meta{Run: "r"}}, "s", `not to "s"`},
		{"foreign", Committed{Offset: 3, foreign: true}, "", "another program"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.c.Admit("g", tp, tt.run)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !broker.Permanent(err) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "start the application over") {
				t.Errorf("got %v", err)
			}
		})
	}
}
