package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/scripttest"
)

// TestScripts runs the stories of testdata: rounds of a group, as the broker has its
// members go through them.
func TestScripts(t *testing.T) {
	scripttest.Run(t, "testdata/*.txt", func() scripttest.Language { return new(story).language() })
}

// A story is the group of a script. Its topics are a, b, c, y and z, of two partitions
// each.
type story struct {
	members    []*storyMember
	generation int32
}

type storyMember struct {
	id         string
	balancer   *balancer
	owned      parts
	generation int32
	silent     bool
}

func (s *story) language() scripttest.Language {
	return scripttest.Language{
		// join adds members. reads= are their topics, those that are read together with
		// "+" between: a+b,c. silent ones are of a version that does not tell that.
		{Usage: "join MEMBER... reads= [silent]", Run: s.join},
		{Usage: "leave MEMBER", Run: s.leave},
		// restart has members forget what they own.
		{Usage: "restart MEMBER...", Run: s.restart},
		// round is one rebalance, dealt by the leader. It prints what each member may have
		// from then on, and what it is told beside.
		{Usage: "round leader=", Run: s.round},
	}
}

func (s *story) join(c *scripttest.Call) string {
	for _, id := range c.Operands() {
		var groups [][]string
		for _, together := range strings.Split(c.Text("reads"), ",") {
			groups = append(groups, strings.Split(together, "+"))
		}
		s.members = append(s.members, &storyMember{id: id, balancer: reading(2, groups...), generation: -1, silent: c.Has("silent")})
	}
	return fmt.Sprintf("%d members", len(s.members))
}

func (s *story) find(c *scripttest.Call, id string) *storyMember {
	at := slices.IndexFunc(s.members, func(m *storyMember) bool { return m.id == id })
	if at < 0 {
		c.Fatalf("there is no member %q", id)
	}
	return s.members[at]
}

func (s *story) leave(c *scripttest.Call) string {
	gone := s.find(c, c.Operand(0))
	s.members = slices.DeleteFunc(s.members, func(m *storyMember) bool { return m == gone })
	return fmt.Sprintf("%d members", len(s.members))
}

func (s *story) restart(c *scripttest.Call) string {
	for _, id := range c.Operands() {
		m := s.find(c, id)
		m.owned, m.generation = nil, -1
	}
	return "own nothing"
}

func (s *story) round(c *scripttest.Call) string {
	var joining []kmsg.JoinGroupResponseMember
	for _, m := range s.members {
		if m.silent {
			joining = append(joining, silent(m.balancer, m.id, m.generation, m.owned))
		} else {
			joining = append(joining, joined(m.balancer, m.id, m.generation, m.owned))
		}
	}
	given, err := awardsOf(s.find(c, c.Text("leader")).balancer, joining)
	c.Check(err)
	s.generation++
	lines := []string{fmt.Sprintf("generation %d", s.generation)}
	for _, m := range s.members {
		a := given[m.id]
		m.owned, m.generation = a.partitions, s.generation
		lines = append(lines, "  "+m.id+":"+awardText(&a))
	}
	return strings.Join(lines, "\n")
}

func awardText(a *award) (text string) {
	for _, topic := range slices.Sorted(maps.Keys(a.partitions)) {
		for _, p := range a.partitions[topic] {
			text += fmt.Sprintf(" %s[%d]", topic, p)
		}
	}
	if text == "" {
		text = " nothing"
	}
	if a.word.Coming > 0 {
		text += fmt.Sprintf(", %d more tasks are coming", a.word.Coming)
	}
	if len(a.word.Others) > 0 {
		text += fmt.Sprintf(", refused: the others read %q", a.word.Others)
	}
	return text
}
