package group

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A camp is those members of a group that agree on what they read, and on which
// topics they read together. A group has one, unless somebody has started
// another topology under the application's id. Then one camp goes on, and the
// members of the others get no task and are told why: whoever does not fit is
// refused, never the group.
//
// The leader only deals. It may be of a camp that is refused.
type camp struct {
	seats  []seat
	groups [][]string // the topics that are read together; nil: not told
	layout *Layout
	tasks  int // that its members own
}

// campsOf sorts the members into camps, the one that goes on first: it owns the
// most tasks, has the most members, or has the lowest member id. counts are how
// many partitions the topics have.
func campsOf(seats []seat, ours *Layout, counts map[string]int32) []*camp {
	byView := map[string]*camp{}
	var camps []*camp
	for _, s := range seats {
		groups := viewOf(&s.profile, ours)
		view := fmt.Sprintf("%q %q", s.profile.topics, groups)
		c := byView[view]
		if c == nil {
			c = &camp{groups: groups}
			byView[view], camps = c, append(camps, c)
		}
		c.seats = append(c.seats, s)
	}
	for _, c := range camps {
		c.layOut(ours, counts)
		slices.SortFunc(c.seats, func(a, b seat) int { return strings.Compare(a.id(), b.id()) })
	}
	slices.SortFunc(camps, func(a, b *camp) int {
		return cmp.Or(cmp.Compare(b.tasks, a.tasks), cmp.Compare(len(b.seats), len(a.seats)), strings.Compare(a.seats[0].id(), b.seats[0].id()))
	})
	return camps
}

// viewOf is which topics a member reads together. One of an older version does
// not tell: it is taken to do as we do if it reads the same.
func viewOf(p *profile, ours *Layout) (groups [][]string) {
	if p.subs == nil {
		if slices.Equal(p.topics, ours.topics()) {
			return ours.groups()
		}
		return nil
	}
	for _, sub := range p.subs {
		if len(sub.Topics) > 0 {
			groups = append(groups, sub.Topics)
		}
	}
	slices.SortFunc(groups, slices.Compare[[]string])
	return groups
}

// groups lists the topics that are read together.
func (l *Layout) groups() (groups [][]string) {
	for _, topics := range l.Sources {
		groups = append(groups, sorted(topics))
	}
	slices.SortFunc(groups, slices.Compare[[]string])
	return groups
}

// layOut finds the tasks of the camp: ours, or what its members say.
func (c *camp) layOut(ours *Layout, counts map[string]int32) {
	if slices.EqualFunc(c.groups, ours.groups(), slices.Equal[[]string]) {
		c.layout = ours
	} else {
		c.layout = c.theirs(counts)
	}
	for _, s := range c.seats {
		c.tasks += len(c.layout.Covered(s.owned))
	}
}

// theirs is the layout of a camp that is not ours. Where its members do not say
// which topics they read together, all topics of one size are taken to be: such
// tasks are larger than they need be, and whole.
func (c *camp) theirs(counts map[string]int32) *Layout {
	l := new(Layout)
	if c.groups != nil {
		for _, topics := range c.groups {
			l.Sources, l.Partitions = append(l.Sources, topics), append(l.Partitions, c.count(topics[0], counts))
		}
		return l
	}
	for _, topic := range c.seats[0].profile.topics {
		n := c.count(topic, counts)
		if at := slices.Index(l.Partitions, n); at >= 0 {
			l.Sources[at] = append(l.Sources[at], topic)
		} else {
			l.Sources, l.Partitions = append(l.Sources, []string{topic}), append(l.Partitions, n)
		}
	}
	return l
}

// count is the number of partitions of a topic, by the member that knows most.
func (c *camp) count(topic string, counts map[string]int32) (most int32) {
	told := false
	for _, s := range c.seats {
		if n, ok := s.profile.count(topic); ok {
			most, told = max(most, n), true
		}
	}
	if !told {
		return counts[topic]
	}
	return most
}

// view is what the camp reads, to be told to those who read something else.
func (c *camp) view() [][]string {
	if c.groups != nil {
		return c.groups
	}
	return [][]string{c.seats[0].profile.topics}
}
