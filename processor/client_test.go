package processor_test

import (
	"context"
	"crypto/tls"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"iter"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace/millrace/processor"
)

// refused are the options of kgo that are the runtime's.
func refused() map[string]kgo.Opt {
	second := time.Second
	moved := func(context.Context, *kgo.Client, map[string][]int32) {}
	return map[string]kgo.Opt{
		"ConsumerGroup": kgo.ConsumerGroup("g"), "ShareGroup": kgo.ShareGroup("g"), "InstanceID": kgo.InstanceID("i"), "GroupProtocol": kgo.GroupProtocol("p"),
		"Balancers": kgo.Balancers(kgo.RangeBalancer()), "ServerSideBalancer": kgo.ServerSideBalancer(), "BalanceRacks": kgo.BalanceRacks(),
		"RebalanceTimeout": kgo.RebalanceTimeout(second), "SessionTimeout": kgo.SessionTimeout(second), "HeartbeatInterval": kgo.HeartbeatInterval(second),
		"DisableAutoCommit": kgo.DisableAutoCommit(), "GreedyAutoCommit": kgo.GreedyAutoCommit(), "AutoCommitInterval": kgo.AutoCommitInterval(second),
		"AutoCommitMarks":      kgo.AutoCommitMarks(),
		"AutoCommitCallback":   kgo.AutoCommitCallback(func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {}),
		"OnPartitionsAssigned": kgo.OnPartitionsAssigned(moved), "OnPartitionsRevoked": kgo.OnPartitionsRevoked(moved), "OnPartitionsLost": kgo.OnPartitionsLost(moved),
		"OnPartitionsCallbackBlocked": kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) {}),
		"OnOffsetsFetched":            kgo.OnOffsetsFetched(func(context.Context, *kgo.Client, *kmsg.OffsetFetchResponse) error { return nil }),
		"AdjustFetchOffsetsFn":        kgo.AdjustFetchOffsetsFn(nil),
		"RequireStableFetchOffsets":   kgo.RequireStableFetchOffsets(), //nolint:staticcheck // refused although it is deprecated
		"BlockRebalanceOnPoll":        kgo.BlockRebalanceOnPoll(), "ShareMaxRecords": kgo.ShareMaxRecords(1), "ShareMaxRecordsStrict": kgo.ShareMaxRecordsStrict(),
		"ShareAckCallback": kgo.ShareAckCallback(func(*kgo.Client, kgo.ShareAckResults) {}),

		"ConsumeTopics": kgo.ConsumeTopics("t"), "ConsumePartitions": kgo.ConsumePartitions(nil), "ConsumeRegex": kgo.ConsumeRegex(),
		"ConsumeExcludeTopics": kgo.ConsumeExcludeTopics("t"), "ConsumeStartOffset": kgo.ConsumeStartOffset(kgo.NewOffset()),
		"ConsumeResetOffset": kgo.ConsumeResetOffset(kgo.NewOffset()), "FetchIsolationLevel": kgo.FetchIsolationLevel(kgo.ReadUncommitted()),
		"KeepControlRecords": kgo.KeepControlRecords(), "KeepRetryableFetchErrors": kgo.KeepRetryableFetchErrors(),
		"FetchMaxWait": kgo.FetchMaxWait(second), "FetchMaxBytes": kgo.FetchMaxBytes(1),

		"TransactionalID": kgo.TransactionalID("t"), "TransactionTimeout": kgo.TransactionTimeout(second), "RequiredAcks": kgo.RequiredAcks(kgo.AllISRAcks()),
		"DisableIdempotentWrite": kgo.DisableIdempotentWrite(), "AllowIdempotentProduceCancellation": kgo.AllowIdempotentProduceCancellation(),
		"MaxProduceRequestsInflightPerBroker": kgo.MaxProduceRequestsInflightPerBroker(1), "MaxVersions": kgo.MaxVersions(kversion.V2_8_0()),

		"RecordPartitioner": kgo.RecordPartitioner(kgo.ManualPartitioner()), "RackAwarePartitioning": kgo.RackAwarePartitioning(),
		"DefaultProduceTopic": kgo.DefaultProduceTopic("t"), "DefaultProduceTopicAlways": kgo.DefaultProduceTopicAlways(),
		"AllowAutoTopicCreation": kgo.AllowAutoTopicCreation(), "ManualFlushing": kgo.ManualFlushing(), "ProducerLinger": kgo.ProducerLinger(0),
		"MaxBufferedRecords": kgo.MaxBufferedRecords(1), "ConcurrentTransactionsBackoff": kgo.ConcurrentTransactionsBackoff(second),
		"ProducerBatchMaxBytes": kgo.ProducerBatchMaxBytes(1), "ProducerBatchMaxBytesFn": kgo.ProducerBatchMaxBytesFn(nil),
		"MetadataMinAge": kgo.MetadataMinAge(second), "WithPools": kgo.WithPools(), "WithContext": kgo.WithContext(context.Background()),
		"SeedBrokers": kgo.SeedBrokers("b:1"),
	}
}

