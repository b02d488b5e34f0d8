package worker

import (
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

func TestCounts(t *testing.T) {
	t.Parallel()
	for _, g := range []Guarantee{ExactlyOnce, AtLeastOnce} {
		t.Run(g.String(), func(t *testing.T) {
			c := newCluster(t, 3, "in", "out")
			input := rows(3, 50, 7)
			c.load(input...)
			w := newWitness(t)
			cfg := c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), w)
			cfg.Guarantee = g
			p := start(t, cfg)
			c.checkCounts(input)
			p.end()
		})
	}
}
