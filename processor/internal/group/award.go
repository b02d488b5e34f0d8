package group

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errRefused says that the group goes on without this member.
var errRefused = errors.New("the group refuses this instance")

// An award is what the leader gives a member in one round: partitions, and a word
// about them in the assignment's user data. A member of an older version does
// not read the word.
type award struct {
	partitions map[string][]int32
	word       word
}

// A word is what a member is told beside its partitions. It is JSON, and empty
// where there is nothing to say.
type word struct {
	// Others is what those members read with whom the group goes on. It is told
	// to a member that is refused: it reads something else.
	Others [][]string `json:"others,omitempty"`
	// Coming is how many more tasks are the member's as soon as their owners have
	// given them up.
	Coming int `json:"coming,omitempty"`
}

// readAward reads what a member got.
func readAward(assignment []byte) (*award, error) {
	parts, err := kgo.ParseConsumerSyncAssignment(assignment)
	if err != nil {
		return nil, err
	}
	a := &award{partitions: parts}
	var all kmsg.ConsumerMemberAssignment
	if all.ReadFrom(assignment) != nil || json.Unmarshal(all.UserData, &a.word) != nil {
		a.word = word{} // of a version that says nothing, or something else
	}
	return a, nil
}

// refusal is the error of a member of this layout that was refused; nil if it was
// not.
func (w *word) refusal(group string, ours *Layout) error {
	if len(w.Others) == 0 {
		return nil
	}
	return fmt.Errorf("%w: it reads the topics %q, and the members of group %q with whom the group goes on read %q, where topics in one bracket are read together; stop all instances of the old version before the new one starts, or give this one another application id", errRefused, ours.groups(), group, w.Others)
}

// A plan is the client's plan with a word for some members.
type plan struct {
	*kgo.BalancePlan
	words map[string]word
}

// IntoSyncAssignment is part of kgo.IntoSyncAssignment.
func (p *plan) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	all := p.BalancePlan.IntoSyncAssignment()
	for i := range all {
		w, ok := p.words[all[i].MemberID]
		if !ok {
			continue
		}
		var a kmsg.ConsumerMemberAssignment
		if a.ReadFrom(all[i].MemberAssignment) != nil {
			continue // the client has just written it
		}
		a.UserData, _ = json.Marshal(w) // strings and a number cannot fail
		all[i].MemberAssignment = a.AppendTo(nil)
	}
	return all
}

// tellComing leaves of the tasks that were dealt to each member of a camp those
// that it does not get in this round.
func (p *plan) tellComing(c *camp) {
	given := p.AsMemberIDMap()
	for _, s := range c.seats {
		w := p.words[s.id()]
		if w.Coming -= len(c.layout.Covered(given[s.id()])); w.Coming > 0 {
			p.words[s.id()] = w
		} else {
			delete(p.words, s.id())
		}
	}
}
