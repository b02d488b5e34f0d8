package worker

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/state"
)

// A memberNote keeps the worker's name in the group between its runs, beside the
// state: after a kill the next run knows which seat is its own and takes it away,
// which else would hold on to its tasks until its session times out.
type memberNote struct {
	storage state.Storage
	name    string
	warn    func(error)
}

// keep keeps the name for the next incarnation; an empty one after a farewell.
func (n *memberNote) keep(member string) {
	if err := n.storage.SetNote(n.name, member); err != nil {
		n.warn(fmt.Errorf("a restart after a crash will have to wait for the session of member %q: %w", member, err))
	}
}

// buryFormer takes the seat of a former incarnation out of the group.
func (n *memberNote) buryFormer(ctx context.Context, g *group.Offsets) {
	former, err := n.storage.Note(n.name)
	if err == nil && former != "" {
		err = g.Leave(ctx, former, "a former incarnation has died")
	}
	if err != nil {
		n.warn(fmt.Errorf("a former incarnation keeps its tasks until its session ends: %w", err))
	}
}
