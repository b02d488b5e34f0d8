package windowing

import (
	"testing"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// TestApart: only where windows overlap, and only what can be changed.
func TestApart(t *testing.T) {
	for name, c := range map[string]struct {
		d    Definition
		want bool
	}{
		"tumbling":           {Tumbling(10 * ms), false},
		"hopping by size":    {Hopping(10*ms, 10*ms), false},
		"hopping":            {Hopping(10*ms, 5*ms), true},
		"cumulative":         {Cumulative(5*ms, 10*ms), true},
		"calendar":           {Calendar(Day, time.UTC), false},
		"unlimited":          {Unlimited(0), false},
		"custom: who knows?": {Custom(ragged{every: 1, least: 1, spread: 1}), true},
		"session":            {Session(10 * ms), false},
		"sliding":            {Sliding(10 * ms), true},
	} {
		lists, err := Apart(c.d, serde.JSON[[]string](), "store")
		if err != nil || (lists != nil) != c.want {
			t.Errorf("%s: lists are copied: %v, %v", name, lists != nil, err)
		}
		if texts, err := Apart(c.d, serde.String, "store"); err != nil || texts != nil {
			t.Errorf("%s: texts are copied, %v", name, err)
		}
		if lists == nil {
			continue
		}
		first := []string{"a"}
		if second, err := lists(&first); err != nil || len(second) != 1 || second[0] != "a" || &second[0] == &first[0] {
			t.Errorf("%s: the copy is %q, %v", name, second, err)
		}
	}
}
