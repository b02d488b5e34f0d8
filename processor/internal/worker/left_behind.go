package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
)

// warnOfLeftBehind tells, once in a process and by the first version that lacks them,
// of stores and repartition topics that were followed until now: what is open in them
// is not sent, which whoever has given an operator another name may not have meant.
func (s *startCheck) warnOfLeftBehind(ctx context.Context, offsets map[broker.TopicPartition]group.Committed) {
	if s.cfg.Index > 0 {
		return
	}
	left := s.leftBehind(offsets)
	if len(left) == 0 {
		return
	}
	names, err := s.namesOf(ctx, left)
	if err != nil {
		s.cfg.Events.warning(fmt.Errorf("ask for the names of internal topics of earlier versions: %w", err))
	}
	if len(names) > 0 {
		s.cfg.Events.warning(fmt.Errorf("this version has no operators for the topics %q, which were followed until now: they stay as they are, and what is open in their stores is not sent, until a version has them again; an operator with another name begins empty", names))
	}
}

// namesOf are the names of topics that notes know by their hashes, and of those that
// are left with them: who read a repartition topic that is read no more may have
// followed others, which only the offsets in it know.
func (s *startCheck) namesOf(ctx context.Context, left map[uint64]bool) ([]string, error) {
	all, err := kadm.NewClient(s.client).ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for {
		read := map[string][]int32{}
		for _, t := range all {
			if left[task.NoteTopic(t.Topic)] && !slices.Contains(names, t.Topic) {
				names, read[t.Topic] = append(names, t.Topic), t.Partitions.Numbers()
			}
		}
		slices.Sort(names)
		if len(read) == 0 {
			return names, nil
		}
		offsets, err := s.group.Fetch(ctx, read, false)
		if err != nil {
			return names, err
		}
		maps.Copy(left, s.leftBehind(offsets))
	}
}

// leftBehind are the internal topics that the offsets say are followed and this
// version does not know, as notes name them.
func (s *startCheck) leftBehind(offsets map[broker.TopicPartition]group.Committed) map[uint64]bool {
	var own []uint64
	for _, topic := range s.cfg.written() {
		own = append(own, task.NoteTopic(topic))
	}
	left := map[uint64]bool{}
	for _, c := range offsets {
		for _, n := range c.Meta.Notes {
			if n.Stopped == task.Following && !slices.Contains(own, n.Topic) {
				left[n.Topic] = true
			}
		}
	}
	return left
}
