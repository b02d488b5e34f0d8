package worker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/topics"
)

// A startCheck looks at what is committed and what topics there are before the
// worker joins the group: what it refuses has disturbed nobody.
type startCheck struct {
	cfg     *Config
	client  *kgo.Client
	catalog *topics.Catalog
	group   *group.Offsets
}

// run looks at all committed offsets: a run that may not go on is refused, and one
// that is over is not begun again.
func (s *startCheck) run(ctx context.Context) (over bool, err error) {
	found, err := topics.FindLeftovers(ctx, s.cfg.topics(), s.client, s.catalog, s.group)
	if err != nil {
		return false, err
	}
	offsets, err := s.committed(ctx)
	if err != nil {
		return false, err
	}
	formats := s.cfg.Graph.Formats()
	for tp, c := range offsets {
		if err := c.Admit(s.cfg.ApplicationID, tp, s.cfg.run()); err != nil {
			return false, err
		}
		if err := restore.AdmitFormat(c, tp, formats[tp.Topic]); err != nil {
			return false, err
		}
	}
	if err := found.Clear(ctx, offsets); err != nil {
		return false, err
	}
	look := restore.Look{Client: s.cfg.Client, Requests: s.client, Warn: s.cfg.Events.warning}
	if err := look.Formats(ctx, formats, offsets, s.catalog.Layout.Everything()); err != nil {
		return false, err
	}
	if len(offsets) > 0 {
		if err := s.admitState(ctx, look, offsets); err != nil {
			return false, err
		}
	}
	s.warnOfLeftBehind(ctx, offsets)
	if s.cfg.run() == "" || len(offsets) == 0 || !finished(offsets, s.cfg.run()) {
		return false, nil
	}
	return true, s.refuseNewer(ctx, offsets)
}

// admitState refuses what a task would be refused for when it is restored, and what
// only the offsets of all tasks show.
func (s *startCheck) admitState(ctx context.Context, look restore.Look, offsets map[broker.TopicPartition]group.Committed) error {
	subs := s.cfg.Graph.Subtopologies()
	positions, err := look.LastPositions(ctx, s.cfg.ApplicationID, subs, s.catalog.Layout.Partitions)
	if err != nil {
		return err
	}
	feeding := restore.Feeding{ApplicationID: s.cfg.ApplicationID, Subs: subs, Offsets: offsets}
	for _, p := range positions {
		if err := errors.Join(restore.AdmitMeaning(p, s.cfg.ApplicationID), feeding.Admit(p)); err != nil {
			return err
		}
	}
	former, err := s.formerOffsets(ctx)
	if err != nil {
		return err
	}
	return look.Handovers(ctx, feeding, former)
}

// formerOffsets are those in repartition topics that this version does not read.
func (s *startCheck) formerOffsets(ctx context.Context) (offsets map[broker.TopicPartition]group.Committed, err error) {
	err = broker.Retry(ctx, s.cfg.Events.warning, func(ctx context.Context) error {
		all, err := kadm.NewClient(s.client).ListTopics(ctx)
		if err != nil {
			return err
		}
		offsets = map[broker.TopicPartition]group.Committed{}
		parts := map[string][]int32{}
		for _, topic := range restore.FormerRepartitions(s.cfg.ApplicationID, all.Names(), s.cfg.written()) {
			parts[topic] = all[topic].Partitions.Numbers()
		}
		if len(parts) > 0 {
			offsets, err = s.group.Fetch(ctx, parts, false)
		}
		return err
	})
	return offsets, err
}

// committed returns the offsets of all partitions; none if nobody was ever here.
func (s *startCheck) committed(ctx context.Context) (offsets map[broker.TopicPartition]group.Committed, err error) {
	err = broker.Retry(ctx, s.cfg.Events.warning, func(ctx context.Context) (err error) {
		offsets, err = s.group.Fetch(ctx, s.catalog.Layout.Everything(), false)
		if errors.Is(err, kerr.GroupIDNotFound) {
			offsets, err = nil, nil
		}
		return err
	})
	return offsets, err
}

// warnOfBounds tells of sinks that refuse what is likely to come, once in a process.
func (s *startCheck) warnOfBounds() {
	if s.cfg.Index > 0 {
		return
	}
	for _, warning := range s.catalog.TooFar(s.cfg.Graph, s.cfg.Now(), s.cfg.run() != "") {
		s.cfg.Events.warning(warning)
	}
}
