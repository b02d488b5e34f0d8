package assign

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/scripttest"
)

// TestScripts runs the stories of testdata: a group whose members come, go, and miss
// what they were told.
func TestScripts(t *testing.T) {
	scripttest.Run(t, "testdata/*.txt", func() scripttest.Language { return new(story).language() })
}

// A story is the group of a script.
type story struct {
	tasks      []Task
	members    []Member
	generation int32
}

func (s *story) language() scripttest.Language {
	return scripttest.Language{
		// tasks says how many sub-topologies there are and partitions of each.
		{Usage: "tasks SUBTOPOLOGIES PARTITIONS", Run: s.setTasks},
		// join adds members that own nothing, or what they say; load= is what they have
		// been given already.
		{Usage: "join MEMBER... [load=]", Run: s.join},
		{Usage: "leave MEMBER...", Run: s.leave},
		// claim has a member say that it owns tasks, of a generation.
		{Usage: "claim MEMBER TASK... generation=", Run: s.claim},
		// assign deals, in a new generation. Members hear of it, but for that in
		// missed-by=, which goes on with what it had. Printed is what each gets, + what is
		// new to it and - what it had and gives up.
		{Usage: "assign [missed-by=]", Run: s.assign},
	}
}

func (s *story) setTasks(c *scripttest.Call) string {
	subtopologies, err := strconv.Atoi(c.Operand(0))
	c.Check(err)
	partitions, err := strconv.ParseInt(c.Operand(1), 10, 32)
	c.Check(err)
	s.tasks = grid(subtopologies, int32(partitions))
	return fmt.Sprintf("%d tasks", len(s.tasks))
}

// member returns a member by its name.
func (s *story) member(c *scripttest.Call, id string) *Member {
	at := slices.IndexFunc(s.members, func(m Member) bool { return m.ID == id })
	if at < 0 {
		c.Fatalf("there is no member %q", id)
	}
	return &s.members[at]
}

func (s *story) join(c *scripttest.Call) string {
	for _, id := range c.Operands() {
		s.members = append(s.members, Member{ID: id, Load: int(c.Int("load", 0))})
	}
	return fmt.Sprintf("%d members", len(s.members))
}

func (s *story) leave(c *scripttest.Call) string {
	for _, id := range c.Operands() {
		gone := s.member(c, id)
		s.members = slices.DeleteFunc(s.members, func(m Member) bool { return m.ID == gone.ID })
	}
	return fmt.Sprintf("%d members", len(s.members))
}

func (s *story) claim(c *scripttest.Call) string {
	m := s.member(c, c.Operand(0))
	m.Owned, m.Generation = nil, int32(c.Int("generation", 0))
	for _, name := range c.Operands()[1:] {
		sub, partition, _ := strings.Cut(name, "_")
		a, errA := strconv.Atoi(sub)
		b, errB := strconv.ParseInt(partition, 10, 32)
		if errA != nil || errB != nil {
			c.Fatalf("%q is no task: 0_1 is partition 1 of sub-topology 0", name)
		}
		m.Owned = append(m.Owned, Task{a, int32(b)})
	}
	return fmt.Sprintf("%s claims %d tasks", m.ID, len(m.Owned))
}

func (s *story) assign(c *scripttest.Call) string {
	if c.Has("missed-by") {
		s.member(c, c.Text("missed-by"))
	}
	s.generation++
	given := Assign(s.tasks, s.members)
	lines := []string{fmt.Sprintf("generation %d", s.generation)}
	for i := range s.members {
		m := &s.members[i]
		lines = append(lines, "  "+m.ID+":"+changes(m.Owned, given[m.ID]))
		if m.ID != c.Text("missed-by") {
			m.Owned, m.Generation = given[m.ID], s.generation
		}
	}
	return strings.Join(lines, "\n")
}

// changes prints what a member has, and what it had.
func changes(had, has []Task) (text string) {
	for _, t := range has {
		mark := ""
		if !slices.Contains(had, t) {
			mark = "+"
		}
		text += fmt.Sprintf(" %s%d_%d", mark, t.Subtopology, t.Partition)
	}
	for _, t := range had {
		if !slices.Contains(has, t) {
			text += fmt.Sprintf(" -%d_%d", t.Subtopology, t.Partition)
		}
	}
	return text
}
