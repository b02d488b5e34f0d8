package processor

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// How a refused option of the Kafka client is answered.
const (
	isGroup       = "the runtime balances the group, commits and joins by itself"
	isReading     = "the runtime decides what is read, from where, and that only committed records count"
	isWriting     = "the runtime decides where a record goes and when it counts as written"
	isBatching    = "the runtime sets it for its commits"
	isNotOffered  = "exactly-once does not work without the runtime's own"
	isApplication = "set ApplicationID"
	isSession     = "set SessionTimeout and HeartbeatInterval"
)

// runtimeOptions are the options of the Kafka client that are the runtime's, by
// the name of their functions in kgo, with what to do instead. The first kind
// would break it, the second would be overwritten in silence. Options of a
// consumer group are refused also where they are not here.
func runtimeOptions() map[string]string {
	return map[string]string{
		"ConsumerGroup": isApplication, "ShareGroup": isApplication, "InstanceID": isGroup, "GroupProtocol": isGroup,
		"Balancers": isGroup, "ServerSideBalancer": isGroup, "BalanceRacks": isGroup, "RebalanceTimeout": isGroup,
		"SessionTimeout": isSession, "HeartbeatInterval": isSession,
		"DisableAutoCommit": isGroup, "GreedyAutoCommit": isGroup, "AutoCommitInterval": isGroup, "AutoCommitMarks": isGroup, "AutoCommitCallback": isGroup,
		"OnPartitionsAssigned": isGroup, "OnPartitionsRevoked": isGroup, "OnPartitionsLost": isGroup, "OnPartitionsCallbackBlocked": isGroup,
		"OnOffsetsFetched": isGroup, "AdjustFetchOffsetsFn": isGroup, "RequireStableFetchOffsets": isGroup, "BlockRebalanceOnPoll": isGroup,
		"ShareMaxRecords": isGroup, "ShareMaxRecordsStrict": isGroup, "ShareAckCallback": isGroup,

		"ConsumeTopics": isReading, "ConsumePartitions": isReading, "ConsumeRegex": isReading, "ConsumeExcludeTopics": isReading,
		"ConsumeStartOffset": isReading, "ConsumeResetOffset": isReading, "FetchIsolationLevel": isReading,
		"KeepControlRecords": isReading, "KeepRetryableFetchErrors": isReading, "FetchMaxWait": isReading, "FetchMaxBytes": isReading,

		"TransactionalID": isNotOffered, "TransactionTimeout": "set TransactionTimeout", "RequiredAcks": isNotOffered, "DisableIdempotentWrite": isNotOffered,
		"AllowIdempotentProduceCancellation": isNotOffered, "MaxProduceRequestsInflightPerBroker": isNotOffered, "MaxVersions": isNotOffered,

		"RecordPartitioner": isWriting, "RackAwarePartitioning": isWriting, "DefaultProduceTopic": isWriting, "DefaultProduceTopicAlways": isWriting,
		"AllowAutoTopicCreation": "create the topics before the start",
		"ManualFlushing":         isBatching, "ProducerLinger": isBatching, "MaxBufferedRecords": isBatching, "ConcurrentTransactionsBackoff": isBatching,
		"ProducerBatchMaxBytes": isBatching, "ProducerBatchMaxBytesFn": isBatching, "MetadataMinAge": isBatching,

		"WithPools": "the runtime has pools of its own", "WithContext": "end the context of Run", "SeedBrokers": "set Brokers",
	}
}

// checkClient complains about all options that are the runtime's, at once. They
// are told by their functions' names, as kgo itself does where it is asked for the
// value of one: so nothing has to be opened, and no hook of the user is called.
func checkClient(opts []kgo.Opt) error {
	var errs []error
	theirs := runtimeOptions()
	for i, opt := range opts {
		if opt == nil {
			errs = append(errs, fmt.Errorf("processor: Client[%d] is nil", i))
			continue
		}
		name := optionName(reflect.ValueOf(opt))
		instead, refused := theirs[name]
		if _, group := opt.(kgo.GroupOpt); group && !refused {
			instead, refused = isGroup, true
		}
		if refused {
			errs = append(errs, fmt.Errorf("processor: Client[%d] is kgo.%s, which cannot be set there: %s", i, name, instead))
		}
	}
	return errors.Join(errs...)
}

// optionName is the name of the function that made an option: an option of kgo is
// a struct around a function literal, and that one is called after where it is
// written, "kgo.ConsumerGroup.func1", or "main.main.ConsumerGroup.func1" where the
// compiler has copied it. It is "?" where kgo has changed.
func optionName(opt reflect.Value) string {
	for opt.Kind() == reflect.Interface || opt.Kind() == reflect.Pointer {
		opt = opt.Elem()
	}
	switch {
	case opt.Kind() == reflect.Struct && opt.NumField() > 0:
		return optionName(opt.Field(0)) // also where somebody has embedded one
	case opt.Kind() != reflect.Func || opt.IsNil():
		return "?"
	}
	path := strings.Split(runtime.FuncForPC(opt.Pointer()).Name(), ".")
	if len(path) < 2 {
		return "?"
	}
	return path[len(path)-2]
}
