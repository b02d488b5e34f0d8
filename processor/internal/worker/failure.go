package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/processor/internal/graph"
)

// permanentErrors are answers of the broker that no waiting changes.
var permanentErrors = [...]*kerr.Error{
	kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
	kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism,
	kerr.UnsupportedVersion, kerr.UnsupportedForMessageFormat, kerr.InvalidTopicException, kerr.InvalidGroupID,
	kerr.InvalidTransactionTimeout, kerr.OffsetMetadataTooLarge, kerr.MessageTooLarge, kerr.RecordListTooLarge,
	kerr.InvalidTimestamp, kerr.InvalidRecord, kerr.InvalidRequiredAcks, kerr.PolicyViolation, kerr.SecurityDisabled,
	kerr.InconsistentTopicID,
}

// permanent says that trying again cannot help.
func permanent(err error) bool {
	for _, p := range permanentErrors {
		if errors.Is(err, p) {
			return true
		}
	}
	return errors.Is(err, errPermanent) || errors.Is(err, ErrReset) || errors.Is(err, graph.ErrFormat)
}

// errPermanent marks errors of our own that no waiting changes.
var errPermanent = errors.New("trying again does not help")

// ErrReset marks errors that nothing changes but to start the application over.
// Whoever shows them says how.
var ErrReset = errors.New("start the application over")

// refused are the answers to an offset commit that say: you are not, or not
// now, who may commit this. Nothing is committed, and nothing is wrong.
func refused(err error) bool {
	for _, r := range []error{
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress, kerr.StaleMemberEpoch,
		kerr.FencedInstanceID, kerr.GroupIDNotFound, errLapsed,
	} {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

// fencedOff says that another holder of the transactional id, or the broker's
// transaction timeout, has ended what we had open.
func fencedOff(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}

// The waits between two attempts.
const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
	// topicGrace is how long brokers may take to learn of a topic.
	topicGrace = 10 * time.Second
)

// retry repeats do until it succeeds, fails for good, or ctx ends. Each failure
// that is going to be repeated is given to complain first, which may be nil.
func retry(ctx context.Context, complain func(error), do func(context.Context) error) error {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := do(ctx)
		if err == nil || permanent(err) {
			return err
		}
		if errors.Is(err, kerr.UnknownTopicID) && time.Since(began) > topicGrace {
			return fmt.Errorf("the topic was deleted, or made anew, while the application ran: %w: %w", err, ErrReset)
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if complain != nil {
			complain(err)
		}
		if !Sleep(ctx, pause) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Sleep waits for d. It reports whether d passed before ctx ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
