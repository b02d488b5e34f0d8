package reset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/task"
)

const (
	// answerTimeout is how long a broker may take to answer the first request.
	answerTimeout = 10 * time.Second
	// retryPause is the wait before a question is asked again.
	retryPause = 100 * time.Millisecond
	// membersShown bounds the members that an error names.
	membersShown = 10
)

// A cluster asks and tells the brokers. It belongs to one call of Make or
// Execute.
type cluster struct {
	cfg    *Config
	client *kgo.Client
	admin  *kadm.Client
}

func connect(ctx context.Context, cfg *Config) (*cluster, error) {
	client, err := kgo.NewClient(cfg.Client...)
	if err != nil {
		return nil, fmt.Errorf("open a client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("no broker answers; check the addresses and the network: %w", err)
	}
	return &cluster{cfg, client, kadm.NewClient(client)}, nil
}

func (c *cluster) close() { c.client.Close() }

// retry repeats do while the brokers ask for patience.
func retry(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(retryPause):
		}
	}
}

// withWords adds to an error what the broker says beside its code.
func withWords(err error, words string) error {
	if err == nil || words == "" {
		return err
	}
	return &kadm.ErrAndMessage{Err: err, ErrMessage: words}
}

// idle says whether the group exists, and fails if it has members.
func (c *cluster) idle(ctx context.Context) (exists bool, err error) {
	id := c.cfg.ApplicationID
	var group kadm.DescribedGroup
	err = retry(ctx, func() error {
		groups, err := c.admin.DescribeGroups(ctx, id)
		group = groups[id]
		return cmp.Or(withWords(group.Err, group.ErrMessage), err)
	})
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look who is in the group %q: %w", id, err)
	case group.State == "Empty":
		return true, nil
	case group.State == "Dead":
		return false, nil
	}
	return true, activeError(group)
}

func activeError(g kadm.DescribedGroup) error {
	var who []string
	for i, m := range g.Members {
		if i == membersShown {
			who = append(who, fmt.Sprintf("and %d more", len(g.Members)-i))
			break
		}
		who = append(who, fmt.Sprintf("%q at %s", m.MemberID, m.ClientHost))
	}
	return fmt.Errorf("the group %q is %s, with %d members: %s; stop all instances of the application and try again: one that was killed is a member until its session times out, 45 s after its last sign of life unless the session timeout says otherwise",
		g.Group, g.State, len(g.Members), strings.Join(who, ", "))
}

// offsets returns what the group has committed, once no transaction is about to
// change it.
func (c *cluster) offsets(ctx context.Context) (all []kadm.OffsetResponse, err error) {
	err = retry(ctx, func() error {
		all = nil
		offsets, err := c.admin.FetchOffsets(kadm.RequireStable(ctx), c.cfg.ApplicationID)
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil
		}
		offsets.Each(func(o kadm.OffsetResponse) {
			if err = cmp.Or(err, o.Err); o.At >= 0 {
				all = append(all, o)
			}
		})
		return err
	})
	if errors.Is(err, kerr.UnstableOffsetCommit) {
		return nil, fmt.Errorf("a transaction of the application is still open and may change the offsets of group %q; it ends by itself when the transaction timeout is over, try again then: %w", c.cfg.ApplicationID, err)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch the committed offsets of group %q: %w", c.cfg.ApplicationID, err)
	}
	slices.SortFunc(all, func(a, b kadm.OffsetResponse) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all, nil
}

// plannedOffsets says what becomes of the committed offsets, given the topics
// that are deleted.
func (c *cluster) plannedOffsets(ctx context.Context, committed []kadm.OffsetResponse, deleted []string) (plan []Offset, err error) {
	var topics []string
	for _, o := range committed {
		topics = append(topics, o.Topic)
	}
	begins := kadm.ListedOffsets{}
	if topics = slices.Compact(topics); len(topics) > 0 {
		err = retry(ctx, func() (err error) {
			begins, err = c.admin.ListStartOffsets(ctx, topics...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("ask where the topics %q begin: %w", topics, err)
		}
	}
	for _, o := range committed {
		p := Offset{Topic: o.Topic, Partition: o.Partition, Committed: o.At, Begin: -1, Note: note(o.Metadata)}
		if b, ok := begins.Lookup(o.Topic, o.Partition); ok && b.Err == nil {
			p.Begin = b.Offset
		}
		p.Keep = c.cfg.InputTopics != nil && !slices.Contains(c.cfg.InputTopics, o.Topic) && !slices.Contains(deleted, o.Topic)
		plan = append(plan, p)
	}
	return plan, nil
}

func note(metadata string) string {
	meta, err := task.DecodeMeta(metadata)
	switch {
	case err != nil:
		return "committed by another program"
	case meta.Run != "":
		return fmt.Sprintf("bounded run %q", meta.Run)
	}
	return ""
}

// internalTopics judges all topics of the cluster whose names fit.
func (c *cluster) internalTopics(ctx context.Context, offsets []kadm.OffsetResponse) (judged []Topic, err error) {
	e := evidence{id: c.cfg.ApplicationID, committed: map[string]bool{}}
	if err := e.known(c.cfg.Graph, c.cfg.InternalTopics); err != nil {
		return nil, err
	}
	var topics kadm.TopicDetails
	err = retry(ctx, func() (err error) {
		topics, err = c.admin.ListTopics(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the topics: %w", err)
	}
	for _, o := range offsets {
		e.committed[o.Topic] = true
		if meta, err := task.DecodeMeta(o.Metadata); err == nil {
			e.notes = append(e.notes, meta.Notes...)
		}
	}
	var candidates []string
	for _, topic := range topics.Names() {
		if infix(e.id, topic) != "" {
			candidates = append(candidates, topic)
		}
	}
	if !e.listed && len(candidates) > 0 {
		if err := c.gather(ctx, &e, candidates); err != nil {
			return nil, err
		}
	}
	for _, topic := range candidates {
		action, why := e.judge(topic)
		judged = append(judged, Topic{topic, len(topics[topic].Partitions), action, why})
	}
	for topic, why := range e.exact {
		if !slices.Contains(candidates, topic) {
			judged = append(judged, Topic{Name: topic, Action: Gone, Why: why + ", and not there"})
		}
	}
	slices.SortFunc(judged, func(a, b Topic) int { return cmp.Compare(a.Name, b.Name) })
	return judged, nil
}

// gather looks for what tells the owner of a topic where no list does. Settings
// that may not be read are left out.
func (c *cluster) gather(ctx context.Context, e *evidence, topics []string) error {
	var groups kadm.ListedGroups
	err := retry(ctx, func() (err error) {
		groups, err = c.admin.ListGroups(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("list the groups, to tell whose the internal topics are: %w", err)
	}
	e.groups, e.settings = groups.Groups(), map[string]map[string]string{}
	var configs kadm.ResourceConfigs
	err = retry(ctx, func() (err error) {
		configs, err = c.admin.DescribeTopicConfigs(ctx, topics...)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the settings of the topics %q: %w", topics, err)
	}
	for _, r := range configs {
		e.settings[r.Name] = map[string]string{}
		for _, s := range r.Configs {
			e.settings[r.Name][s.Key] = s.MaybeValue()
		}
	}
	return nil
}
