package group

import (
	"maps"
	"testing"

	"github.com/millrace/millrace/processor/internal/assign"
)

func TestContested(t *testing.T) {
	a, b := assign.Task{Partition: 1}, assign.Task{Partition: 2}
	member := func(id string, generation int32, owned ...assign.Task) assign.Member {
		return assign.Member{ID: id, Generation: generation, Owned: owned}
	}
	for name, c := range map[string]struct {
		members []assign.Member
		want    []assign.Task
	}{
		"one claim each":                 {[]assign.Member{member("x", 3, a), member("y", 3, b)}, nil},
		"two of one generation":          {[]assign.Member{member("x", 3, a), member("y", 3, a, b)}, []assign.Task{a}},
		"the later one is the owner":     {[]assign.Member{member("x", 3, a), member("y", 4, a)}, nil},
		"an earlier one changes nothing": {[]assign.Member{member("x", 4, a), member("y", 4, a), member("z", 2, a)}, []assign.Task{a}},
		"a later one settles it":         {[]assign.Member{member("x", 3, a), member("y", 3, a), member("z", 5, a)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := new(Layout).contested(c.members)
			maps.DeleteFunc(got, func(_ assign.Task, is bool) bool { return !is })
			want := map[assign.Task]bool{}
			for _, task := range c.want {
				want[task] = true
			}
			if !maps.Equal(got, want) {
				t.Errorf("contested: %v, want %v", got, want)
			}
		})
	}
}
