package group

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrLapsed says that a task was lost without a word. A commit for it is Refused.
var ErrLapsed = errors.New("the ownership has lapsed")

// Refused reports whether an error is an answer to an offset commit that says: you
// are not, or not now, who may commit this. Nothing is committed, and nothing is
// wrong.
func Refused(err error) bool {
	for _, r := range []error{
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.StaleMemberEpoch,
		kerr.FencedInstanceID, kerr.GroupIDNotFound, ErrLapsed,
	} {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}
