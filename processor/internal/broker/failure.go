package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
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

// Permanent reports whether trying again cannot help.
func Permanent(err error) bool {
	for _, p := range permanentErrors {
		if errors.Is(err, p) {
			return true
		}
	}
	return errors.Is(err, ErrPermanent) || errors.Is(err, ErrReset)
}

// ErrPermanent marks errors of our own that no waiting changes.
var ErrPermanent = errors.New("trying again does not help")

// ErrReset marks errors that nothing changes but to start the application over.
// Whoever shows them says how.
var ErrReset = errors.New("start the application over")