// accepted are the options of kgo that are the user's.
func accepted() map[string]kgo.Opt {
	second := time.Second
	return map[string]kgo.Opt{
		"ClientID": kgo.ClientID("c"), "SoftwareNameAndVersion": kgo.SoftwareNameAndVersion("s", "v"), "WithLogger": kgo.WithLogger(nil), "WithHooks": kgo.WithHooks(),
		"Dialer":      kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, nil }),
		"DialTimeout": kgo.DialTimeout(second), "DialTLSConfig": kgo.DialTLSConfig(new(tls.Config)), "DialTLS": kgo.DialTLS(), "SASL": kgo.SASL(),
		"ConnIdleTimeout": kgo.ConnIdleTimeout(second), "RequestTimeoutOverhead": kgo.RequestTimeoutOverhead(second), "MinVersions": kgo.MinVersions(kversion.V2_8_0()),
		"RetryBackoffFn": kgo.RetryBackoffFn(nil), "RequestRetries": kgo.RequestRetries(1), "RetryTimeout": kgo.RetryTimeout(second), "RetryTimeoutFn": kgo.RetryTimeoutFn(nil),
		"AlwaysRetryEOF": kgo.AlwaysRetryEOF(), "OnRebootstrapRequired": kgo.OnRebootstrapRequired(nil),
		"BrokerMaxWriteBytes": kgo.BrokerMaxWriteBytes(1), "BrokerMaxReadBytes": kgo.BrokerMaxReadBytes(1), "MaxDecompressBatchBytes": kgo.MaxDecompressBatchBytes(1),
		"MetadataMaxAge": kgo.MetadataMaxAge(second), "ConsiderMissingTopicDeletedAfter": kgo.ConsiderMissingTopicDeletedAfter(second),
		"DisableClientMetrics": kgo.DisableClientMetrics(), "UserMetricsFn": kgo.UserMetricsFn(func() iter.Seq[kgo.Metric] { return nil }),

		"ProducerBatchCompression": kgo.ProducerBatchCompression(kgo.Lz4Compression()), "WithCompressor": kgo.WithCompressor(nil), "StreamingCompression": kgo.StreamingCompression(),
		"MaxBufferedBytes": kgo.MaxBufferedBytes(1), "ProduceRequestTimeout": kgo.ProduceRequestTimeout(second), "RecordRetries": kgo.RecordRetries(1),
		"RecordDeliveryTimeout": kgo.RecordDeliveryTimeout(second), "UnknownTopicRetries": kgo.UnknownTopicRetries(1),
		"StopProducerOnDataLossDetected": kgo.StopProducerOnDataLossDetected(), "ProducerOnDataLossDetected": kgo.ProducerOnDataLossDetected(nil),

		"Rack": kgo.Rack("r"), "WithDecompressor": kgo.WithDecompressor(nil), "FetchMinBytes": kgo.FetchMinBytes(1), "FetchMaxPartitionBytes": kgo.FetchMaxPartitionBytes(1),
		"MaxConcurrentFetches": kgo.MaxConcurrentFetches(1), "ConsumePreferringLagFn": kgo.ConsumePreferringLagFn(nil), "DisableFetchSessions": kgo.DisableFetchSessions(),
		"DisableFetchCRCValidation": kgo.DisableFetchCRCValidation(), "RecheckPreferredReplicaInterval": kgo.RecheckPreferredReplicaInterval(second),
	}
}

// Options that are the runtime's are refused by name, those that are the user's
// are not; for a reset too.
func TestOptionsOfTheClient(t *testing.T) {
	check := func(opts ...kgo.Opt) (ran, reset error) {
		ran = (processor.Config{ApplicationID: "app", Brokers: []string{"b:1"}, Client: opts}).Validate()
		_, reset = processor.PlanReset(t.Context(), processor.ResetConfig{ApplicationID: "app", Brokers: []string{"127.0.0.1:1"}, Client: opts})
		return ran, reset
	}
	for name, opt := range refused() {
		ran, reset := check(opt)
		for _, err := range []error{ran, reset} {
			if err == nil || !strings.Contains(err.Error(), "Client[0] is kgo."+name) {
				t.Errorf("kgo.%s: %v", name, err)
			}
		}
	}
	for name, opt := range accepted() {
		if err := (processor.Config{ApplicationID: "app", Brokers: []string{"b:1"}, Client: []kgo.Opt{opt}}).Validate(); err != nil {
			t.Errorf("kgo.%s: %v", name, err)
		}
	}
	type wrapped struct{ kgo.Opt }
	type hidden struct {
		_ int
		kgo.GroupOpt
	}
	ran, _ := check(kgo.ClientID("c"), kgo.InstanceID("i"), wrapped{kgo.ConsumeTopics("t")}, nil, hidden{GroupOpt: kgo.InstanceID("i")})
	for _, want := range []string{"Client[1] is kgo.InstanceID", "Client[2] is kgo.ConsumeTopics", "Client[3] is nil", "Client[4] is kgo.?"} {
		if ran == nil || !strings.Contains(ran.Error(), want) {
			t.Errorf("not all at once, %q is missing: %v", want, ran)
		}
	}
}

// Every option that this version of kgo has is decided about.
func TestEveryOptionOfTheClientIsDecided(t *testing.T) {
	t.Parallel()
	pkg, err := build.Import("github.com/twmb/franz-go/pkg/kgo", ".", 0)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), pkg.Dir+"/"+name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && isOption(f) {
				have = append(have, f.Name.Name)
			}
		}
	}
	slices.Sort(have)
	decided := slices.Sorted(maps.Keys(refused()))
	for name := range accepted() {
		if slices.Contains(decided, name) {
			t.Errorf("kgo.%s is both", name)
		}
		decided = append(decided, name)
	}
	slices.Sort(decided)
	if !slices.Equal(have, decided) {
		t.Errorf("kgo has the options\n%q, decided is about\n%q", have, decided)
	}
}

// isOption reports whether a function of kgo makes an option.
func isOption(f *ast.FuncDecl) bool {
	if f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
		return false
	}
	result, ok := f.Type.Results.List[0].Type.(*ast.Ident)
	return ok && slices.Contains([]string{"Opt", "ProducerOpt", "ConsumerOpt", "GroupOpt"}, result.Name)
}
